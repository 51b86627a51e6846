"""What tablets record in a surgery: each kind of entry, its undo, repeats, two people, what happened meanwhile, bad bodies, rights."""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client
from PIL import Image

from alyx.core import clock
from alyx.core.models import Note, ReviewFlag
from alyx.labs.models import Lab, Role, User
from subjects.models import (
    Craniotomy,
    Drug,
    DrugGiven,
    Headplate,
    Implant,
    PostOpCheck,
    ProbeModel,
    ProcedureType,
    Subject,
    Surgery,
    SurgeryTemplate,
    TimelineEntry,
)
from subjects.services.surgery import withdraw_surgery
from tests.factories import a_lab, a_member, a_subject, a_superuser, a_weighing

pytestmark = pytest.mark.django_db


@dataclass
class Tablet:
    """Sends entries as the journal does, and keeps the answers."""

    user: User
    surgery: str = field(default_factory=lambda: str(uuid4()))
    seq: int = 0
    client: Client = field(default_factory=Client)

    def __post_init__(self) -> None:
        self.client.force_login(self.user)

    def entry(
        self, kind: str, body: Mapping[str, Any], *, about: str | None = None, ago_s: float = 0, **more: Any
    ) -> dict[str, Any]:
        """An entry made so long ago."""
        self.seq += 1
        made_at = (clock.now() - timedelta(seconds=ago_s)).isoformat()
        known = {"key": str(uuid4()), "seq": self.seq, "user": str(self.user.pk), "made_at": made_at}
        return {**known, "kind": kind, "about": about or self.surgery, "body": dict(body), **more}

    def send(self, *entries: Mapping[str, Any], latency_s: float = 0) -> list[dict[str, Any]]:
        """The answers, to a request that took so long."""
        sent_at = clock.now() - timedelta(seconds=latency_s)
        body = {"device": "tablet", "sent_at": sent_at.isoformat(), "entries": list(entries)}
        answer = self.client.post("/bench/entries", json.dumps(body), content_type="application/json")
        assert answer.status_code == 200, answer.content
        answers: list[dict[str, Any]] = answer.json()["answers"]
        return answers

    def tap(self, kind: str, body: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """One entry, sent."""
        [answer] = self.send(self.entry(kind, body, **more))
        return answer

    def done(self, kind: str, body: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """One that is applied."""
        answer = self.tap(kind, body, **more)
        assert answer["state"] == "done", answer
        return answer

    def undo(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """Taken back."""
        return self.tap("journal.undo", {"of": answer["key"]})

    def start(self, mouse: Subject, template: SurgeryTemplate | None = None, **more: Any) -> dict[str, Any]:
        """Begun."""
        body = {
            "subject": str(mouse.pk),
            "template": str(template.pk) if template else None,
            "nickname": mouse.nickname,
        }
        return self.done("surgery.start", {**body, **more})

    def state(self) -> dict[str, Any]:
        """As the screen reads it."""
        answer = self.client.get(f"/bench/data/surgery/{self.surgery}")
        assert answer.status_code == 200, answer.content
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture
def lab() -> Lab:
    return a_lab()


@pytest.fixture
def surgeon(lab: Lab) -> User:
    return a_member(lab)


@pytest.fixture
def mouse(lab: Lab) -> Subject:
    mouse = a_subject(lab)
    a_weighing(mouse, 25.0, datetime(2026, 3, 1, 9))
    return mouse


@pytest.fixture
def carprofen(lab: Lab) -> Drug:
    return Drug.objects.create(
        lab=lab, name="carprofen", use="analgesic", concentration_mg_per_ml=1, dose_mg_per_kg=5, max_dose_mg_per_kg=10
    )


@pytest.fixture
def template(lab: Lab, carprofen: Drug) -> SurgeryTemplate:
    ProcedureType.objects.get_or_create(name="Headplate implant")
    content = {
        "procedures": ["Headplate implant"],
        "drugs": [{"drug": "carprofen", "dose_mg_per_kg": 5, "repeat_h": 12}],
        "parts": [{"part": "headplate", "cement": "Super-Bond"}],
        "implant_weight_g": 1.4,
        "post_op_days": [1, 2],
        "events": ["drilling"],
    }
    made: SurgeryTemplate = SurgeryTemplate.objects.create(lab=lab, name="headplate", content=content)
    return made


@pytest.fixture
def tablet(surgeon: User) -> Tablet:
    return Tablet(surgeon)


@pytest.fixture
def begun(tablet: Tablet, mouse: Subject, template: SurgeryTemplate) -> Tablet:
    """A surgery of the template that has begun."""
    tablet.start(mouse, template)
    return tablet


def test_a_start_has_the_tablets_key_and_time_and_gives_no_drug(
    tablet: Tablet, mouse: Subject, template: SurgeryTemplate
) -> None:
    plan = [{"id": str(uuid4()), "part": "headplate", "cement": "Super-Bond"}]
    entry = tablet.entry(
        "surgery.start",
        {"subject": str(mouse.pk), "template": str(template.pk), "nickname": mouse.nickname, "plan": plan},
        ago_s=600,
    )
    [answer] = tablet.send(entry)
    surgery = Surgery.objects.get(pk=tablet.surgery)
    assert answer["result"] == {"surgery": tablet.surgery, "subject": str(mouse.pk)}
    assert surgery.started_at is not None
    assert 590 < (clock.now() - surgery.started_at).total_seconds() < 630
    assert (surgery.subject, surgery.template, surgery.implant_weight_g) == (mouse, template, 1.4)
    assert [one.name for one in surgery.procedures.all()] == ["Headplate implant"]
    assert surgery.json == {"plan": plan}
    assert not DrugGiven.objects.exists()
    assert not Headplate.objects.exists()
    assert tablet.state()["plan"] == plan
    assert tablet.send(entry) == [answer], "the same entry again does nothing"
    assert Surgery.objects.count() == 1


def test_a_whole_surgery_and_its_undoing(begun: Tablet, carprofen: Drug, mouse: Subject) -> None:
    carprofen_given, headplate, event = str(uuid4()), str(uuid4()), str(uuid4())
    answers = [
        begun.done("surgery.event", {"id": event, "what": "isoflurane", "value": 2.0, "unit": "%"}),
        begun.done("surgery.drug", {"id": carprofen_given, "values": {"drug": str(carprofen.pk), "weight_g": 24.0}}),
        begun.done("surgery.part", {"id": headplate, "part": "headplate", "values": {"cement": "Super-Bond"}}),
        begun.done("surgery.field", {"field": "narrative", "value": "went well", "base": ""}),
        begun.done("surgery.field", {"field": "implant_weight", "value": "1,6", "base": 1.4}),
        begun.done("surgery.end", {"outcome_type": "r"}),
    ]
    surgery = Surgery.objects.get()
    assert (surgery.narrative, surgery.implant_weight_g, surgery.outcome_type) == ("went well", 1.6, "r")
    assert surgery.timeline.get().pk == UUID(event)
    given = surgery.drugs_given.get()
    assert (given.pk, given.volume_ml, given.weight_g, given.user) == (UUID(carprofen_given), 0.12, 24.0, begun.user)
    assert Headplate.objects.get().pk == UUID(headplate)
    assert surgery.ended_at is not None
    assert answers[-1]["result"]["missing"] == {}
    assert PostOpCheck.objects.count() == 2
    assert ReviewFlag.objects.count() == 0
    for answer in reversed(answers):
        undone = begun.undo(answer)
        assert undone["state"] == "done", undone
    surgery = Surgery.objects.get()
    assert (surgery.narrative, surgery.implant_weight_g, surgery.outcome_type, surgery.ended_at) == ("", 1.4, "", None)
    assert not TimelineEntry.objects.exists()
    assert not Headplate.objects.exists()
    assert not PostOpCheck.objects.exists()
    assert not DrugGiven.objects.filter(withdrawn_at__isnull=True).exists()
    shown = begun.state()
    assert (shown["events"], shown["drugs"], shown["parts"], shown["fields"]["end_time"]) == ([], [], [], None)


def test_undo_of_an_undone_entry_does_nothing_more(begun: Tablet) -> None:
    first = begun.done("surgery.event", {"id": str(uuid4()), "what": "drilling"})
    begun.undo(first)
    begun.done("surgery.event", {"id": str(uuid4()), "what": "drilling"})
    assert begun.undo(first)["state"] == "done"
    assert TimelineEntry.objects.count() == 1


def test_an_event_is_corrected_in_place(begun: Tablet) -> None:
    key = str(uuid4())
    begun.done("surgery.event", {"id": key, "what": "isoflurane", "value": 2.0, "unit": "%"})
    changed = begun.done("surgery.event", {"id": key, "value": 1.5, "base": {"value": 2.0}})
    assert (TimelineEntry.objects.get().value, TimelineEntry.objects.get().what) == (1.5, "isoflurane")
    assert changed["result"]["before"] == {"value": 2.0}
    begun.undo(changed)
    assert TimelineEntry.objects.get().value == 2.0


def test_a_drug_above_its_highest_dose_is_asked_back_and_kept_when_it_is_right(begun: Tablet, carprofen: Drug) -> None:
    body = {"id": str(uuid4()), "values": {"drug": str(carprofen.pk), "dose_mg_per_kg": 12, "weight_g": 25}}
    asked = begun.tap("surgery.drug", body)
    assert asked["state"] == "asked"
    assert "12 mg/kg is above the highest dose, 10 mg/kg" in asked["message"]
    assert not DrugGiven.objects.exists()
    begun.done("journal.confirm", {"of": asked["key"]}, about=None)
    assert DrugGiven.objects.get().volume_ml == 0.3
    assert ReviewFlag.objects.count() == 0


def test_a_planned_site_done_by_two_people_is_one(begun: Tablet, lab: Lab) -> None:
    site = {"id": str(uuid4()), "part": "craniotomy", "values": {"ap_mm": -2.0, "ml_mm": 1.5}}
    begun.done("surgery.plan", site)
    other = Tablet(a_member(lab), surgery=begun.surgery)
    begun.done("surgery.part", site)
    again = other.done("surgery.part", site)
    assert again["result"]["made"] is False
    assert other.undo(again)["state"] == "done"
    assert Craniotomy.objects.count() == 1, "the second person's undo leaves what the first made"
    unlike = other.tap("surgery.part", {**site, "values": {"ap_mm": -2.2, "ml_mm": 1.5}})
    assert unlike["state"] == "kept"
    assert unlike["fields"] == {"ap_mm": ["it says -2.0 by now"]}
    assert Craniotomy.objects.get().ap_mm == -2.0


def test_columns_of_a_part_merge_and_a_conflict_changes_nothing(begun: Tablet, lab: Lab) -> None:
    key = str(uuid4())
    begun.done("surgery.part", {"id": key, "part": "craniotomy", "values": {"ap_mm": -2.0, "ml_mm": 1.5}})
    other = Tablet(a_member(lab), surgery=begun.surgery)
    begun.done("surgery.part", {"id": key, "part": "craniotomy", "values": {"ap_mm": -2.1}, "base": {"ap_mm": -2.0}})
    other.done("surgery.part", {"id": key, "part": "craniotomy", "values": {"ml_mm": 1.6}, "base": {"ml_mm": 1.5}})
    kept = other.tap(
        "surgery.part",
        {
            "id": key,
            "part": "craniotomy",
            "values": {"ap_mm": -2.3, "dv_mm": 1},
            "base": {"ap_mm": -2.0, "dv_mm": None},
        },
    )
    row = Craniotomy.objects.get()
    assert (row.ap_mm, row.ml_mm, row.dv_mm, kept["state"]) == (-2.1, 1.6, None, "kept")
    assert kept["result"]["theirs"] == {"ap_mm": -2.1}


def test_an_implant_taken_back_can_be_done_again(begun: Tablet) -> None:
    probe = {"id": str(uuid4()), "part": "implant", "values": {"kind": "probe", "depth_mm": 4.0}}
    first = begun.done("surgery.part", probe)
    begun.undo(first)
    assert begun.state()["parts"] == []
    begun.done("surgery.part", probe)
    row = Implant.objects.get()
    assert (row.withdrawn_at, row.depth_mm, row.started_at is not None) == (None, 4.0, True)


def test_the_plan_changes_and_is_undone(begun: Tablet) -> None:
    site = {"id": str(uuid4()), "part": "craniotomy", "values": {"ap_mm": -2.0}}
    added = begun.done("surgery.plan", site)
    moved = begun.done("surgery.plan", {**site, "values": {"ap_mm": -2.5}})
    assert [one["ap_mm"] for one in begun.state()["plan"]] == [-2.5]
    begun.undo(moved)
    assert [one["ap_mm"] for one in begun.state()["plan"]] == [-2.0]
    begun.undo(added)
    assert begun.state()["plan"] == []


def test_a_coordinate_is_a_field_of_its_own_planned_or_done(begun: Tablet, lab: Lab) -> None:
    site = {"id": str(uuid4()), "part": "craniotomy", "values": {"ap_mm": -2.0, "ml_mm": 1.5}}
    where = {"id": site["id"], "part": "craniotomy", "column": "ap_mm"}
    begun.done("surgery.plan", site)
    moved = begun.done("surgery.column", {**where, "value": "-2,5", "base": "-2"})
    assert begun.state()["plan"][0]["ap_mm"] == -2.5
    begun.undo(moved)
    assert begun.state()["plan"][0]["ap_mm"] == -2.0
    begun.done("surgery.part", site)
    other = Tablet(a_member(lab), surgery=begun.surgery)
    begun.done("surgery.column", {**where, "value": "-2.1", "base": "-2"})
    clash = other.tap("surgery.column", {**where, "value": "-2.4", "base": "-2"})
    assert (clash["state"], clash["result"]["mine"], clash["result"]["theirs"]) == ("kept", "-2.4", "-2.1")
    assert Craniotomy.objects.get().ap_mm == -2.1
    gone = other.tap("surgery.column", {**where, "id": str(uuid4()), "value": "1", "base": ""})
    assert "took this site out" in gone["message"]


def test_what_another_tablet_recorded_is_taken_back_and_that_is_undone(
    begun: Tablet, lab: Lab, carprofen: Drug
) -> None:
    key, event = str(uuid4()), str(uuid4())
    begun.done("surgery.drug", {"id": key, "values": {"drug": str(carprofen.pk), "weight_g": 24.0}}, ago_s=60)
    begun.done("surgery.event", {"id": event, "what": "isoflurane", "value": 2.0, "unit": "%"}, ago_s=60)
    before = begun.state()
    other = Tablet(a_member(lab), surgery=begun.surgery)
    taken = [other.done("surgery.take", {"part": part, "id": one}) for part, one in (("drug", key), ("event", event))]
    assert (begun.state()["drugs"], begun.state()["events"]) == ([], [])
    again = other.done("surgery.take", {"part": "drug", "id": key})
    assert again["result"]["taken"] is None
    for answer in [again, *taken]:
        assert other.undo(answer)["state"] == "done"
    after = begun.state()
    assert after["drugs"] == before["drugs"]
    assert [(one["id"], one["value"], one["at"]) for one in after["events"]] == [
        (one["id"], one["value"], one["at"]) for one in before["events"]
    ]


def test_the_state_says_which_entries_are_in_it(begun: Tablet) -> None:
    done = begun.done("surgery.event", {"id": str(uuid4()), "what": "drilling"})
    kept = begun.tap("surgery.event", {"id": str(uuid4()), "what": ""})
    known = f"{done['key']},{kept['key']},{uuid4()},nonsense"
    answer = begun.client.get(f"/bench/data/surgery/{begun.surgery}", {"known": known})
    assert answer.json()["applied"] == [done["key"]]


def test_narratives_of_two_people_are_both_kept(begun: Tablet, lab: Lab) -> None:
    other = Tablet(a_member(lab), surgery=begun.surgery)
    first = "Little bleeding here."

    def write(tablet: Tablet, value: str, base: str) -> dict[str, Any]:
        return tablet.tap("surgery.field", {"field": "narrative", "value": value, "base": base})

    write(begun, first, "")
    write(begun, f"{first} Closed with glue.", first)
    assert write(other, f"At noon: {first}", first)["result"]["value"] == f"At noon: {first} Closed with glue."
    assert write(begun, "Little blood here.", first)["state"] == "done"
    clash = write(other, "Little water here.", first)
    assert (clash["state"], clash["result"]["mine"]) == ("kept", "Little water here.")
    assert (
        Surgery.objects.get().narrative == clash["result"]["theirs"] == "At noon: Little blood here. Closed with glue."
    )


def test_a_number_that_two_people_changed_is_a_conflict_with_both(begun: Tablet, lab: Lab) -> None:
    other = Tablet(a_member(lab), surgery=begun.surgery)
    begun.done("surgery.field", {"field": "weight_before", "value": "24.5", "base": None})
    kept = other.tap("surgery.field", {"field": "weight_before", "value": "25", "base": ""})
    assert kept["state"] == "kept"
    assert kept["result"] == {"field": "weight_before", "base": "", "mine": "25", "theirs": "24.5"}
    other.done("surgery.field", {"field": "weight_before", "value": "25", "base": "24.5"})
    assert Surgery.objects.get().weight_before_g == 25


def test_surgeons_of_two_tablets_are_all_in(begun: Tablet, lab: Lab) -> None:
    anna, ben = a_member(lab), a_member(lab)
    me = str(begun.user.pk)
    begun.done("surgery.field", {"field": "users", "value": [me, str(anna.pk)], "base": [me]})
    begun.done("surgery.field", {"field": "users", "value": [me, str(ben.pk)], "base": [me]})
    assert set(Surgery.objects.get().users.all()) == {begun.user, anna, ben}


def test_photos_are_notes_of_the_surgery(begun: Tablet, settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
    made = io.BytesIO()
    Image.new("RGB", (40, 30), "#884422").save(made, "JPEG")
    digest = hashlib.sha256(made.getvalue()).hexdigest()
    early = begun.tap("surgery.photo", {"picture": digest})
    assert early["state"] == "kept"
    assert "has not arrived" in early["message"]
    assert begun.client.put(f"/bench/pictures/{digest}", made.getvalue(), content_type="image/jpeg").status_code == 201
    answer = begun.done("surgery.photo", {"picture": digest, "text": "skull"})
    note = Note.objects.get()
    assert (note.about, note.text, str(note.pk)) == (Surgery.objects.get(), "skull", answer["result"]["note"])
    assert [one["url"] for one in begun.state()["photos"]] == [answer["result"]["url"]]
    begun.undo(answer)
    assert begun.state()["photos"] == []


def test_what_stays_in_the_animal_is_weighed_before_the_end(tablet: Tablet, mouse: Subject) -> None:
    ProcedureType.objects.get_or_create(name="Headplate implant")
    tablet.start(mouse)
    tablet.done("surgery.part", {"id": str(uuid4()), "part": "headplate", "values": {}})
    refused = tablet.tap("surgery.end", {"outcome_type": "r"})
    assert refused["state"] == "kept"
    assert refused["fields"] == {"implant_weight": ["say how much the headplate and implants weigh, cement included"]}
    assert Surgery.objects.get().ended_at is None
    ended = tablet.done("surgery.end", {"outcome_type": "r", "implant_weight": 1.2})
    assert list(ended["result"]["missing"]) == ["drugs"]
    assert len(ended["result"]["checks_on"]) == 3


def test_two_ends_are_one(begun: Tablet, lab: Lab) -> None:
    other = Tablet(a_member(lab), surgery=begun.surgery)
    begun.done("surgery.end", {"outcome_type": "r"})
    ended_at = Surgery.objects.get().ended_at
    again = other.done("surgery.end", {"outcome_type": "r"})
    assert other.tap("surgery.end", {"outcome_type": "n"})["state"] == "kept"
    other.undo(again)
    assert Surgery.objects.get().ended_at == ended_at, "the second person's undo leaves the first one's end"


def test_what_became_of_the_animal_is_said_and_nothing_is_lost(
    tablet: Tablet, mouse: Subject, template: SurgeryTemplate
) -> None:
    body = {"subject": str(mouse.pk), "template": str(template.pk), "nickname": "AB_1"}
    renamed = tablet.tap("surgery.start", body)
    assert renamed["state"] == "kept"
    assert f"AB_1 is called {mouse.nickname} by now" in renamed["message"]
    mouse.died_on = (clock.now() - timedelta(days=3)).date()
    mouse.save()
    dead = tablet.tap("surgery.start", {**body, "nickname": mouse.nickname})
    assert dead["state"] == "kept"
    assert f"died on {mouse.died_on}, before this surgery" in dead["message"]
    later = tablet.tap("surgery.event", {"id": str(uuid4()), "what": "drilling"})
    assert later["state"] == "kept"
    assert tablet.tap("journal.again", {"of": dead["key"]}, confirmed=True)["state"] == "done"
    assert tablet.tap("journal.again", {"of": later["key"]}, confirmed=True)["state"] == "done"
    assert Surgery.objects.get().timeline.get().what == "drilling"


def test_a_withdrawn_surgery_keeps_what_comes_later(begun: Tablet) -> None:
    withdraw_surgery(actor=a_superuser(), surgery=Surgery.objects.get())
    kept = begun.tap("surgery.event", {"id": str(uuid4()), "what": "drilling"})
    assert (kept["state"], kept["message"].endswith("was withdrawn: it did not happen")) == ("kept", True)
    assert begun.state()["withdrawn"] is True


def test_an_animal_that_moved_to_another_lab_is_that_labs(begun: Tablet, mouse: Subject) -> None:
    mouse.lab = a_lab()
    mouse.save()
    kept = begun.tap("surgery.field", {"field": "narrative", "value": "x", "base": ""})
    assert kept["state"] == "kept"
    assert mouse.lab.name in kept["message"]


def test_starts_are_undone_by_whoever_operates_while_nothing_is_in_them(
    tablet: Tablet, lab: Lab, mouse: Subject
) -> None:
    mouse.responsible_user = a_member(lab)
    mouse.save()
    first = tablet.start(mouse)
    assert tablet.undo(first)["state"] == "done"
    assert Surgery.objects.get().withdrawn_at is not None
    tablet.surgery = str(uuid4())
    second = tablet.start(mouse)
    tablet.done("surgery.event", {"id": str(uuid4()), "what": "drilling"})
    refused = tablet.undo(second)
    assert refused["state"] == "kept"
    assert "may not withdraw" in refused["message"]


def test_two_surgeries_that_run_at_once_are_flagged(begun: Tablet, lab: Lab, mouse: Subject) -> None:
    Tablet(a_member(lab)).start(mouse)
    assert list(ReviewFlag.objects.values_list("rule", flat=True)) == ["surgery-not-ended"]


@pytest.mark.parametrize("role", [Role.RIG, Role.READER])
def test_who_may_not_operate_changes_nothing(role: Role, lab: Lab, mouse: Subject, begun: Tablet) -> None:
    other = Tablet(a_member(lab, role=role), surgery=begun.surgery)
    assert other.tap("surgery.event", {"id": str(uuid4()), "what": "drilling"})["state"] == "kept"
    other.surgery = str(uuid4())
    assert other.tap("surgery.start", {"subject": str(mouse.pk)})["state"] == "kept"
    assert (Surgery.objects.count(), TimelineEntry.objects.count()) == (1, 0)


def test_another_lab_neither_reads_nor_writes(begun: Tablet) -> None:
    stranger = Tablet(a_member(a_lab()), surgery=begun.surgery)
    assert stranger.client.get(f"/bench/data/surgery/{begun.surgery}").status_code == 404
    assert stranger.client.get("/bench/data/surgery").json()["animals"] == []
    assert stranger.tap("surgery.event", {"id": str(uuid4()), "what": "drilling"})["state"] == "kept"
    assert Client().get("/bench/data/surgery").status_code == 401


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("surgery.start", {}, "subject"),
    ("surgery.start", {"subject": "nobody"}, "subject"),
    ("surgery.field", {"field": "subject", "value": "x"}, "field"),
    ("surgery.field", {"field": "implant_weight", "value": "heavy"}, "implant_weight"),
    ("surgery.field", {"field": "implant_weight", "value": -1}, "implant_weight"),
    ("surgery.field", {"field": "implant_weight", "value": 10**400}, "implant_weight"),
    ("surgery.field", {"field": "narrative", "value": ["x"]}, "narrative"),
    ("surgery.field", {"field": "users", "value": ["me"], "base": []}, "users"),
    ("surgery.field", {"field": "users", "value": [str(UUID(int=7))], "base": []}, "users"),
    ("surgery.field", {"field": "outcome_type", "value": {"a": 1}}, "outcome_type"),
    ("surgery.field", {"field": "outcome_type", "value": "x"}, "outcome_type"),
    ("surgery.field", {"field": "location", "value": []}, "location"),
    ("surgery.field", {"field": "end_time", "value": "now"}, "end_time"),
    ("surgery.event", {"id": str(UUID(int=1)), "what": ""}, "what"),
    ("surgery.event", {"id": "1", "what": "drilling"}, "id"),
    ("surgery.event", {"id": str(UUID(int=1)), "what": "x", "value": "much"}, "value"),
    ("surgery.event", {"id": str(UUID(int=1)), "what": "x", "happened_at": "2030-01-01T00:00:00+00:00"}, "happened_at"),
    ("surgery.drug", {"id": str(UUID(int=1)), "values": {}}, "drug"),
    ("surgery.drug", {"id": str(UUID(int=1)), "values": {"drug": str(UUID(int=2))}}, "drug"),
    ("surgery.drug", {"id": str(UUID(int=1)), "values": [1]}, "values"),
    ("surgery.part", {"id": str(UUID(int=1)), "part": "tail", "values": {}}, "part"),
    ("surgery.part", {"id": str(UUID(int=1)), "part": "drug", "values": {}}, "part"),
    ("surgery.part", {"id": str(UUID(int=1)), "part": "craniotomy", "values": {"remove": True}}, "remove"),
    ("surgery.part", {"id": str(UUID(int=1)), "part": "craniotomy", "values": {"ap_mm": "left"}}, "ap_mm"),
    ("surgery.part", {"id": str(UUID(int=1)), "part": "craniotomy", "values": {"target": "x" * 65}}, "target"),
    (
        "surgery.part",
        {"id": str(UUID(int=1)), "part": "implant", "values": {"probe_model": str(UUID(int=3))}},
        "probe_model",
    ),
    ("surgery.column", {"id": str(UUID(int=1)), "part": "craniotomy", "column": "ap_mm", "value": "x"}, "ap_mm"),
    ("surgery.column", {"id": str(UUID(int=1)), "part": "craniotomy", "column": "remove", "value": "x"}, "remove"),
    ("surgery.column", {"id": str(UUID(int=1)), "part": "event", "column": "what", "value": "x"}, "part"),
    ("surgery.take", {"id": str(UUID(int=1)), "part": "tail"}, "part"),
    ("surgery.plan", {"id": str(UUID(int=1)), "part": "drug"}, "plan[0].part"),
    ("surgery.photo", {"picture": "../../etc"}, "picture"),
    ("surgery.end", {"outcome_type": "q"}, "outcome_type"),
]


@pytest.mark.parametrize(("kind", "body", "named"), BAD, ids=[f"{kind}-{at}" for at, (kind, _, _) in enumerate(BAD)])
def test_bad_bodies_are_kept_with_the_field_and_change_nothing(
    begun: Tablet, kind: str, body: dict[str, Any], named: str
) -> None:
    before = begun.state()
    if kind == "surgery.start":
        begun.surgery, there = str(uuid4()), begun.surgery
        answer = begun.tap(kind, body)
        begun.surgery = there
    else:
        answer = begun.tap(kind, body)
    assert (answer["state"], list(answer["fields"])) == ("kept", [named]), answer
    after = begun.state()
    assert {**after, "read_at": ""} == {**before, "read_at": ""}


def test_a_part_of_another_surgery_is_not_touched(begun: Tablet, lab: Lab) -> None:
    key = str(uuid4())
    begun.done("surgery.part", {"id": key, "part": "headplate", "values": {"cement": "A"}})
    other = Tablet(begun.user)
    other.start(a_subject(lab))
    kept = other.tap(
        "surgery.part", {"id": key, "part": "headplate", "values": {"cement": "B"}, "base": {"cement": "A"}}
    )
    assert (kept["state"], Headplate.objects.get().cement) == ("kept", "A")


def test_a_dead_animal_keeps_what_is_entered_late_for_its_last_day(begun: Tablet, mouse: Subject) -> None:
    mouse.died_on = clock.now().date()
    mouse.save()
    begun.done("surgery.event", {"id": str(uuid4()), "what": "closed"})


def test_the_room_has_what_the_screen_needs(
    begun: Tablet, mouse: Subject, template: SurgeryTemplate, carprofen: Drug
) -> None:
    room = begun.client.get("/bench/data/surgery").json()
    [card] = room["animals"]
    assert (card["nickname"], card["weight_g"], card["is_restricted"]) == (mouse.nickname, 25.0, False)
    [known] = room["templates"]
    assert known["drugs"] == [{"drug": str(carprofen.pk), "dose_mg_per_kg": 5, "repeat_h": 12}]
    assert [one["id"] for one in room["running"]] == [begun.surgery]
    found = begun.client.get("/bench/data/surgery/animals", {"q": mouse.nickname[:3].lower()}).json()["animals"]
    assert [one["id"] for one in found] == [str(mouse.pk)]
    assert begun.client.get("/bench/data/surgery/animals", {"q": "\x00"}).json() == {"animals": []}


def test_the_room_costs_the_same_for_many_animals(begun: Tablet, lab: Lab, django_assert_max_num_queries: Any) -> None:
    for _ in range(30):
        a_weighing(a_subject(lab), 22.0, datetime(2026, 3, 1, 9))
    with django_assert_max_num_queries(40):
        room = begun.client.get("/bench/data/surgery").json()
    assert len(room["animals"]) == 31


def test_a_probe_model_and_a_narrative_of_a_part_are_columns_too(begun: Tablet) -> None:
    model = ProbeModel.objects.create(name="Neuropixels 2.4")
    probe = {"id": str(uuid4()), "part": "implant"}
    begun.done("surgery.plan", {**probe, "values": {"kind": "probe"}})
    begun.done("surgery.column", {**probe, "column": "probe_model", "value": str(model.pk), "base": ""})
    assert begun.state()["plan"][0]["probe_model"] == str(model.pk)
    begun.done("surgery.part", {**probe, "values": {"kind": "probe", "probe_model": str(model.pk)}})
    assert begun.state()["parts"][0]["values"]["probe_model"] == str(model.pk)
    begun.done("surgery.column", {**probe, "column": "probe_model", "value": "", "base": str(model.pk)})
    assert Implant.objects.get().probe_model is None
    kept = begun.tap("surgery.column", {**probe, "column": "probe_model", "value": str(uuid4()), "base": ""})
    assert (kept["state"], list(kept["fields"])) == ("kept", ["probe_model"])


def test_events_stay_in_the_order_of_the_taps_however_long_their_requests_took(begun: Tablet) -> None:
    first = begun.entry("surgery.event", {"id": str(uuid4()), "what": "incision"}, ago_s=9)
    second = begun.entry("surgery.event", {"id": str(uuid4()), "what": "drilling"}, ago_s=8)
    begun.send(first, latency_s=4)
    begun.send(second)
    assert [one["what"] for one in begun.state()["events"]] == ["incision", "drilling"]


def test_another_persons_photo_is_taken_back_and_shown_again(
    begun: Tablet, lab: Lab, settings: Any, tmp_path: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path
    made = io.BytesIO()
    Image.new("RGB", (40, 30), "#224488").save(made, "JPEG")
    digest = hashlib.sha256(made.getvalue()).hexdigest()
    begun.client.put(f"/bench/pictures/{digest}", made.getvalue(), content_type="image/jpeg")
    photo = begun.done("surgery.photo", {"picture": digest})["result"]["note"]
    before = begun.state()["photos"]
    elsewhere = Tablet(begun.user)
    elsewhere.start(a_subject(lab))
    assert elsewhere.done("surgery.take", {"part": "photo", "id": photo})["result"]["taken"] is None
    assert begun.state()["photos"] == before, "it belongs to another surgery"
    other = Tablet(a_member(lab), surgery=begun.surgery)
    taken = other.done("surgery.take", {"part": "photo", "id": photo})
    assert begun.state()["photos"] == []
    again = other.done("surgery.take", {"part": "photo", "id": photo})
    assert other.undo(again)["state"] == "done"
    assert begun.state()["photos"] == [], "the second one took nothing back"
    assert other.undo(taken)["state"] == "done"
    assert begun.state()["photos"] == before
    stranger = Tablet(a_member(a_lab("elsewhere")), surgery=begun.surgery)
    assert stranger.tap("surgery.take", {"part": "photo", "id": photo})["state"] == "kept"
    assert begun.state()["photos"] == before

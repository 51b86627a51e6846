"""Surgeries, their parts, drugs, checks and templates, through the services."""

import io
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from PIL import Image

from alyx.core import clock
from alyx.core.errors import Doubtful, Forbidden, Invalid, NotFound
from alyx.core.flags import typing
from alyx.core.models import Note, ReviewFlag
from alyx.core.notes import IMAGE_AT_MOST_BYTES, add_note, notes_of, withdraw_note
from alyx.labs.models import Lab, Role, User
from subjects.models import (
    Drug,
    DrugGiven,
    Headplate,
    Implant,
    Injection,
    Licence,
    PostOpCheck,
    ProcedureType,
    Subject,
    Surgery,
    SurgeryTemplate,
    VirusBatch,
    Weighing,
)
from subjects.services.checks import record_check
from subjects.services.drugs import change_drug, create_drug, give_drug, withdraw_drug
from subjects.services.procedure import (
    change_other_procedure,
    create_virus_batch,
    ethics_of,
    record_other_procedure,
    withdraw_other_procedure,
)
from subjects.services.surgery import (
    add_to_timeline,
    change_surgery,
    end_surgery,
    preview_end,
    record_surgery,
    withdraw_surgery,
)
from subjects.services.templates import create_template, filled_from, start_from_template
from tests.factories import a_lab, a_member, a_subject, a_superuser, a_user, a_weighing
from tests.factories.animals import a_drug, a_surgery

pytestmark = pytest.mark.django_db
START = datetime(2026, 3, 9, 9, 30)


@pytest.fixture
def lab() -> Lab:
    return a_lab(ethics_review_id="E-lab")


@pytest.fixture
def surgeon(lab: Lab) -> User:
    return a_member(lab)


@pytest.fixture
def mouse(lab: Lab) -> Subject:
    mouse = a_subject(lab)
    a_weighing(mouse, 25.0, START - timedelta(days=1))
    return mouse


@pytest.fixture
def carprofen(lab: Lab) -> Drug:
    return Drug.objects.create(
        lab=lab, name="carprofen", use="analgesic", concentration_mg_per_ml=1, dose_mg_per_kg=5, max_dose_mg_per_kg=10
    )


def procedure(name: str) -> ProcedureType:
    return ProcedureType.objects.get_or_create(name=name)[0]


def rules() -> set[str]:
    return set(ReviewFlag.objects.values_list("rule", flat=True))


def test_a_surgery_with_parts_is_one_call(mouse: Subject, surgeon: User, carprofen: Drug) -> None:
    procedure("Headplate implant")
    surgery = record_surgery(
        actor=surgeon,
        subject=mouse,
        values={"start_time": START, "implant_weight": 1.5, "narrative": "went well"},
        parts=[
            {"part": "headplate", "cement": "Super-Bond"},
            {"part": "craniotomy", "ap_mm": -2.0, "ml_mm": 1.5, "size_mm": 3.0},
            {"part": "implant", "kind": "probe", "name": "probe00"},
            {"part": "drug", "drug": carprofen},
            {"part": "event", "what": "isoflurane", "value": 2.0, "unit": "%"},
        ],
    )
    assert (surgery.zone, surgery.started_at) == ("Europe/London", clock.wall_to_utc(START, "Europe/London"))
    assert list(surgery.users.all()) == [surgeon]
    assert [one.name for one in surgery.procedures.all()] == ["Headplate implant"]
    assert surgery.headplate_set.get().cement == "Super-Bond"
    implant = surgery.implants.get()
    assert (implant.subject, implant.lab, implant.started_wall) == (mouse, mouse.lab, START)
    given = surgery.drugs_given.get()
    assert (given.weight_g, given.dose_mg_per_kg, given.volume_ml, given.user) == (25.0, 5, 0.13, surgeon)
    assert surgery.timeline.get().at_wall == START
    assert rules() == set()


def test_a_bad_part_saves_nothing(mouse: Subject, surgeon: User) -> None:
    with pytest.raises(Invalid) as refused:
        record_surgery(
            actor=surgeon,
            subject=mouse,
            values={"start_time": START},
            parts=[{"part": "headplate"}, {"part": "injection", "place": "row-1", "rate": 3.0}],
        )
    assert set(refused.value.fields) == {"row-1-rate"}
    assert not Surgery.objects.exists()
    assert not Headplate.objects.exists()


def test_parts_are_changed_and_taken_out(mouse: Subject, surgeon: User, carprofen: Drug) -> None:
    parts: list[dict[str, Any]] = [
        {"part": "headplate"},
        {"part": "implant", "name": "fibre", "kind": "fibre"},
        {"part": "drug", "drug": carprofen},
    ]
    surgery = record_surgery(actor=surgeon, subject=mouse, values={"start_time": START}, parts=parts)
    plate, implant, given = surgery.headplate_set.get(), surgery.implants.get(), surgery.drugs_given.get()
    change_surgery(
        actor=surgeon,
        surgery=surgery,
        values={},
        parts=[
            {"part": "headplate", "id": plate.pk, "remove": True},
            {"part": "implant", "id": implant.pk, "remove": True},
            {"part": "drug", "id": given.pk, "drug": carprofen, "dose_mg_per_kg": 8.0, "volume_ml": given.volume_ml},
        ],
    )
    assert not Headplate.objects.exists()
    assert Implant.objects.get().withdrawn_at is not None
    assert DrugGiven.objects.get().volume_ml == 0.2
    other = record_surgery(actor=surgeon, subject=a_subject(mouse.lab), values={"start_time": START})
    with pytest.raises(Invalid):
        change_surgery(actor=surgeon, surgery=other, values={}, parts=[{"part": "drug", "id": given.pk}])


def test_an_injection_that_contradicts_itself_is_flagged_and_the_third_number_follows(
    mouse: Subject, surgeon: User
) -> None:
    batch = create_virus_batch(actor=surgeon, values={"name": "AAV-GCaMP", "lab": mouse.lab})
    injection = {"part": "injection", "virus_batch": batch.pk, "volume_nl": 400.0, "rate_nl_per_min": 100.0}
    record_surgery(actor=surgeon, subject=mouse, values={"start_time": START}, parts=[injection])
    assert Injection.objects.get().duration_min == 4.0
    assert rules() == set()
    again = {**injection, "duration_min": 10.0}
    record_surgery(actor=surgeon, subject=mouse, values={"start_time": START + timedelta(1)}, parts=[again])
    assert rules() == {"injection-contradicts-itself"}


def test_doubts_are_flagged_elsewhere_and_asked_back_all_at_once_in_a_form(
    mouse: Subject, surgeon: User, carprofen: Drug
) -> None:
    Subject.objects.filter(pk=mouse.pk).update(died_on=date(2026, 3, 1))
    said: dict[str, Any] = {
        "actor": surgeon,
        "subject": mouse,
        "values": {"start_time": START, "end_time": START - timedelta(hours=1), "implant_weight": 24.0},
        "parts": [{"part": "drug", "place": "drug-0", "drug": carprofen, "dose_mg_per_kg": 50.0}],
    }
    with typing(), pytest.raises(Doubtful) as asked:
        record_surgery(**said)
    assert set(asked.value.fields) == {"start_time", "end_time", "implant_weight", "drug-0-dose_mg_per_kg"}
    with typing(confirmed=True):
        record_surgery(**said)
    assert rules() == set()
    record_surgery(**said)
    assert rules() == {"after-death", "end-before-start", "implant-weight-implausible", "overdose", "surgery-twice"}


def test_before_birth_and_in_the_future_are_doubted(mouse: Subject, surgeon: User) -> None:
    record_surgery(actor=surgeon, subject=mouse, values={"start_time": datetime(2020, 1, 1)})
    record_surgery(actor=surgeon, subject=mouse, values={"start_time": datetime(2999, 1, 1)})
    assert rules() == {"before-birth", "date-in-the-future"}


def test_who_may_treat_may_operate(mouse: Subject, lab: Lab) -> None:
    for who in (a_user(), a_member(a_lab()), a_member(lab, Role.READER)):
        with pytest.raises(Forbidden):
            record_surgery(actor=who, subject=mouse, values={})
    surgery = record_surgery(actor=a_member(lab), subject=mouse, values={})
    with pytest.raises(Forbidden):
        withdraw_surgery(actor=a_member(a_lab()), surgery=surgery)
    with pytest.raises(Forbidden):
        change_surgery(actor=a_user(), surgery=surgery, values={"name": "mine"})


def test_a_withdrawn_surgery_is_gone_with_its_drugs(mouse: Subject, lab: Lab, carprofen: Drug) -> None:
    head = a_member(lab, Role.HEAD)
    surgery = record_surgery(
        actor=head, subject=mouse, values={"start_time": START}, parts=[{"part": "drug", "drug": carprofen}]
    )
    withdraw_surgery(actor=head, surgery=surgery)
    assert not Surgery.objects.shown().exists()
    assert not DrugGiven.objects.shown().exists()
    with pytest.raises(NotFound):
        change_surgery(actor=head, surgery=surgery, values={"name": "x"})


def test_the_protocol_number_follows_the_surgeries(mouse: Subject, lab: Lab) -> None:
    head, other = a_member(lab, Role.HEAD), a_subject(lab)

    def numbers() -> list[str]:
        return [Subject.objects.get(pk=one.pk).protocol_number for one in (mouse, other)]

    surgery = record_surgery(actor=head, subject=mouse, values={"start_time": START})
    assert numbers()[0] == "2"
    change_surgery(actor=head, surgery=surgery, values={"subject": other})
    assert numbers() == ["1", "2"]
    withdraw_surgery(actor=head, surgery=surgery)
    assert numbers() == ["1", "1"]


def test_a_surgery_of_the_wrong_animal_is_moved_with_its_drugs(mouse: Subject, surgeon: User, carprofen: Drug) -> None:
    other = a_subject(mouse.lab)
    surgery = record_surgery(
        actor=surgeon, subject=mouse, values={"start_time": START}, parts=[{"part": "drug", "drug": carprofen}]
    )
    change_surgery(actor=surgeon, surgery=surgery, values={"subject": other})
    assert DrugGiven.objects.get().subject == other
    with pytest.raises(Forbidden):
        change_surgery(actor=surgeon, surgery=surgery, values={"subject": a_subject()})


def test_unknown_words_are_left_out_and_flagged_unknown_people_refused(mouse: Subject, surgeon: User) -> None:
    known = procedure("Craniotomy")
    surgery = record_surgery(
        actor=surgeon,
        subject=mouse,
        values={"procedures": [known.pk, mouse.pk], "location": mouse.pk},
    )
    assert list(surgery.procedures.all()) == [known]
    assert rules() == {"unknown-procedures", "unknown-location"}
    with pytest.raises(Invalid):
        change_surgery(actor=surgeon, surgery=surgery, values={"users": [mouse.pk]})
    with pytest.raises(Invalid):
        change_surgery(actor=surgeon, surgery=surgery, values={"lab": mouse.pk})


def today(lab: Lab) -> datetime:
    return clock.utc_to_wall(clock.now(), lab.timezone)


def test_ending_schedules_checks_and_says_what_is_missing(mouse: Subject, surgeon: User) -> None:
    surgery = record_surgery(
        actor=surgeon, subject=mouse, values={"start_time": today(mouse.lab)}, parts=[{"part": "headplate"}]
    )
    assert {"end_time", "outcome_type", "implant_weight", "drugs"} <= set(preview_end(surgery).missing)
    ended = end_surgery(actor=surgeon, surgery=surgery, values={"implant_weight": 1.5})
    end = ended.ended_wall.date()
    due = [end + timedelta(days=after) for after in (1, 2, 3)]
    assert list(ended.checks.values_list("due_on", flat=True)) == due
    ending = preview_end(ended)
    assert (ending.implant_before_g, ending.weights_shift_g, list(ending.checks_on)) == (0, 1.5, due)
    assert ended.outcome_type == "r"
    change_surgery(actor=surgeon, surgery=ended, values={"end_time": ended.ended_wall + timedelta(days=1)})
    assert list(ended.checks.values_list("due_on", flat=True)) == [day + timedelta(days=1) for day in due]
    end_surgery(actor=surgeon, surgery=ended, values={"outcome_type": "n"})
    assert not ended.checks.exists()
    end_surgery(actor=surgeon, surgery=ended, values={"outcome_type": "r"}, days=[1, 7])
    assert ended.checks.count() == 2


def test_last_years_book_asks_nobody_to_look(mouse: Subject, surgeon: User) -> None:
    record_surgery(
        actor=surgeon,
        subject=mouse,
        values={"start_time": START - timedelta(300), "end_time": START - timedelta(300), "outcome_type": "r"},
    )
    assert not PostOpCheck.objects.exists()


def test_a_check_is_scored_and_can_be_corrected(mouse: Subject, surgeon: User) -> None:
    surgery = end_surgery(
        actor=surgeon, surgery=a_surgery(mouse, today(mouse.lab)), values={"end_time": today(mouse.lab)}
    )
    check = surgery.checks.all()[0]
    with pytest.raises(Invalid) as refused:
        record_check(actor=surgeon, check=check, values={"scores": {"wound": 9}})
    assert set(refused.value.fields) == {"scores.wound"}
    with pytest.raises(Invalid):
        record_check(actor=surgeon, check=check, values={"scores": {}})
    done = record_check(actor=surgeon, check=check, values={"scores": {"wound": 1, "activity": 0}, "weight": 24.1})
    assert (done.scores, done.weight_g, done.user) == ({"wound": 1, "activity": 0}, 24.1, surgeon)
    again = record_check(actor=surgeon, check=check, values={"scores": {"wound": 2}})
    assert again.scores == {"wound": 2, "activity": 0}
    assert again.done_wall == done.done_wall
    weighing = Weighing.objects.shown().get(at_wall=done.done_wall)
    assert (weighing.weight_g, weighing.user) == (24.1, surgeon)
    record_check(actor=surgeon, check=check, values={"weight": 24.6})
    assert Weighing.objects.shown().get(at_wall=done.done_wall).weight_g == 24.6
    with pytest.raises(Forbidden):
        record_check(actor=a_user(), check=check, values={"scores": {"wound": 0}})


def test_a_drug_outside_a_surgery_takes_the_last_weight_that_counts(
    mouse: Subject, surgeon: User, carprofen: Drug
) -> None:
    a_weighing(mouse, 250.0, START, counts=False)
    given = give_drug(actor=surgeon, subject=mouse, values={"drug": carprofen, "date_time": START})
    assert (given.weight_g, given.volume_ml, given.route) == (25.0, 0.13, "SC")
    typed = give_drug(actor=surgeon, subject=mouse, values={"drug": carprofen, "weight_g": 20.0, "date_time": START})
    assert typed.volume_ml == 0.1
    drawn = give_drug(actor=surgeon, subject=mouse, values={"drug": carprofen, "volume_ml": 0.2, "date_time": START})
    assert drawn.dose_mg_per_kg == 8.0
    assert rules() == set()
    give_drug(
        actor=surgeon,
        subject=mouse,
        values={"drug": carprofen, "volume_ml": 0.5, "dose_mg_per_kg": 5.0, "date_time": START},
    )
    assert rules() == {"overdose", "volume-is-not-the-dose"}
    withdraw_drug(actor=surgeon, given=given)
    assert given.pk not in DrugGiven.objects.shown().values_list("pk", flat=True)


def test_the_list_of_drugs_refuses_nonsense(lab: Lab, surgeon: User, carprofen: Drug) -> None:
    for values in ({"concentration_mg_per_ml": -1.0}, {"max_dose_mg_per_kg": 1.0}):
        with pytest.raises(Invalid):
            change_drug(actor=surgeon, drug=carprofen, values=values)
    with pytest.raises(Invalid):
        create_drug(actor=surgeon, values={"name": "carprofen", "lab": lab, "concentration_mg_per_ml": 1.0})
    with pytest.raises(Forbidden):
        create_drug(actor=surgeon, values={"name": "for all"})


def test_a_line_of_the_timeline(mouse: Subject, surgeon: User) -> None:
    surgery = a_surgery(mouse)
    line = add_to_timeline(actor=surgeon, surgery=surgery, values={"what": "drill"})
    assert (line.user, line.surgery) == (surgeon, surgery)
    with pytest.raises(Invalid):
        add_to_timeline(actor=surgeon, surgery=surgery, values={"what": " "})


def test_a_template_starts_a_surgery(mouse: Subject, surgeon: User, carprofen: Drug) -> None:
    procedure("Headplate implant")
    content = {
        "procedures": ["Headplate implant"],
        "drugs": [{"drug": "Carprofen", "dose_mg_per_kg": 4.0}],
        "parts": [{"part": "headplate", "cement": "Super-Bond"}],
        "implant_weight_g": 1.4,
        "post_op_days": [1],
    }
    template = create_template(actor=surgeon, values={"lab": mouse.lab, "name": "headplate", "content": content})
    surgery = start_from_template(actor=surgeon, subject=mouse, template=template, values={"start_time": START})
    assert (surgery.implant_weight_g, surgery.drugs_given.get().volume_ml) == (1.4, 0.1)
    assert (surgery.headplate_set.count(), surgery.procedures.count(), surgery.template) == (1, 1, template)
    Drug.objects.update(is_active=False)
    assert [part["part"] for part in filled_from(template)[1]] == ["headplate"]


def test_a_templates_unknown_words_are_named(lab: Lab, surgeon: User) -> None:
    content = {"procedures": ["Hedplate"], "drugs": [{"drug": "aspirin"}], "location": "nowhere", "parts": [{}]}
    with pytest.raises(Invalid) as refused:
        create_template(actor=surgeon, values={"lab": lab, "name": "x", "content": content})
    assert refused.value.fields["content"] == [
        "parts[0].part: must be one of headplate, craniotomy, injection, implant, perfusion"
    ]
    del content["parts"]
    with pytest.raises(Invalid) as refused:
        create_template(actor=surgeon, values={"lab": lab, "name": "x", "content": content})
    assert [words.split(":")[0] for words in refused.value.fields["content"]] == [
        "procedures[0]",
        "drugs[0].drug",
        "location",
    ]
    assert not SurgeryTemplate.objects.exists()


def test_the_ethics_review_falls_back_to_licence_and_lab(mouse: Subject, surgeon: User) -> None:
    surgery = a_surgery(mouse)
    assert ethics_of(surgery) == ("E-lab", f"lab {mouse.lab}")
    mouse.licence = Licence.objects.create(number="P1", ethics_review_id="E-licence")
    assert ethics_of(surgery)[0] == "E-licence"
    surgery.ethics_review_id = "E-own"
    assert ethics_of(surgery)[0] == "E-own"


def test_another_procedure(mouse: Subject, surgeon: User) -> None:
    imaging = procedure("Imaging")
    made = record_other_procedure(actor=surgeon, subject=mouse, values={"start_time": START, "procedures": [imaging]})
    assert (list(made.users.all()), list(made.procedures.all())) == ([surgeon], [imaging])
    with typing(), pytest.raises(Doubtful):
        change_other_procedure(actor=surgeon, procedure=made, values={"end_time": START - timedelta(hours=1)})
    with pytest.raises(Forbidden):
        withdraw_other_procedure(actor=a_user(), procedure=made)
    withdraw_other_procedure(actor=a_superuser(), procedure=made)


def test_a_batch_stands_once_in_a_lab(lab: Lab, surgeon: User) -> None:
    create_virus_batch(actor=surgeon, values={"name": "AAV", "lot": "1", "lab": lab})
    with pytest.raises(Invalid):
        create_virus_batch(actor=surgeon, values={"name": "AAV", "lot": "1", "lab": lab})
    with pytest.raises(Invalid):
        create_virus_batch(actor=surgeon, values={"name": "B", "lab": lab, "titer_gc_per_ml": 0.0})
    assert VirusBatch.objects.count() == 1


def picture(kind: str = "PNG", size: tuple[int, int] = (4, 3)) -> io.BytesIO:
    data = io.BytesIO()
    Image.new("RGB", size, "red").save(data, kind)
    data.seek(0)
    return data


@pytest.fixture
def uploads(settings: Any, tmp_path: Any) -> Any:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def test_a_picture_is_kept_under_a_name_that_says_nothing(mouse: Subject, surgeon: User, uploads: Any) -> None:
    surgery = a_surgery(mouse)
    note = add_note(actor=surgeon, about=surgery, text="the skull", image=picture())
    assert note.zone == "Europe/London"
    assert notes_of(surgery) == [note]
    client = Client()
    assert client.get(f"/media/{note.image.name}").status_code == 302
    client.force_login(surgeon)
    answer: Any = client.get(f"/media/{note.image.name}")
    assert b"".join(answer.streaming_content) == picture().read()
    assert (answer["Content-Type"], answer["X-Content-Type-Options"]) == ("image/png", "nosniff")
    client.force_login(a_user(is_staff=False))
    assert client.get(f"/media/{note.image.name}").status_code == 404
    with pytest.raises(Forbidden):
        withdraw_note(actor=a_user(), note=note)
    withdraw_note(actor=surgeon, note=note)
    client.force_login(surgeon)
    assert client.get(f"/media/{note.image.name}").status_code == 404
    assert notes_of(surgery) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>",
        b"GIF89a<script>",
        b"\x89PNG\r\n\x1a\n broken",
        picture("BMP").read(),
        picture().read()[:-30],
        b"\xff" * (IMAGE_AT_MOST_BYTES + 1),
    ],
    ids=["nothing", "svg", "script", "broken", "bmp", "cut", "large"],
)
def test_what_is_no_picture_is_refused(data: bytes, mouse: Subject, uploads: Any) -> None:
    with pytest.raises(Invalid):
        add_note(actor=a_user(), about=mouse, image=io.BytesIO(data))
    assert not Note.objects.exists()
    assert list(uploads.iterdir()) == []


@pytest.mark.parametrize("path", ["../settings.py", "notes/../../x.png", "notes/x.html", "logins/x", "%00.png"])
def test_nothing_else_is_served(path: str, uploads: Any) -> None:
    client = Client()
    client.force_login(a_superuser())
    assert client.get(f"/media/{path}").status_code == 404


def test_the_history_of_a_part_is_kept(mouse: Subject, surgeon: User) -> None:
    surgery = record_surgery(actor=surgeon, subject=mouse, values={}, parts=[{"part": "headplate"}])
    plate = surgery.headplate_set.get()
    change_surgery(
        actor=surgeon, surgery=surgery, values={}, parts=[{"part": "headplate", "id": plate.pk, "remove": True}]
    )
    events: Any = ContentType.objects.get(app_label="subjects", model="headplateevent").model_class()
    assert events.objects.filter(pgh_obj_id=plate.pk).count() == 2


def test_the_makers_drug_can_be_given(mouse: Subject, surgeon: User) -> None:
    assert give_drug(actor=surgeon, subject=mouse, values={"drug": a_drug(mouse.lab)}).pk

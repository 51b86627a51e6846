"""A real lab's database, taken in twice."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from pghistory.models import Context
from pytest_django import DjangoDbBlocker

from alyx.core.models import ReviewFlag
from alyx.labs.models import Lab, User
from datasets.imports.report import OUTCOMES, Report
from sessions.models import Session
from subjects.models import (
    BreedingPair,
    Cull,
    GenotypeTest,
    Line,
    Litter,
    Subject,
    SubjectRequest,
    Surgery,
    WaterAdministration,
    WaterRestriction,
    WaterType,
    Weighing,
    Zygosity,
)
from tests.imports.dumps import REAL, real_objects, take
from tests.imports.state import state

pytestmark = pytest.mark.django_db
COUNTS = {
    "misc.labmember": 29,
    "misc.lab": 1,
    "misc.lablocation": 6,
    "subjects.species": 1,
    "subjects.strain": 9,
    "subjects.source": 3,
    "subjects.sequence": 18,
    "actions.proceduretype": 21,
    "actions.watertype": 2,
    "subjects.allele": 26,
    "subjects.line": 32,
    "subjects.subjectrequest": 16,
    "subjects.subject": 968,
    "subjects.breedingpair": 58,
    "subjects.litter": 185,
    "subjects.genotypetest": 50,
    "subjects.zygosity": 50,
    "actions.session": 337,
    "actions.weighing": 50,
    "actions.wateradministration": 50,
    "actions.waterrestriction": 63,
    "actions.surgery": 121,
    "actions.cull": 24,
}
OURS: dict[str, Any] = {
    "subjects.line": Line,
    "subjects.subjectrequest": SubjectRequest,
    "subjects.subject": Subject,
    "subjects.breedingpair": BreedingPair,
    "subjects.litter": Litter,
    "subjects.genotypetest": GenotypeTest,
    "subjects.zygosity": Zygosity,
    "actions.session": Session,
    "actions.weighing": Weighing,
    "actions.wateradministration": WaterAdministration,
    "actions.waterrestriction": WaterRestriction,
    "actions.surgery": Surgery,
    "actions.cull": Cull,
}
DJIBOUTI = timedelta(hours=3)


@pytest.fixture(scope="module")
def reports(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[tuple[Report, Report, bool]]:
    """The first import, the second, and whether the second left everything as it was."""
    with django_db_blocker.unblock(), transaction.atomic():
        first = take(REAL)
        before = state()
        second = take(REAL)
        yield first, second, before == state()
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def theirs() -> dict[str, dict[str, dict[str, Any]]]:
    """What is in the file."""
    return real_objects()


def test_every_object_is_taken_in_and_accounted_for(reports: tuple[Report, Report, bool]) -> None:
    report = reports[0]
    assert {label: tally.read for label, tally in report.models.items()} == COUNTS
    assert sum(COUNTS.values()) == 2120
    for label, tally in report.models.items():
        assert tally.created == tally.read == sum(getattr(tally, name) for name in OUTCOMES), label
        assert not tally.left_out, label


def test_the_second_time_nothing_is_made_and_nothing_changes(reports: tuple[Report, Report, bool]) -> None:
    _, second, is_same = reports
    assert is_same
    assert {label: tally.unchanged for label, tally in second.models.items()} == COUNTS
    assert not any(tally.flagged or tally.created or tally.differs for tally in second.models.values())


def test_what_breaks_a_rule_is_kept_and_flagged(reports: tuple[Report, Report, bool]) -> None:
    flagged = {(label, rule): n for label, tally in reports[0].models.items() for rule, n in tally.flagged.items()}
    assert flagged["subjects.subject", "death-before-birth"] == 8
    assert flagged["actions.waterrestriction", "no-reference-weight"] == 61
    assert flagged["actions.surgery", "implant-weight-implausible"] == 34
    assert flagged["subjects.subjectrequest", "count-missing"] == 3
    stored: dict[str, int] = {}
    for rule in ReviewFlag.objects.filter(state="open").values_list("rule", flat=True):
        stored[rule] = stored.get(rule, 0) + 1
    reported: dict[str, int] = {}
    for (_, rule), number in flagged.items():
        reported[rule] = reported.get(rule, 0) + number
    assert stored == reported
    assert set(ReviewFlag.objects.values_list("lab_id", flat=True)) == {Lab.objects.get().pk}


def test_keys_are_kept(reports: tuple[Report, Report, bool], theirs: dict[str, Any]) -> None:
    for label, model in OURS.items():
        assert {str(key) for key in model.objects.values_list("pk", flat=True)} == theirs[label].keys(), label


def test_an_animal_has_all_that_was_said_of_it(reports: tuple[Report, Report, bool], theirs: dict[str, Any]) -> None:
    known = {str(one.pk): one for one in Subject.objects.all()}
    for key, fields in theirs["subjects.subject"].items():
        ours = known[key]
        assert ours.nickname == fields["nickname"]
        assert (ours.sex, ours.ear_mark, ours.protocol_number) == (
            fields["sex"],
            fields["ear_mark"],
            fields["protocol_number"],
        )
        assert ours.cage_name == (fields["cage"] or "")
        assert ours.json == fields["json"]
        for mine, name in (("born_on", "birth_date"), ("died_on", "death_date"), ("weaned_on", "wean_date")):
            assert getattr(ours, mine) == (date.fromisoformat(fields[name]) if fields[name] else None), name
        for mine, name in (("litter_id", "litter"), ("line_id", "line"), ("responsible_user_id", "responsible_user")):
            assert getattr(ours, mine) == (UUID(fields[name]) if fields[name] else None), name


def test_times_are_the_labs_wall_clock(reports: tuple[Report, Report, bool], theirs: dict[str, Any]) -> None:
    for model, label in ((Weighing, "actions.weighing"), (WaterAdministration, "actions.wateradministration")):
        for one in model.objects.all():
            wall = datetime.fromisoformat(theirs[label][str(one.pk)]["date_time"])
            assert (one.at_wall, one.zone) == (wall, "Africa/Djibouti")
            assert one.at == (wall - DJIBOUTI).replace(tzinfo=UTC)
    surgery = Surgery.objects.exclude(ended_wall=None).first()
    assert surgery is not None
    assert surgery.ended_at == (surgery.ended_wall - DJIBOUTI).replace(tzinfo=UTC)


def test_times_of_the_old_server_are_in_its_zone(reports: tuple[Report, Report, bool], theirs: dict[str, Any]) -> None:
    for user in User.objects.all():
        fields = theirs["misc.labmember"][str(user.pk)]
        for name in ("date_joined", "last_login"):
            wall = datetime.fromisoformat(fields[name])
            assert getattr(user, name) == wall.replace(tzinfo=ZoneInfo("Europe/London")), name


def test_people_come_without_passwords(reports: tuple[Report, Report, bool]) -> None:
    assert not any(user.has_usable_password() for user in User.objects.all())
    assert User.objects.filter(is_superuser=True).count() == 4


def test_a_missing_lab_is_the_animals(reports: tuple[Report, Report, bool]) -> None:
    lab = Lab.objects.get()
    for model in (Session, Surgery, WaterRestriction):
        assert set(model.objects.values_list("lab_id", flat=True)) == {lab.pk}


def test_sessions_without_a_number_are_counted_by_time(reports: tuple[Report, Report, bool]) -> None:
    by_day: dict[tuple[Any, Any], list[Session]] = {}
    for session in Session.objects.order_by("number"):
        by_day.setdefault((session.subject_id, session.path_date), []).append(session)
    assert max(map(len, by_day.values())) == 202
    for sessions in by_day.values():
        assert [one.number for one in sessions] == list(range(1, len(sessions) + 1))
        starts = [one.started_wall for one in sessions]
        assert starts == sorted(starts)


def test_links_come_along(reports: tuple[Report, Report, bool], theirs: dict[str, Any]) -> None:
    for model, label in ((Surgery, "actions.surgery"), (Session, "actions.session")):
        for one in model.objects.prefetch_related("users", "procedures"):
            fields = theirs[label][str(one.pk)]
            assert {str(user.pk) for user in one.users.all()} == set(fields["users"])
            assert {str(kind.pk) for kind in one.procedures.all()} == set(fields["procedures"])
    line = next(key for key, fields in theirs["subjects.line"].items() if len(fields["alleles"]) > 1)
    alleles = Line.objects.get(pk=line).alleles.values_list("pk", flat=True)
    assert {str(key) for key in alleles} == set(theirs["subjects.line"][line]["alleles"])


def test_counters_of_lines_go_on(reports: tuple[Report, Report, bool], theirs: dict[str, Any]) -> None:
    for line in Line.objects.all():
        fields = theirs["subjects.line"][str(line.pk)]
        assert line.last_subject_number == fields["subject_autoname_index"]
        assert line.last_litter_number == fields["litter_autoname_index"]


def test_implant_weights_stay_as_they_were_sent(reports: tuple[Report, Report, bool], theirs: dict[str, Any]) -> None:
    for surgery in Surgery.objects.all():
        assert surgery.implant_weight_g == theirs["actions.surgery"][str(surgery.pk)]["implant_weight"]
    assert not WaterRestriction.objects.exclude(reference_weight_g=None).exists()
    assert WaterType.objects.get(name="Water").administrations.count() == 21


def test_zygosities_are_what_the_file_says(reports: tuple[Report, Report, bool], theirs: dict[str, Any]) -> None:
    assert set(Zygosity.objects.values_list("basis", flat=True)) == {"imported"}
    for one in Zygosity.objects.all():
        assert one.state == theirs["subjects.zygosity"][str(one.pk)]["zygosity"]


def test_the_audit_knows_who_wrote_it(reports: tuple[Report, Report, bool]) -> None:
    weighing = Weighing.objects.first()
    assert weighing is not None
    events: Any = Weighing.pgh_event_models["insert"] if hasattr(Weighing, "pgh_event_models") else None
    assert events is not None
    event = events.objects.get(pgh_obj_id=weighing.pk)
    context = Context.objects.get(pk=event.pgh_context_id).metadata
    assert (context["path"], context["reason"]) == ("command import_alyx", REAL.name)

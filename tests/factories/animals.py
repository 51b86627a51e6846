"""Colony, genotypes, cages, procedures, weight and water, deaths: a stored row of each, filled with something plausible."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db.models import Model

from alyx.core.clock import now, wall_to_utc
from alyx.labs.models import Delivery, Lab, Mute, Notification, NotificationRule, PolicyWindow, User, WelfarePolicy
from subjects import models as m
from subjects.models import Subject
from tests.factories.people import NUMBERS, a_lab, a_user
from tests.factories.records import MORNING, a_subject


def a_word(model: type[Model], name: str = "", **columns: Any) -> Any:
    """A word of a vocabulary (`Species`, `Strain`, `Source`, `Sequence`, `WaterType`, `CullReason` …)."""
    return model._default_manager.create(name=name or f"{model._meta.model_name} {next(NUMBERS)}", **columns)


def an_allele(nickname: str = "", sequences: int = 1) -> m.Allele:
    """An allele found by so many sequences."""
    allele = m.Allele.objects.create(nickname=nickname or f"allele{next(NUMBERS)}")
    allele.sequences.set([a_word(m.Sequence) for _ in range(sequences)])
    return allele


def a_line(lab: Lab | None = None, nickname: str = "", alleles: int = 0, **columns: Any) -> m.Line:
    """A line of a lab."""
    nickname = nickname or f"L{next(NUMBERS)}"
    line = m.Line.objects.create(name=f"{nickname} line", nickname=nickname, lab=lab or a_lab(), **columns)
    line.alleles.set([an_allele() for _ in range(alleles)])
    return line


def a_pair(line: m.Line | None = None, **columns: Any) -> m.BreedingPair:
    """A father and a mother of the line."""
    line = line or a_line()
    lab = line.lab or a_lab()
    values = {
        "father": a_subject(lab, sex="M", line=line),
        "mother1": a_subject(lab, sex="F", line=line),
        "started_on": date(2026, 1, 5),
        **columns,
    }
    return m.BreedingPair.objects.create(name=f"{line.nickname}_BP_{next(NUMBERS):03d}", line=line, lab=lab, **values)


def a_litter(pair: m.BreedingPair | None = None, **columns: Any) -> m.Litter:
    """A litter of the pair."""
    pair = pair or a_pair()
    values = {"line": pair.line, "lab": pair.lab, "born_on": date(2026, 2, 1), **columns}
    return m.Litter.objects.create(name=f"L_{next(NUMBERS):03d}", breeding_pair=pair, **values)


def _at(subject: Subject, wall: datetime) -> dict[str, Any]:
    zone = subject.lab.timezone
    return {"at_wall": wall, "zone": zone, "at": wall_to_utc(wall, zone)}


def _started(subject: Subject, wall: datetime | None, ended: datetime | None = None) -> dict[str, Any]:
    zone = subject.lab.timezone
    return {
        "lab": subject.lab,
        "zone": zone,
        "started_wall": wall,
        "started_at": wall_to_utc(wall, zone) if wall else None,
        "ended_wall": ended,
        "ended_at": wall_to_utc(ended, zone) if ended else None,
    }


def a_weighing(
    subject: Subject | None = None, weight_g: float = 24.5, at: datetime = MORNING, **columns: Any
) -> m.Weighing:
    """A weight."""
    subject = subject or a_subject()
    made: m.Weighing = m.Weighing.objects.create(subject=subject, weight_g=weight_g, **_at(subject, at), **columns)
    return made


def a_water(
    subject: Subject | None = None, volume_ml: float | None = 0.8, at: datetime = MORNING, **columns: Any
) -> m.WaterAdministration:
    """Water given."""
    subject = subject or a_subject()
    made: m.WaterAdministration = m.WaterAdministration.objects.create(
        subject=subject, volume_ml=volume_ml, **_at(subject, at), **columns
    )
    return made


def a_restriction(
    subject: Subject | None = None, start: datetime = MORNING, end: datetime | None = None, **columns: Any
) -> m.WaterRestriction:
    """A water restriction, open unless an end is given."""
    subject = subject or a_subject()
    made: m.WaterRestriction = m.WaterRestriction.objects.create(
        subject=subject, **_started(subject, start, end), **columns
    )
    return made


def a_surgery(
    subject: Subject | None = None, start: datetime = MORNING - timedelta(days=30), **columns: Any
) -> m.Surgery:
    """A surgery of an hour."""
    subject = subject or a_subject()
    made: m.Surgery = m.Surgery.objects.create(
        subject=subject, **_started(subject, start, start + timedelta(hours=1)), **columns
    )
    return made


def another_procedure(subject: Subject | None = None, **columns: Any) -> m.OtherProcedure:
    """A procedure that is no surgery."""
    subject = subject or a_subject()
    made: m.OtherProcedure = m.OtherProcedure.objects.create(subject=subject, **_started(subject, MORNING), **columns)
    return made


def a_drug(lab: Lab | None = None, **columns: Any) -> m.Drug:
    """Carprofen as it is drawn up."""
    values = {"name": f"carprofen {next(NUMBERS)}", "concentration_mg_per_ml": 0.5, "dose_mg_per_kg": 5.0, **columns}
    return m.Drug.objects.create(lab=lab, **values)


def an_implant(surgery: m.Surgery | None = None, **columns: Any) -> m.Implant:
    """A probe that stays."""
    surgery = surgery or a_surgery()
    values = {"name": "probe00", "serial": f"{next(NUMBERS)}", "zone": surgery.zone, **columns}
    return m.Implant.objects.create(surgery=surgery, subject=surgery.subject, lab=surgery.lab, **values)


def a_housing(lab: Lab | None = None, cage_name: str = "", **columns: Any) -> m.Housing:
    """An open cage."""
    lab = lab or a_lab()
    values = {
        "zone": lab.timezone,
        "started_wall": MORNING,
        "started_at": wall_to_utc(MORNING, lab.timezone),
        **columns,
    }
    return m.Housing.objects.create(lab=lab, cage_name=cage_name or f"C{next(NUMBERS)}", **values)


def a_stay(subject: Subject | None = None, housing: m.Housing | None = None, **columns: Any) -> m.Stay:
    """An animal in an open cage."""
    subject = subject or a_subject()
    housing = housing or a_housing(subject.lab)
    values = {
        "zone": housing.zone,
        "started_wall": housing.started_wall,
        "started_at": housing.started_at,
        **columns,
    }
    return m.Stay.objects.create(subject=subject, housing=housing, **values)


def a_cull(subject: Subject | None = None, on: date = date(2026, 3, 20)) -> m.Cull:
    """A killed animal."""
    subject = subject or a_subject()
    Subject.objects.filter(pk=subject.pk).update(died_on=on)
    subject.refresh_from_db()
    return m.Cull.objects.create(subject=subject, culled_on=on)


def a_policy(lab: Lab | None = None, from_on: date | None = None, **columns: Any) -> WelfarePolicy:
    """A lab's percentages from a day on."""
    values = {"reference_weight_pct": 0.85, "zscore_weight_pct": 0.0, **columns}
    return WelfarePolicy.objects.create(lab=lab or a_lab(), from_on=from_on, **values)


def a_notification(about: Model | None = None, kind: str = "underweight", **columns: Any) -> Notification:
    """Something to tell, about an animal."""
    about = about or a_subject()
    number = next(NUMBERS)
    values = {"key": f"{kind}:{number}", "title": f"look at {about}", "text": "it is light", **columns}
    return Notification.objects.create(
        kind=kind,
        content_type=ContentType.objects.get_for_model(about),
        object_id=about.pk,
        lab=getattr(about, "lab", None),
        **values,
    )


def a_delivery(user: User | None = None, **columns: Any) -> Delivery:
    """A notification on its way."""
    return Delivery.objects.create(notification=a_notification(), user=user or a_user(), **columns)


def _event(surgery: m.Surgery) -> m.TimelineEntry:
    wall = surgery.started_wall
    return m.TimelineEntry.objects.create(
        surgery=surgery, at_wall=wall, at=wall_to_utc(wall, surgery.zone), what="drill"
    )


def _given(subject: Subject) -> Any:
    return m.DrugGiven.objects.create(subject=subject, drug=a_drug(), **_at(subject, MORNING))


def _harm(subject: Subject) -> Any:
    return m.AdverseEffect.objects.create(subject=subject, description="limps", **_at(subject, MORNING))


def _rule() -> m.ZygosityRule:
    line = a_line(alleles=1)
    allele = line.alleles.get()
    return m.ZygosityRule.objects.create(line=line, allele=allele, sequence0=allele.sequences.get(), result0=1, state=3)


def _window() -> PolicyWindow:
    return PolicyWindow.objects.create(policy=a_policy(), title="first two weeks", first_day=0, last_day=13)


def _growth() -> m.GrowthPoint:
    values = {"sex": "F", "age_weeks": 10, "mean_g": 20.0, "sd_g": 1.5}
    return m.GrowthPoint.objects.create(strain=a_word(m.Strain), **values)


MAKERS: dict[type[Model], Callable[[], Model]] = {
    **{
        word: (lambda word=word: a_word(word))  # type: ignore[misc]
        for word in (
            m.Species,
            m.Strain,
            m.Source,
            m.Sequence,
            m.ProcedureType,
            m.WaterType,
            m.CullReason,
            m.CullMethod,
            m.ProbeModel,
        )
    },
    m.Allele: an_allele,
    m.Line: a_line,
    m.BreedingPair: a_pair,
    m.Litter: a_litter,
    m.SubjectRequest: lambda: m.SubjectRequest.objects.create(user=a_user(), line=a_line(), count=2),
    m.HandOver: lambda: m.HandOver.objects.create(subject=a_subject(), to_user=a_user(), at=now()),
    m.Licence: lambda: m.Licence.objects.create(number=f"PPL {next(NUMBERS)}"),
    m.GenotypeTest: lambda: m.GenotypeTest.objects.create(subject=a_subject(), sequence=a_word(m.Sequence), result=1),
    m.Zygosity: lambda: m.Zygosity.objects.create(subject=a_subject(), allele=an_allele(), state=1),
    m.ZygosityRule: _rule,
    m.HousingOption: lambda: m.HousingOption.objects.create(kind="food", name=f"food {next(NUMBERS)}"),
    m.LabConditions: lambda: m.LabConditions.objects.create(lab=a_lab(), light_cycle="inverted"),
    m.Housing: a_housing,
    m.Stay: a_stay,
    m.Drug: a_drug,
    m.SurgeryTemplate: lambda: m.SurgeryTemplate.objects.create(lab=a_lab(), name=f"headplate {next(NUMBERS)}"),
    m.Surgery: a_surgery,
    m.OtherProcedure: another_procedure,
    m.VirusBatch: lambda: m.VirusBatch.objects.create(name=f"AAV {next(NUMBERS)}"),
    m.Headplate: lambda: m.Headplate.objects.create(surgery=a_surgery(), headframe_type="steel"),
    m.Craniotomy: lambda: m.Craniotomy.objects.create(surgery=a_surgery(), ap_mm=-2.0, ml_mm=1.5, size_mm=3.0),
    m.Injection: lambda: m.Injection.objects.create(surgery=a_surgery(), material="saline", volume_nl=200.0),
    m.Perfusion: lambda: m.Perfusion.objects.create(surgery=a_surgery(), fixative="PFA"),
    m.Implant: an_implant,
    m.DrugGiven: lambda: _given(a_subject()),
    m.TimelineEntry: lambda: _event(a_surgery()),
    m.PostOpCheck: lambda: m.PostOpCheck.objects.create(surgery=a_surgery(), due_on=date(2026, 3, 10)),
    m.AdverseEffect: lambda: _harm(a_subject()),
    m.Cull: a_cull,
    m.Weighing: a_weighing,
    m.WaterAdministration: a_water,
    m.WaterRestriction: a_restriction,
    m.GrowthPoint: _growth,
    WelfarePolicy: a_policy,
    PolicyWindow: _window,
    Notification: a_notification,
    Delivery: a_delivery,
    NotificationRule: lambda: NotificationRule.objects.create(user=a_user(), kind="underweight"),
    Mute: lambda: Mute.objects.create(user=a_user()),
}
"""A maker for each of these tables, for tests that go through all of them."""

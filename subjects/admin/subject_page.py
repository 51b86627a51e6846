"""Everything about one animal, readable in ten seconds: the card, today's numbers, and what was recorded of it, newest first."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html_join

from alyx.core.admin_shown import badge, page_of
from alyx.core.models import Note
from alyx.core.reading import readable
from alyx.core.status import Status
from subjects.admin.many import job_url
from subjects.admin.of_animal import may_do
from subjects.admin.shown import (
    SHORT,
    WEIGHT_WORDS,
    age_of,
    genotype_of,
    in_conflict,
    standing_of,
    today_of,
)
from subjects.admin.subject_jobs import JOBS
from subjects.admin.work import to_page
from subjects.models import Cull, GenotypeTest, HandOver, Stay, Subject, Surgery, Weighing, Zygosity, ZygosityState
from subjects.permissions import Act
from subjects.queries.water import welfare_today
from subjects.rules.day import Day, Explained
from subjects.rules.genotype import State

NEWEST = 6
"""Rows shown of each kind; a link leads to all."""
NUMBERS = ("weight_g", "percentage", "expected_g", "min_g", "expected_ml", "given_ml", "remaining_ml")
OF_ANY = ("weight_g", "implant_g")
"""Numbers of an animal that drinks as it likes: nothing is due."""
DECIMALS = {"g": 1, "mL": 2, "%": 1}
RECORDS = {
    "weighing": "subjects_weighing",
    "surgery": "subjects_surgery",
    "restriction": "subjects_waterrestriction",
    "policy": "labs_welfarepolicy",
}
"""Kind of a record that went into a number → its pages."""


def sheet(request: HttpRequest, subject: Subject) -> dict[str, Any]:
    """What the template shows. A fixed number of queries."""
    day = welfare_today([subject])[subject.pk]
    zygosities = list(Zygosity.objects.filter(subject=subject).select_related("allele"))
    stays = list(Stay.objects.filter(subject=subject).select_related("housing", *HOW).order_by("-started_at", "id"))
    cull = Cull.objects.filter(subject=subject).select_related("reason", "method").first()
    return {
        "facts": _facts(request.user, subject, stays, cull),
        "status": badge(day.status, WEIGHT_WORDS[day.status] or "not judged") if day.is_restricted else "",
        "day": day,
        "numbers": [_number(one) for one in _explained(day)],
        "water_url": f"/admin/subjects/subject/{subject.pk}/water/",
        "zygosities": [_zygosity(row) for row in zygosities],
        "tests": _tests(subject),
        "genotype_ways": _genotype_ways(request, subject),
        "panels": [_surgeries(subject), _sessions(request.user, subject), _weighings(subject), _notes(subject)],
        "stays": [_stay(stay) for stay in stays],
        "hand_overs": list(
            HandOver.objects.filter(subject=subject).select_related("from_user", "to_user", "by").order_by("-at")
        ),
        "jobs": _jobs(request, subject),
        "surgery_url": _surgery_url(request, subject),
        "pedigree_url": reverse("admin:subjects_subject_pedigree", args=[subject.pk]),
    }


def _surgery_url(request: HttpRequest, subject: Subject) -> str:
    """Surgery mode with this animal on the table; empty for a dead one, and for who may not operate it."""
    may = subject.died_on is None and may_do(request, Act.TREAT, subject)
    return reverse("surgery_of", args=[subject.pk]) if may else ""


HOW = ("housing__cage_type", "housing__enrichment", "housing__food")


def _facts(reader: Any, subject: Subject, stays: list[Stay], cull: Cull | None) -> list[tuple[str, Any]]:
    """The card: what people ask first."""
    died = f"died {subject.died_on}" if subject.died_on else ""
    if cull is not None:
        died += f", culled{f': {cull.reason}' if cull.reason else ''}{f' ({cull.method})' if cull.method else ''}"
    severity = subject.get_actual_severity_display() if subject.actual_severity else ""
    licence = [str(word) for word in (subject.licence, subject.protocol_number) if word]
    return [
        ("State", standing_of(subject)),
        ("Age", age_of(subject)),
        ("Sex", subject.get_sex_display()),
        ("Born", subject.born_on or "–"),
        *([("End", died)] if died else []),
        ("Line", to_page(subject.line)),
        ("Litter", to_page(subject.litter)),
        ("Genotype", genotype_of(subject)),
        ("Ear mark", subject.ear_mark or "–"),
        ("Cage", subject.cage_name or "–"),
        ("Cage mates", _mates(reader, subject, stays)),
        ("Responsible", subject.responsible_user or "nobody"),
        ("Lab", subject.lab),
        ("Licence, protocol", ", ".join(licence) or "–"),
        ("Severity", severity or "–"),
    ]


def _mates(reader: Any, subject: Subject, stays: Iterable[Stay]) -> Any:
    here = [stay.housing_id for stay in stays if stay.ended_at is None]
    mates = [
        stay.subject
        for stay in readable(reader, Stay.objects.filter(housing__in=here, ended_at__isnull=True))
        .exclude(subject=subject)
        .select_related("subject")
        .order_by("subject__nickname")
    ]
    return format_html_join(", ", '<a href="{}">{}</a>', ((page_of(mate), mate.nickname) for mate in mates)) or "–"


def _explained(day: Day) -> list[Explained]:
    every = day.explained()
    return [every[name] for name in (NUMBERS if day.is_restricted else OF_ANY)]


def _number(one: Explained) -> dict[str, Any]:
    return {
        "label": one.label,
        "value": None if one.value is None else f"{one.value:.{DECIMALS.get(one.unit, 2)}f}",
        "unit": one.unit,
        "formula": one.formula,
        "why_not": one.why_not,
        "inputs": [
            {
                "symbol": part.symbol,
                "label": part.label,
                "value": "–" if part.value is None else f"{part.value:.4g} {part.unit}".strip(),
                "source": part.source,
                "url": _record_url(part.kind, part.key),
            }
            for part in one.inputs
        ],
    }


def _record_url(kind: str, key: Any) -> str:
    if key is None or kind not in RECORDS:
        return ""
    try:
        return reverse(f"admin:{RECORDS[kind]}_change", args=[key])
    except NoReverseMatch:
        return ""


def _zygosity(row: Zygosity) -> dict[str, Any]:
    derived = State(row.derived).word if row.derived is not None else ""
    return {
        "allele": to_page(row, row.allele.nickname),
        "state": SHORT[ZygosityState(row.state)],
        "basis": row.get_basis_display(),
        "derived": derived,
        "why": row.why,
        "conflict": badge(Status.WARNING, f"the tests say {derived}") if in_conflict(row) else "",
    }


def _tests(subject: Subject) -> list[GenotypeTest]:
    rows = GenotypeTest.objects.filter(subject=subject).select_related("sequence", "user")
    return list(rows.order_by("-tested_on", "sequence__name"))


def _genotype_ways(request: HttpRequest, subject: Subject) -> list[tuple[str, str]]:
    """To a new result or a word of a person, for who manages the animal."""
    if not may_do(request, Act.MANAGE, subject):
        return []
    words = {"genotypetest": "Add a result", "zygosity": "Say what it carries"}
    return [(f"{reverse(f'admin:subjects_{name}_add')}?subject={subject.pk}", verb) for name, verb in words.items()]


def _panel(title: str, model: Any, subject: Subject, rows: list[tuple[Any, Any]], total: int) -> dict[str, Any]:
    """A short list with the way to all of it and to a new one, where there are pages for it."""
    name = f"{model._meta.app_label}_{model._meta.model_name}"
    known = admin.site.is_registered(model)
    every = f"{reverse(f'admin:{name}_changelist')}?subject__id__exact={subject.pk}" if known else ""
    return {"title": title, "rows": rows, "total": total, "every": every}


def _newest(rows: Any) -> tuple[list[Any], int]:
    shown = list(rows[: NEWEST + 1])
    return shown[:NEWEST], len(shown) if len(shown) <= NEWEST else rows.count()


def _surgeries(subject: Subject) -> dict[str, Any]:
    rows = Surgery.objects.shown().filter(subject=subject).prefetch_related("procedures").order_by("-started_wall")
    shown, total = _newest(rows)
    said = [
        (to_page(row, f"{row.started_wall:%Y-%m-%d}" if row.started_wall else "no date"),
         ", ".join(word.name for word in row.procedures.all()) or row.narrative[:80] or "–")
        for row in shown
    ]  # fmt: skip
    return _panel("Surgeries", Surgery, subject, said, total)


def _sessions(reader: Any, subject: Subject) -> dict[str, Any]:
    model: Any = Subject._meta.get_field("sessions").related_model
    rows = readable(reader, model._default_manager.filter(subject=subject, withdrawn_at__isnull=True))
    shown, total = _newest(rows.order_by("-started_wall"))
    said = [
        (to_page(row, f"{row.path_date}/{row.number:03d}"), row.task_protocol or "–")
        for row in shown
    ]  # fmt: skip
    return _panel("Sessions", model, subject, said, total)


def _weighings(subject: Subject) -> dict[str, Any]:
    rows = Weighing.objects.shown().filter(subject=subject).select_related("user").order_by("-at_wall")
    shown, total = _newest(rows)
    said = [
        (to_page(row, f"{row.at_wall:%Y-%m-%d %H:%M}"),
         f"{row.weight_g:.1f} g{'' if row.counts else ' (does not count)'}{f' by {row.user}' if row.user else ''}")
        for row in shown
    ]  # fmt: skip
    return _panel("Weighings", Weighing, subject, said, total)


def _notes(subject: Subject) -> dict[str, Any]:
    about = ContentType.objects.get_for_model(Subject)
    rows = Note.objects.filter(content_type=about, object_id=subject.pk).select_related("user").order_by("-at")
    shown, total = _newest(rows)
    said = [
        (to_page(row, f"{row.at_wall:%Y-%m-%d}"), f"{row.text[:120]}{f' — {row.user}' if row.user else ''}")
        for row in shown
    ]
    return {**_panel("Notes", Note, subject, said, total), "every": ""}


def _stay(stay: Stay) -> dict[str, Any]:
    home = stay.housing
    how = [home.cage_type, home.enrichment, home.food, home.get_light_cycle_display() if home.light_cycle else ""]
    return {
        "cage": to_page(home, home.cage_name),
        "from": f"{stay.started_wall:%Y-%m-%d %H:%M}" if stay.started_wall else "–",
        "to": f"{stay.ended_wall:%Y-%m-%d %H:%M}" if stay.ended_wall else ("now" if stay.ended_at is None else "–"),
        "how": ", ".join(str(word) for word in how if word) or "–",
    }


def _jobs(request: HttpRequest, subject: Subject) -> list[tuple[str, str]]:
    """Buttons to the pages of jobs that this person may do."""
    words = {"hand-over": "Hand over", "move": "Move to a cage", "mark": "Mark", "cull": "Cull"}
    if subject.died_on or not may_do(request, Act.RECORD, subject):
        return []
    manages = may_do(request, Act.MANAGE, subject)
    return [
        (f"{job_url(slug)}?ids={subject.pk}", words[slug]) for slug in JOBS if manages or slug == "move"
    ]  # fmt: skip


__all__ = ["sheet", "today_of"]

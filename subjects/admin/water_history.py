"""The history of an animal's weight and water: a plot, and below it the same days as a table that explains each number."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeGuard
from uuid import UUID

from django.contrib import admin
from django.db.models import Min, OuterRef, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, path, reverse

from alyx.core.admin_routes import add_routes
from alyx.core.admin_shown import badge, page_now, page_of
from alyx.core.clock import utc_to_wall
from alyx.core.reading import readable
from alyx.core.status import SHAPES, Status
from subjects.admin.shown import WEIGHT_WORDS
from subjects.models import Sex, Subject, Surgery, WaterAdministration, WaterRestriction, Weighing
from subjects.permissions import Act, permitted
from subjects.queries.water import water_days
from subjects.rules.day import Day, Explained
from subjects.rules.water import protocol_number

USUAL_DAYS = 60
MOST_DAYS = 800
"""Of one plot."""
TABLE_DAYS = 62
"""Of one table: each of its numbers carries its explanation."""
YEARS = (1900, 3000)
NONE = "–"
PAGES = {
    "weighing": "subjects_weighing",
    "surgery": "subjects_surgery",
    "restriction": "subjects_waterrestriction",
    "policy": "labs_welfarepolicy",
    "water": "subjects_wateradministration",
}
"""Kind of a record that went into a number → its pages."""
COLUMNS = [
    ("weight_g", "Weight", "g", 1),
    ("implant_g", "Implant", "g", 1),
    ("expected_g", "Expected", "g", 1),
    ("min_g", "Minimum", "g", 1),
    ("percentage", "Of expected", "%", 1),
    ("expected_ml", "Water due", "mL", 2),
    ("reward_ml", "Reward", "mL", 2),
    ("supplement_ml", "Supple\u00adment", "mL", 2),
    ("remaining_ml", "Remain\u00ading", "mL", 2),
]
"""Name of the number, head of its column, unit, decimals."""
STEPS = [
    ("reference_g", "Reference weighing", "g", 1),
    ("zscored_g", "Z-scored weight", "g", 2),
    ("given_ml", "Given", "mL", 2),
]
"""Numbers without a column that others are made of."""
MADE_BY = {"ew": "expected_g", "zw": "zscored_g", "expected": "expected_ml", "given": "given_ml"}
"""Symbol of a calculated input → the number whose explanation it opens."""


@dataclass(frozen=True)
class Span:
    """Days, ends included."""

    name: str
    first: date
    last: date

    @property
    def days(self) -> int:
        """How many."""
        return (self.last - self.first).days + 1


@dataclass
class Records:
    """What was recorded in the days shown, by day."""

    weighings: dict[date, list[Weighing]]
    waters: dict[date, list[WaterAdministration]]
    restrictions: list[WaterRestriction]
    operated_on: date | None
    """The day of its first surgery."""

    def protocol(self, day: Day) -> str:
        """Under which protocol the day was, by what was done to the animal until then (rule 9)."""
        has_surgery = self.operated_on is not None and self.operated_on <= day.day
        return protocol_number(is_restricted=day.is_restricted, has_surgery=has_surgery)


def water_history(request: HttpRequest, subject_id: UUID) -> HttpResponse:
    """`GET /admin/subjects/subject/<id>/water/?from=&to=`: without a choice the restriction, else the last 60 days."""
    weighed = Weighing.objects.shown().filter(subject=OuterRef("pk")).order_by("-at_wall").values("at_wall")[:1]
    rows = readable(request.user, Subject.objects.shown().select_related("lab", "responsible_user", "strain"))
    subject: Any = get_object_or_404(rows.annotate(newest=Subquery(weighed)), pk=subject_id)
    now = utc_to_wall(page_now(), subject.lab.timezone)
    restrictions = list(WaterRestriction.objects.shown().filter(subject=subject).order_by("started_wall", "id"))
    spans = _spans(subject, restrictions, now.date())
    span, trouble = _chosen(request, spans)
    days = water_days(subject, span.first, span.last)
    records = _records(subject, restrictions, span)
    shown = days[-TABLE_DAYS:]
    current = days[-1] if days and days[-1].day == _end(subject, now.date()) else None
    if current is None:
        end = _end(subject, now.date())
        (current,) = water_days(subject, end, end)
    context = {
        **admin.site.each_context(request),
        "title": f"Weight and water of {subject}",
        "subject": subject,
        "first": span.first,
        "last": span.last,
        "spans": spans,
        "trouble": trouble,
        "doors": _doors(request, subject, restrictions),
        "said": _said(subject, restrictions, current),
        "tiles": _tiles(subject, current, records),
        "columns": [{"head": head, "unit": unit} for _, head, unit, _ in COLUMNS],
        "rows": _rows(shown, records),
        "shown": len(shown),
        "days": len(days),
        "older": shown[0].day - timedelta(days=1) if len(days) > len(shown) else None,
        "plot": _plot(days, records, now),
        "is_drawn": any(day.weight_g is not None or day.given_ml or day.is_restricted for day in days),
    }
    return TemplateResponse(request, "admin/water_history.html", context)


# Which days.


def _end(subject: Subject, today: date) -> date:
    """The last day that can be judged: today, or the animal's last."""
    return min(subject.died_on, today) if _is_known(subject.died_on) else today


def _is_known(day: date | None) -> TypeGuard[date]:
    """A date in the time of records; old ones hold the year 1 and the year 9999 as well."""
    return day is not None and YEARS[0] <= day.year < YEARS[1]


def _spans(subject: Any, restrictions: Sequence[WaterRestriction], today: date) -> list[Span]:
    """What is offered, the default first."""
    end = _end(subject, today)
    usual = Span(f"last {USUAL_DAYS} days", end - timedelta(days=USUAL_DAYS - 1), end)
    spans = []
    latest = subject.newest.date() if subject.newest and _is_known(subject.newest.date()) else None
    dated = [
        one for one in restrictions if _is_known(one.started_wall) and (not one.ended_wall or _is_known(one.ended_wall))
    ]
    if dated:
        last = dated[-1]
        until = min(last.ended_wall.date() if last.ended_wall else end, end)
        if latest and last.started_wall.date() <= latest < until - timedelta(days=USUAL_DAYS):
            until = latest + timedelta(days=7)  # nobody has weighed it for long: begin where something is to be seen
        since = max(last.started_wall.date(), until - timedelta(days=MOST_DAYS - 8))
        if since <= until:
            name = "this restriction" if last.ended_wall is None else "the last restriction"
            spans.append(Span(name, since - timedelta(days=7), until))
    if not spans and latest and latest < usual.first:
        spans.append(Span("its last weighings", latest - timedelta(days=USUAL_DAYS - 1), latest))
    return [
        *spans,
        usual,
        Span("half a year", end - timedelta(days=182), end),
        Span("a year", end - timedelta(days=365), end),
    ]


def _chosen(request: HttpRequest, spans: Sequence[Span]) -> tuple[Span, str]:
    """The days asked for; what cannot be shown is said, and the usual ones stand instead."""
    if not request.GET.get("from") and not request.GET.get("to"):
        return spans[0], ""
    try:
        first, last = (date.fromisoformat(request.GET.get(name, "")) for name in ("from", "to"))
    except ValueError:
        return spans[0], "A day is written as 2026-03-09; these are the usual days."
    if not (_is_known(first) and _is_known(last)):
        return spans[0], f"Nothing is known from {first} to {last}; these are the usual days."
    asked = Span("asked for", first, last)
    if asked.days < 1:
        return spans[0], f"{first} comes after {last}: choose the earlier day first."
    if asked.days > MOST_DAYS:
        return Span(
            "asked for", last - timedelta(days=MOST_DAYS - 1), last
        ), f"The last {MOST_DAYS} of {asked.days} days."
    return asked, ""


def _records(subject: Subject, restrictions: list[WaterRestriction], span: Span) -> Records:
    start, end = datetime.combine(span.first, time()), datetime.combine(span.last + timedelta(days=1), time())
    within = {"subject": subject, "at_wall__gte": start, "at_wall__lt": end}
    weighings: dict[date, list[Weighing]] = defaultdict(list)
    waters: dict[date, list[WaterAdministration]] = defaultdict(list)
    for weighing in Weighing.objects.shown().filter(**within).select_related("user").order_by("at_wall"):
        weighings[weighing.at_wall.date()].append(weighing)
    given = WaterAdministration.objects.shown().filter(**within).select_related("user", "water_type")
    for water in given.order_by("at_wall"):
        waters[water.at_wall.date()].append(water)
    first = Surgery.objects.shown().filter(subject=subject).aggregate(at=Min("started_wall"))["at"]
    return Records(weighings, waters, restrictions, first.date() if first else None)


# What is said around the plot.


def _said(subject: Subject, restrictions: Sequence[WaterRestriction], current: Day) -> list[str]:
    """What is normal and yet worth knowing before the numbers are read."""
    said = []
    if subject.died_on:
        said.append(f"Died on {subject.died_on}: the numbers end there, and nothing is due.")
    if current.weight_g is None:
        said.append("Never weighed: no number about its weight is available until somebody weighs it.")
    if not restrictions:
        said.append("Never water restricted: it drinks freely, and there is no reference weight.")
    if subject.sex == Sex.UNKNOWN:
        said.append("Its sex is not known: no growth curve applies, so no z-scored weight is calculated.")
    if subject.born_on is None:
        said.append("It has no birth date: its age, and with it the z-scored weight, is not available.")
    return said


def _tiles(subject: Subject, current: Day, records: Records) -> list[dict[str, Any]]:
    def number(value: float | None, unit: str, decimals: int) -> str:
        return "not available" if value is None else f"{value:.{decimals}f} {unit}"

    weighed = f" ({current.weighed_at_wall:%Y-%m-%d %H:%M})" if current.weighed_at_wall else ""
    water = "ad lib" if current.is_adlib else number(current.remaining_ml, "mL", 2)
    return [
        {"name": "State", "value": badge(Status.NEUTRAL, "dead" if subject.died_on else
                                         "water restricted" if current.is_restricted else "not restricted")},
        {"name": f"Weight{weighed}", "value": number(current.weight_g, "g", 1)},
        {"name": "Of the expected weight", "value": badge(current.status, f"{number(current.percentage, '%', 1)}"
                                                         + (f", {WEIGHT_WORDS[current.status]}" if WEIGHT_WORDS[current.status] else ""))},
        {"name": "Water still to give today", "value": "nothing" if subject.died_on or not current.is_restricted else water},
        {"name": f"Protocol {records.protocol(current)}, judged by", "value": current.case.policy.source or "no policy",
         "is_long": True},
    ]  # fmt: skip


def _doors(request: HttpRequest, subject: Subject, restrictions: Sequence[WaterRestriction]) -> list[dict[str, str]]:
    """What this person may enter here."""
    if subject.died_on:
        return []
    doors = []
    if permitted(request.user, [subject], Act.RECORD):
        doors += [("Record a weighing", _add("weighing", subject)), ("Give water", _add("water", subject))]
    if permitted(request.user, [subject], Act.TREAT):
        running = next((one for one in reversed(restrictions) if one.ended_wall is None), None)
        doors.append(
            ("Change or end the restriction", page_of(running))
            if running
            else ("Restrict its water", _add("restriction", subject))
        )
    return [{"verb": verb, "url": url} for verb, url in doors]


def _add(kind: str, subject: Subject) -> str:
    return f"{reverse(f'admin:{PAGES[kind]}_add')}?subject={subject.pk}"


# The table: each number with its formula and inputs.


def _rows(days: Sequence[Day], records: Records) -> list[dict[str, Any]]:
    """Newest first: days, a line where the policy changes, and one line for a run of days about which nothing is known."""
    rows: list[dict[str, Any]] = []
    judged_by = None
    for day in reversed(days):
        source, protocol = day.case.policy.source or "no policy", records.protocol(day)
        if (source, protocol) != judged_by:
            judged_by = (source, protocol)
            rows.append({"policy": source, "protocol": protocol, "url": _page("policy", day.case.policy.key)})
        if day.is_restricted or records.weighings.get(day.day) or records.waters.get(day.day):
            explained = day.explained()
            cells = [_cell(day, explained, records, *column) for column in COLUMNS]
            steps = [_cell(day, explained, records, *step) for step in STEPS]
            rows.append({"day": day.day, "restricted": day.is_restricted, "cells": cells, "steps": steps})
        elif "quiet" in rows[-1]:
            rows[-1]["quiet"] = day.day
        else:
            rows.append({"quiet": day.day, "until": day.day})
    return rows


def _cell(
    day: Day, explained: dict[str, Explained], records: Records, name: str, head: str, unit: str, decimals: int
) -> dict[str, Any]:
    value = getattr(day, name)
    if name in {"reward_ml", "supplement_ml"}:
        why = _poured(records.waters.get(day.day, ()), is_reward=name == "reward_ml")
    else:
        why = _why(explained[name], day.day)
    if name in {"weight_g", "implant_g"} and day.weight_g is None:
        value = None
    cell: dict[str, Any] = {
        "key": f"{name}-{day.day}",
        "name": head.replace("\u00ad", ""),
        "unit": unit,
        "why": why,
        "text": _number(value, decimals),
    }
    if name == "weight_g" and value is not None and not day.is_weighed:
        cell["text"] = f"({cell['text']})"
    if name == "remaining_ml" and day.is_adlib:
        cell["text"] = "ad lib"
    if name == "percentage" and value is not None:
        cell |= {"status": day.status.value, "word": WEIGHT_WORDS[day.status], "shape": SHAPES[day.status]}
    if name in {"reward_ml", "supplement_ml"} and not why["inputs"]:
        cell |= {"text": NONE, "why": None}
    return cell


def _number(value: float | None, decimals: int) -> str:
    return NONE if value is None else f"{value:.{decimals}f}".replace("-", "−")


def _why(explained: Explained, day: date) -> dict[str, Any]:
    return {
        "formula": explained.formula,
        "not_available": f"Not available: {explained.why_not}."
        if explained.value is None and explained.why_not
        else "",
        "inputs": [
            {
                "name": f"{one.label} {one.symbol}",
                "value": NONE if one.value is None else f"{one.value:.4g} {one.unit}".rstrip(),
                "source": one.source,
                "url": _page(one.kind, one.key),
                "opens": f"{MADE_BY[one.symbol]}-{day}" if one.symbol in MADE_BY else "",
            }
            for one in explained.inputs
        ],
    }


def _poured(waters: Iterable[WaterAdministration], *, is_reward: bool) -> dict[str, Any]:
    mine = [one for one in waters if (one.session_id is not None) == is_reward]
    return {
        "formula": f"sum of the day's administrations {'in' if is_reward else 'outside'} sessions",
        "inputs": [
            {
                "name": f"{one.at_wall:%H:%M}",
                "value": _volume(one),
                "source": _entered(one),
                "url": _page("water", one.pk),
            }
            for one in mine
        ],
    }


def _page(kind: str, key: UUID | None) -> str:
    if key is None or kind not in PAGES:
        return ""
    try:
        return reverse(f"admin:{PAGES[kind]}_change", args=[key])
    except NoReverseMatch:
        return ""


def _volume(water: WaterAdministration) -> str:
    if water.adlib:
        return "ad lib"
    return f"{water.volume_ml:.2f} mL" if water.volume_ml is not None else "unknown volume"


def _entered(record: Weighing | WaterAdministration) -> str:
    """Who said it, and whether it is in the numbers."""
    kind = getattr(record, "water_type", None)
    words = [f"by {record.user or 'nobody named'}", *([str(kind)] if kind else [])]
    return ", ".join(words if record.counts else [*words, "does not count: doubted"])


# The plot. Wall clocks of the lab are written as if they were UTC.


def _seconds(wall: datetime) -> int:
    return int(wall.replace(tzinfo=UTC).timestamp())


def _midnight(day: date) -> int:
    return _seconds(datetime.combine(day, time()))


def _plot(days: Sequence[Day], records: Records, now: datetime) -> dict[str, Any]:
    if not days:
        return {"days": [], "weighings": [], "restricted": [], "from": 0, "to": 0}
    start, end = _midnight(days[0].day), _midnight(days[-1].day + timedelta(days=1))
    weighings = [one for day in records.weighings.values() for one in day if one.counts]
    spans = [
        (_seconds(one.started_wall) if one.started_wall else start, _seconds(one.ended_wall or now))
        for one in records.restrictions
    ]
    return {
        "from": start,
        "to": end,
        "days": [_plotted(day, records) for day in days],
        "weighings": sorted([_seconds(one.at_wall), one.weight_g] for one in weighings),
        "restricted": [[max(since, start), min(until, end)] for since, until in spans if until > start and since < end],
    }


def _plotted(day: Day, records: Records) -> dict[str, Any]:
    def rounded(value: float | None) -> float | None:
        return None if value is None else round(value, 4)

    return {
        "noon": _midnight(day.day) + 43_200,
        "title": f"{day.day:%a %Y-%m-%d}, {'restricted' if day.is_restricted else 'not restricted'}",
        "expected": rounded(day.expected_g),
        "minimum": rounded(day.min_g),
        "floor": rounded(day.floor_g),
        "reward": rounded(day.reward_ml),
        "supplement": rounded(day.supplement_ml),
        "due": rounded(day.expected_ml) if day.is_restricted and not day.is_adlib else None,
        "told": _told(day, records),
    }


def _told(day: Day, records: Records) -> list[list[str]]:
    """The day in words: exact values, and who entered each."""
    told = [
        [f"weighed {one.at_wall:%H:%M}", f"{one.weight_g:g} g {_entered(one)}"]
        for one in records.weighings.get(day.day, ())
    ]
    numbers = [
        ("expected", day.expected_g, "g", 2),
        ("minimum", day.min_g, "g", 2),
        ("of expected", day.percentage, "%", 1),
    ]
    told += [[name, f"{value:.{decimals}f} {unit}"] for name, value, unit, decimals in numbers if value is not None]
    if day.percentage is not None and day.is_restricted:
        told[-1][1] += f" {SHAPES[day.status]} {WEIGHT_WORDS[day.status]}"
    told += [
        [f"{'reward' if one.session_id else 'supplement'} {one.at_wall:%H:%M}", f"{_volume(one)} {_entered(one)}"]
        for one in records.waters.get(day.day, ())
    ]
    if day.is_adlib:
        told.append(["water", "ad lib"])
    elif day.is_restricted and day.expected_ml is not None:
        told.append(["water", f"{day.given_ml:.2f} of {day.expected_ml:.2f} mL given"])
    return told


add_routes(
    path("subjects/subject/<uuid:subject_id>/water/", admin.site.admin_view(water_history), name="water_history")
)

"""Weigh many: one page, one row an animal, in the order of the cages. Each row is saved or comes back by itself."""

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.http import urlencode

from alyx.core.admin_shown import badge, page_now
from alyx.core.clock import utc_to_wall
from alyx.core.errors import DomainError, Doubtful, Invalid
from alyx.core.flags import typing
from alyx.core.reading import readable
from subjects.admin.shown import WEIGHT_WORDS
from subjects.models import Subject
from subjects.queries.round import MOST, round_animals
from subjects.queries.water import welfare_today
from subjects.rules.day import Day
from subjects.services.water import record_water, record_weight

NOT_SAVED = "weighing_round"
"""In the browser's session: what was typed and not saved, so that a reload sends nothing twice and nothing is lost."""
EVERY_LAB = "all"
NUMBER = re.compile(r"\d{1,6}(?:[.,]\d{0,6})?|[.,]\d{1,6}")


@dataclass
class Typed:
    """What a row of the form says."""

    weight: str = ""
    water: str = ""
    right: bool = False
    reason: str = ""
    doubted: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to save."""
        return not self.weight and not self.water


def weighing_round(page: Any, request: HttpRequest) -> HttpResponse:
    """`/admin/subjects/weighing/round/?lab=&cage=`: the restricted animals of my labs, or all of a cage."""
    if not page.has_add_permission(request):
        raise PermissionDenied
    if request.method == "POST":
        return _saved(request)
    cage = request.GET.get("cage", "").replace("\x00", "").strip()
    animals = round_animals(request.user, cage=cage)
    labs = sorted({animal.lab for animal in animals}, key=lambda one: one.name)
    lab = next((one for one in labs if one.name == request.GET.get("lab")), None)
    animals = [animal for animal in animals if lab is None or animal.lab == lab][:MOST]
    days = welfare_today(animals)
    left = {key: Typed(**typed) for key, typed in request.session.get(NOT_SAVED, {}).items()}
    rows = [_row(animal, days[animal.pk], left.get(str(animal.pk), Typed())) for animal in animals]
    context = {
        **page.admin_site.each_context(request),
        "title": "Weigh many",
        "opts": page.opts,
        "labs": labs,
        "lab": lab,
        "cage": cage,
        "zones": sorted({animal.lab.timezone for animal in animals}),
        "rows": rows,
        "many_labs": len({animal.lab_id for animal in animals}) > 1,
        "weighed": sum(row["is_weighed"] for row in rows),
        "refused": sum(bool(row["typed"].reason) for row in rows),
        "query": request.GET.urlencode(),
    }
    return TemplateResponse(request, "admin/water_round.html", context)


def _row(animal: Subject, day: Day, typed: Typed) -> dict[str, Any]:
    words = "not available" if day.percentage is None else f"{day.percentage:.1f} % {WEIGHT_WORDS[day.status]}"
    due = "–" if day.remaining_ml is None else f"{max(day.remaining_ml, 0.0):.2f} mL"
    return {
        "animal": animal,
        "weight": None if day.weight_g is None else f"{day.weight_g:.1f}",
        "at": day.weighed_at_wall,
        "is_weighed": day.is_weighed,
        "standing": badge(day.status, words, day.why_not.get("percentage", "")),
        "water": "ad lib" if day.is_adlib else due,
        "typed": typed,
    }


# Saving.


def _saved(request: HttpRequest) -> HttpResponse:
    """Each row by itself; then back to the page, which shows what is left."""
    sent = _sent(request)
    rows = Subject.objects.shown().select_related("lab", "responsible_user", "species")
    animals = readable(request.user, rows).in_bulk([UUID(key) for key in sent])
    left: dict[str, dict[str, Any]] = {}
    done = 0
    for key, typed in sent.items():
        animal = animals.get(UUID(key))
        try:
            if animal is None:
                raise Invalid("this animal is no longer there")
            _record(request, animal, typed)
            done += 1
        except DomainError as refused:
            reason = "; ".join(dict.fromkeys(text for texts in refused.fields.values() for text in texts))
            left[key] = {
                "weight": typed.weight[:20],
                "water": typed.water[:20],
                "reason": reason or refused.detail,
                "doubted": isinstance(refused, Doubtful),
            }
    request.session[NOT_SAVED] = left
    if done:
        messages.success(request, f"{done} {'row' if done == 1 else 'rows'} saved.")
    if left:
        messages.warning(request, f"{len(left)} not saved: the reason stands below each box.")
    if not sent:
        messages.info(request, "Nothing was typed, so nothing was saved.")
    query = urlencode({name: request.GET[name] for name in ("lab", "cage") if request.GET.get(name)})
    return HttpResponseRedirect(f"{request.path}?{query}" if query else request.path)


def _sent(request: HttpRequest) -> dict[str, Typed]:
    """The rows in which something was typed, by the animal's key."""
    rows: dict[str, Typed] = {}
    for name, value in request.POST.items():
        kind, _, key = name.partition("-")
        if kind not in {"weight", "water", "right"} or len(rows) >= MOST:
            continue
        try:
            typed = rows.setdefault(str(UUID(key)), Typed())
        except ValueError:
            continue
        setattr(typed, kind, value == "on" if kind == "right" else str(value).strip())
    return {key: typed for key, typed in rows.items() if not typed.is_empty}


def _record(request: HttpRequest, animal: Subject, typed: Typed) -> None:
    """Both or neither. Raises DomainError."""
    wall = utc_to_wall(page_now(), animal.lab.timezone)
    said = {"subject": animal, "date_time": wall}
    with transaction.atomic(), typing(confirmed=typed.right):
        if typed.weight:
            record_weight(
                actor=request.user, values={**said, "weight": _number(typed.weight, "weight", "grams, like 23.4")}
            )
        if typed.water:
            volume = _number(typed.water, "water_administered", "millilitres, like 0.8")
            record_water(actor=request.user, values={**said, "water_administered": volume})


def _number(text: str, field: str, like: str) -> float:
    if not NUMBER.fullmatch(text):
        raise Invalid.of(field, f"“{text[:20]}” is no number: write {like}")
    return float(text.replace(",", "."))

"""The training overview: the week of the restricted animals, what is due today first."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.http import urlencode

from alyx.core.admin_routes import add_routes
from alyx.core.admin_shown import badge, page_now
from alyx.core.clock import utc_to_wall
from alyx.core.reading import readable
from alyx.labs.models import Lab
from sessions.models import Session
from sessions.training import DAYS, Row, keepers, monday, restricted_in, week_of
from subjects.admin.shown import WEIGHT_WORDS
from subjects.models import Subject

REMEMBERED = "training_overview"
EVERYBODY = "all"


def training(request: HttpRequest) -> HttpResponse:
    """`GET /admin/training/?week=&lab=&user=`: lab and user are remembered; without a week it is this one."""
    kept = request.session.get(REMEMBERED, {})
    if "lab" in request.GET or "user" in request.GET:
        chosen = {name: request.GET[name] for name in ("lab", "user") if request.GET.get(name)}
        if chosen != kept:
            request.session[REMEMBERED] = chosen
    elif kept:
        return HttpResponseRedirect(f"{request.path}?{urlencode({**request.GET.dict(), **kept})}")
    else:
        chosen = {}
    labs = list(Lab.objects.order_by("name"))
    lab = _chosen_lab(request, labs, chosen.get("lab", ""))
    now = page_now()
    today = utc_to_wall(now, lab.timezone if lab else "UTC").date()
    first = monday(_day(request.GET.get("week", "")) or today)
    animals = readable(request.user, Subject.objects.shown())
    subjects = restricted_in(first, animals.filter(lab=lab) if lab else animals)
    people = keepers(subjects)
    if user := next((one for one in people if one.username == chosen.get("user")), None):
        subjects = [subject for subject in subjects if subject.responsible_user_id == user.pk]
    rows = week_of(subjects, first, now, readable(request.user, Session.objects.shown()))
    query = {"lab": lab.name if lab else EVERYBODY, "user": user.username if user else ""}
    context = {
        **admin.site.each_context(request),
        "title": "Training",
        "labs": labs,
        "lab": lab,
        "people": people,
        "user_chosen": user,
        "user_unknown": chosen.get("user") if chosen.get("user") and not user else None,
        "days": [{"day": first + timedelta(days=number), "is_today": first + timedelta(days=number) == today}
                 for number in range(DAYS)],
        "rows": [_shown(row) for row in rows],
        "due": sum(row.is_due for row in rows),
        "is_this_week": first == monday(today),
        "weeks": [
            {"name": name, "query": urlencode({"week": f"{start:%Y-%m-%d}", **query})}
            for name, start in _weeks(first, today)
        ],
        "week": first,
    }  # fmt: skip
    return TemplateResponse(request, "admin/water_training.html", context)


def _chosen_lab(request: HttpRequest, labs: list[Lab], name: str) -> Lab | None:
    """The lab asked for, else the user's first one; None: all of them."""
    if name == EVERYBODY:
        return None
    asked = next((lab for lab in labs if lab.name == name), None)
    if asked is not None:
        return asked
    user: Any = request.user
    mine: set[UUID] = set(user.memberships.values_list("lab_id", flat=True))
    return next((lab for lab in labs if lab.pk in mine), None)


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 1900 <= day.year < 3000 else None


def _weeks(first: date, today: date) -> list[tuple[str, date]]:
    around = timedelta(days=DAYS)
    others = [("This week", monday(today))] if first != monday(today) else []
    return [("Previous week", first - around), *others, ("Next week", first + around)]


def _shown(row: Row) -> dict[str, Any]:
    word = WEIGHT_WORDS[row.status]
    words = "not available" if row.percentage is None else f"{row.percentage:.1f} % {word}"
    return {
        "row": row,
        "subject": row.subject,
        "standing": badge(row.status, words, "of the expected weight"),
        "cells": row.cells,
    }


add_routes(path("training/", admin.site.admin_view(training), name="training"))

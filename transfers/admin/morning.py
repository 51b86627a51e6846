"""The page "Last night": how far each lab's night came, and what must be done, by whom. Each line is one click from its files."""

import uuid
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path

from alyx.core.admin_routes import add_routes
from alyx.core.errors import DomainError, Invalid
from alyx.core.tasks import enqueue_on_commit
from alyx.labs.holding import held_by
from alyx.labs.permissions import Right
from transfers import tasks
from transfers.admin import morning_rows as rows
from transfers.queries.morning import morning
from transfers.queries.needs import Key, Need
from transfers.queries.nights import dates, labs_read_by
from transfers.services import acting


def page(request: HttpRequest) -> HttpResponse:
    """`/admin/transfers/morning/`."""
    if request.method == "POST":
        return _act(request)
    if request.method not in {"GET", "HEAD"}:
        return HttpResponseNotAllowed(["GET", "POST"])
    everything = labs_read_by(request.user)
    labs = [lab for lab in everything if request.GET.get("lab", "") in {"", lab.name}]
    on = _date(request.GET.get("date", ""))
    found = morning(labs, on)
    held = held_by(request)
    manages = {lab.pk for lab in labs if held.verdict(lab, Right.MANAGE)}
    one = found.nights[0] if len(found.nights) == 1 else None
    before, after = dates(one.lab, one.on) if one is not None and one.on else (None, None)

    zones = {lab.pk: lab.timezone for lab in labs}

    def shown(needs: list[Need]) -> list[dict[str, Any]]:
        return [rows.of_need(need, need.key.lab in manages, zones[need.key.lab]) for need in needs]

    context = {
        **admin.site.each_context(request),
        "title": "Last night" if on is None else f"The night of {on:%d %B %Y}",
        "labs": everything,
        "lab": labs[0].name if len(labs) == 1 and request.GET.get("lab") else "",
        "on": on,
        "before": before,
        "after": after,
        "as_of": found.at.isoformat(),
        "nights": [rows.of_night(night) for night in found.nights],
        "some_wait": any(night.waiting.files for night in found.nights),
        "mine": shown(found.mine),
        "by_itself": shown(found.by_itself),
        "ignored": shown(found.ignored),
        "holds": [rows.of_hold(held) for held in found.holds],
        "scans": [rows.of_scan(scan) for scan in found.scans],
        "left": [rows.of_unregistered(one) for one in found.left],
        "left_count": sum(one.files for one in found.left),
        "left_waits": any(not one.waits for one in found.left),
        "sets": rows.failed_sets(found.mine + found.by_itself, manages),
    }
    return TemplateResponse(request, "admin/morning.html", context)


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Http404(f"{text!r} is not a date such as 2026-03-09") from None


# What the buttons do.


def _act(request: HttpRequest) -> HttpResponse:
    acts: dict[str, Callable[[HttpRequest], str]] = {
        "retry": _retry,
        "escalate": _escalate,
        "ignore": _ignore,
        "look": _look,
    }
    act = acts.get(request.POST.get("do", ""))
    if act is None:
        raise Http404
    if not request.user.is_staff:
        raise PermissionDenied
    try:
        done = act(request)
    except DomainError as refused:
        messages.error(request, refused.detail)
    else:
        messages.success(request, done)
    return HttpResponseRedirect(request.get_full_path())


def _said(request: HttpRequest) -> tuple[datetime, str]:
    """When the page was made, and the reason."""
    try:
        as_of = datetime.fromisoformat(request.POST.get("as_of", ""))
    except ValueError:
        raise Invalid.of("as_of", "the page does not say when it was made: load it again") from None
    if as_of.tzinfo is None:
        raise Invalid.of("as_of", "a time with its zone")
    return as_of, request.POST.get("reason", "")


def _key(request: HttpRequest) -> Key:
    try:
        return Key.parse(request.POST.get("need", ""))
    except ValueError as error:
        raise Invalid.of("need", str(error)) from None


def _retry(request: HttpRequest) -> str:
    as_of, reason = _said(request)
    key = _key(request) if request.POST.get("need") else None
    try:
        lab = key.lab if key else uuid.UUID(request.POST.get("lab", ""))
    except ValueError:
        raise Http404 from None
    now = request.POST.get("now") == "on"
    done = acting.retry_failed(actor=request.user, lab=lab, key=key, as_of=as_of, reason=reason, now=now)
    enqueue_on_commit(tasks.work)
    if not done.count:
        return "Nothing was left to retry: it was asked for already, or went on by itself"
    files = f"{done.count} file{'' if done.count == 1 else 's'}"
    when = "begins within a minute" if now else "goes when the night of its source opens"
    return f"Tried again: {files} of {done.lab.name}; that {when}"


def _escalate(request: HttpRequest) -> str:
    as_of, reason = _said(request)
    done = acting.escalate(actor=request.user, key=_key(request), as_of=as_of, reason=reason)
    return (
        "Passed on to the heads of the lab and the administrators" if done.count else "That had been passed on already"
    )


def _ignore(request: HttpRequest) -> str:
    as_of, reason = _said(request)
    done = acting.ignore(actor=request.user, key=_key(request), as_of=as_of, reason=reason)
    return "Left as it is; it stands below under “Ignored”" if done.count else "That had been decided already"


def _look(request: HttpRequest) -> str:
    key = _key(request)
    count = acting.look_again(actor=request.user, key=key)
    enqueue_on_commit(tasks.look)
    return f"{count} cop{'y' if count == 1 else 'ies'} will be read back within a minute"


add_routes(path("transfers/morning/", admin.site.admin_view(page), name="morning"))

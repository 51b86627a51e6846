"""`/admin/transfers/health/`: whether each repository is ready for tonight, why not, and whose turn it is, by lab."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import F, Window
from django.db.models.functions import RowNumber
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import path

from alyx.core.admin_routes import add_routes
from alyx.core.admin_shown import ago, badge, link, megabytes, page_now
from alyx.core.reading import readable
from alyx.core.status import Status
from datasets.models import Repository, RepositoryState
from transfers.models import Preflight
from transfers.queries.holds import Held, held
from transfers.rules.hours import standing_of
from transfers.rules.preflight import next_night

LOOKS_SHOWN = 5
STATES = {
    RepositoryState.ACTIVE: (Status.FINE, "in use"),
    RepositoryState.BLOCKED: (Status.FAILED, "blocked"),
    RepositoryState.FULL: (Status.FAILED, "full"),
    RepositoryState.QUARANTINED: (Status.CRITICAL, "quarantined"),
    RepositoryState.RETIRING: (Status.NEUTRAL, "retiring"),
}
WORDS = {
    Status.FINE: "ready",
    Status.NEUTRAL: "not ours",
    Status.WARNING: "ready, but",
    Status.FAILED: "not ready",
    Status.CRITICAL: "not ready",
}
ROLES = ["lab", "central", "mirror", "archive"]


def page(request: HttpRequest) -> HttpResponse:
    """All repositories that are not retired; those that need somebody first."""
    if request.method not in {"GET", "HEAD"}:
        return HttpResponseNotAllowed(["GET"])
    places = list(
        readable(request.user, Repository.objects.exclude(state=RepositoryState.RETIRED)).prefetch_related("labs")
    )
    looks = _latest(places)
    now = page_now()
    holds = held(now)
    rows = [_row(place, looks[place.pk], now, holds) for place in places]
    needing = [row for row in rows if row["needs"]]
    context = {
        **admin.site.each_context(request),
        "title": "Repository health",
        "groups": _by_lab(rows),
        "n_needing": len(needing),
        "n_rows": len(rows),
        "looked": max((look.at for found in looks.values() for look in found), default=None),
    }
    return TemplateResponse(request, "admin/repository_health.html", context)


def _latest(places: Iterable[Repository]) -> dict[UUID, list[Preflight]]:
    """The last looks at each, the latest first."""
    numbered = Preflight.objects.filter(repository__in=[place.pk for place in places]).annotate(
        number=Window(RowNumber(), partition_by=F("repository"), order_by=F("id").desc())
    )
    found: dict[UUID, list[Preflight]] = defaultdict(list)
    for look in numbered.filter(number__lte=LOOKS_SHOWN).order_by("repository", "-id"):
        found[look.repository_id].append(look)
    return found


def _row(place: Repository, looks: list[Preflight], now: datetime, holds: list[Held]) -> dict[str, Any]:
    status, word = STATES[RepositoryState(place.state)]
    last = looks[0] if looks else None
    verdict = Status(last.status) if last else Status.NEUTRAL
    stopped = place.state not in {RepositoryState.ACTIVE, RepositoryState.RETIRING}
    night = next_night(now, place.window_start, place.window_end, place.zone)
    begins = night.starts_at.astimezone(place.zone)
    open_now = night.starts_at <= now
    return {
        "labs": [lab.name for lab in place.labs.all()],
        "name": link(place),
        "role": place.get_role_display(),
        "order": (verdict not in {Status.FAILED, Status.CRITICAL} and not stopped, ROLES.index(place.role), place.name),
        "needs": stopped or verdict in {Status.FAILED, Status.CRITICAL},
        "status": status.value if stopped else verdict.value,
        "state": badge(status, word) if stopped or place.state == RepositoryState.RETIRING else "",
        "verdict": badge(verdict, WORDS[verdict]) if last else badge(Status.NEUTRAL, "not looked at yet"),
        "what": _what(place, last, stopped),
        "who": (last.who if last and last.who != "nobody" else "whoever runs the repository")
        if stopped
        else _who(last),
        "checks": [badge(Status(state), name, said) for name, state, said in last.checks] if last else [],
        "free": megabytes(last.free_bytes) if last else "–",
        "comes": _load(last.need_files, last.need_bytes, last.need_unknown) if last else "–",
        "leaves": _load(last.send_files, last.send_bytes, 0) if last else "–",
        "bandwidth": standing_of(place, now),
        "held": sum(one.files for one in holds if place.name in one.ends),
        "begins": "open now" if open_now else f"{begins:%a %H:%M} {place.timezone}",
        "looks": [
            badge(Status(look.status), f"{look.at.astimezone(place.zone):%d %b %H:%M}", look.what) for look in looks
        ],
        "at": ago(last.at) if last else "never",
    }


def _what(place: Repository, last: Preflight | None, stopped: bool) -> str:
    if stopped and place.state_reason:
        return place.state_reason
    if last is None:
        return "It is looked at in its evening, or by manage.py preflight."
    return last.what


def _who(last: Preflight | None) -> str:
    return last.who if last is not None else "nobody"


def _load(files: int, size_bytes: int, unknown: int) -> str:
    if not files:
        return "nothing"
    more = f", {unknown} of unknown size" if unknown else ""
    return f"{megabytes(size_bytes)} in {files} files{more}"


def _by_lab(rows: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """A repository stands with its lab, one of several labs or of none apart; labs with trouble first."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row["order"]):
        labs = row["labs"]
        groups[labs[0] if len(labs) == 1 else "several labs" if labs else "no lab"].append(row)
    return sorted(groups.items(), key=lambda group: (not any(row["needs"] for row in group[1]), group[0]))


add_routes(path("transfers/health/", admin.site.admin_view(page), name="repository_health"))

"""“Verify now” on a dataset's page: asks for looks, and says how far they are while the page is open."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, JsonResponse
from django.urls import path

from alyx.core import clock
from alyx.core.admin_routes import add_routes
from alyx.core.admin_shown import badge, page_of
from alyx.core.errors import DomainError
from alyx.core.reading import readable
from alyx.core.status import Status
from alyx.core.tasks import enqueue_on_commit
from datasets.admin.copies import copies_sentence, is_asked_for, shown_copy, standing_badge
from datasets.models import Dataset, FileRecord
from datasets.services.looks import ask_for_looks
from transfers import tasks
from transfers.services.places import READABLE_STATES, reachable


def _dataset(request: HttpRequest, key: UUID) -> Dataset:
    if not request.user.is_staff:
        raise PermissionDenied
    found: Dataset | None = readable(request.user, Dataset.objects.shown().filter(pk=key)).first()
    if found is None:
        raise Http404
    return found


def verify(request: HttpRequest, key: UUID) -> HttpResponse:
    """`POST /admin/transfers/copies/<dataset>/verify/`: read one copy (`copy`) or all back; back to the page, which shows how far it is."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    dataset = _dataset(request, key)
    try:
        chosen = [UUID(text) for text in request.POST.getlist("copy")] or None
    except ValueError:
        raise Http404 from None
    try:
        asked = ask_for_looks(actor=request.user, dataset=dataset, copies=chosen)
    except DomainError as refused:
        messages.error(request, refused.detail)
    else:
        enqueue_on_commit(tasks.look)
        if not asked:
            messages.warning(request, "No copy is there to be read.")
    return HttpResponseRedirect(f"{page_of(dataset)}#copies")


def progress(request: HttpRequest, key: UUID) -> HttpResponse:
    """`GET /admin/transfers/copies/<dataset>/`: the table's cells as they are now, and whether to ask again."""
    dataset = _dataset(request, key)
    now = clock.now()
    copies = list(dataset.file_records.select_related("repository").order_by("repository__name"))
    moves = list(dataset.transfer_items.order_by("-created_at")[:20])
    rows = {str(copy.pk): _row(copy, shown_copy(copy, moves), is_asked_for(copy, now)) for copy in copies}
    answer = {
        "says": copies_sentence(copies, now),
        "standing": str(standing_badge(copies)),
        "rows": {key: row["cells"] for key, row in rows.items()},
        "again": any(row["again"] for row in rows.values()),
    }
    response = JsonResponse(answer)
    response["Cache-Control"] = "no-store"
    return response


def _row(copy: FileRecord, shown: dict[str, Any], asked: bool) -> dict[str, Any]:
    cells = {
        "state": str(shown["badge"]),
        "size": shown["size"],
        "hash": str(shown["hash"]),
        "proved": str(shown["proved"]),
        "by": str(shown["by"]),
        "why": "",
    }
    can = copy.repository.state in READABLE_STATES and reachable(copy.repository)
    if asked and can:
        cells["state"] = str(badge(Status.NEUTRAL, "being read back"))
    cells["why"] = shown["why"] if can or not asked else _cannot(copy)
    return {"cells": cells, "again": asked and can}


def _cannot(copy: FileRecord) -> str:
    place = copy.repository
    if not reachable(place):
        return f"asked for, but nothing of ours reaches {place.name}: its lab verifies it"
    return f"asked for; it is read once {place.name} is usable again ({place.state}). {place.state_reason}".strip()


add_routes(
    path("transfers/copies/<uuid:key>/", admin.site.admin_view(progress), name="copies_progress"),
    path("transfers/copies/<uuid:key>/verify/", admin.site.admin_view(verify), name="copies_verify"),
)

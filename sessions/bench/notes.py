"""Live notes of a session: the page, and what it shows when there is a network."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.contenttypes.models import ContentType
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from alyx.core import clock
from alyx.core.errors import NotFound
from alyx.core.journal.views import bench, page
from alyx.core.journal.worker import offline
from alyx.core.models import Note
from alyx.core.reading import readable
from sessions.models import Session

MOST_NOTES = 500
offline(assets=["bench/notes.js"])


@require_safe
@login_required(login_url=settings.LOGIN_URL)
def live_page(request: HttpRequest, id: str) -> HttpResponse:  # noqa: A002  (the name in the path)
    """`/sessions/<uuid>/live`: the shell. What it shows comes by `live_data`, and stays on the tablet."""
    session = _found(request.user, id)
    if session is None:
        raise Http404("there is no such session")
    return page(request, "bench/live_notes.html", {"title": f"Live notes · {session}", "session": session})


@bench("GET")
def live_data(request: HttpRequest, id: str) -> HttpResponse:  # noqa: A002
    """The session, its zone, its notes, oldest first. Raises NotFound."""
    session = _found(request.user, id)
    if session is None:
        raise NotFound(f"there is no session {id}")
    notes = Note.objects.filter(
        content_type=ContentType.objects.get_for_model(Session), object_id=session.pk, withdrawn_at__isnull=True
    ).select_related("user")
    rows = sorted(notes.order_by("-at", "id")[:MOST_NOTES], key=lambda note: note.at)
    return JsonResponse(
        {
            "now": clock.now().isoformat(),
            "session": str(session.pk),
            "name": str(session),
            "zone": session.zone,
            "notes": [note_shown(note) for note in rows],
        }
    )


def note_shown(note: Note) -> dict[str, Any]:
    """A note, as the page shows it."""
    return {
        "id": str(note.pk),
        "text": note.text,
        "at": note.at.isoformat(),
        "zone": note.zone,
        "by": note.user.username,
        "picture": f"/media/{note.image.name}" if note.image else None,
    }


def _found(reader: Any, id: str) -> Session | None:  # noqa: A002
    try:
        key = UUID(id)
    except ValueError:
        return None
    rows = Session.objects.filter(pk=key, withdrawn_at__isnull=True).select_related("subject", "lab")
    return readable(reader, rows).first()

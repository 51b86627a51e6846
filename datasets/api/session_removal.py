"""`DELETE /sessions/<id>`: its datasets go with it, so this lives in the upper app."""

from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from alyx.core.errors import NotFound
from alyx.core.reading import readable
from datasets.services.withdrawal import withdraw_session
from sessions.models import Session


def delete_session(request: Request, session_id: UUID) -> Response:
    """Withdraw the session and what hangs on it. Raises NotFound, Forbidden, DatasetProtected."""
    session = readable(request.user, Session.objects.shown().filter(pk=session_id)).first()
    if session is None:
        raise NotFound(f"there is no session {session_id}")
    withdraw_session(actor=request.user, session=session)
    return Response(status=204)

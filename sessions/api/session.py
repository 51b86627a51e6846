"""REST for sessions."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from alyx.core.errors import Invalid, NotFound
from alyx.core.reading import may_read_key, reach_of, reads_all
from alyx.core.rest.text_pages import TextPages
from alyx.core.rest.views import ChangeableEndpoint, Endpoint
from sessions.api.filters import FILTERS, joint_dataset_filters
from sessions.api.query_fields import SESSIONS
from sessions.api.serializers import SessionDetail, SessionList
from sessions.models import Session
from sessions.queries.session import light_page, newest_first
from sessions.queries.session_record import detail_record, is_shown, public_record
from sessions.services.session import change_session, register_session, withdraw_session


class _Sessions(Endpoint):
    is_public = True
    queryset = Session.objects.shown()

    def sent(self, *, partial: bool) -> dict[str, Any]:
        """The checked fields; a null among the users is remembered, for a flag."""
        fields = super().sent(partial=partial)
        users = self.body().get("users")
        if isinstance(users, list) and None in users:
            fields["users_unnamed"] = True
        return fields

    def detailed(self, key: UUID) -> dict[str, Any]:
        """The full record of one. Raises NotFound."""
        is_public = reach_of(self.actor).is_public
        of = public_record if is_public else detail_record
        record = of(key, self.base_url) if may_read_key(self.actor, Session.objects.shown(), key) else None
        if record is None:
            raise NotFound(f"there is no session {key}")
        return record


class SessionListView(_Sessions, TextPages):
    """`/sessions`."""

    query_fields = SESSIONS
    filters = FILTERS
    posted = (200, 201)

    def get_serializer_class(self) -> Any:
        """Bodies are detail records."""
        return SessionDetail if self.request and self.request.method == "POST" else SessionList

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The filters and the joint ones; newest first."""
        rows = super().filter_queryset(queryset)
        try:
            rows = joint_dataset_filters(rows, self.request.query_params)
        except ValueError as error:
            raise Invalid.of("dataset_qc_lte", str(error)) from None
        return newest_first(rows)

    def read(self, rows: QuerySet[Any]) -> tuple[str, int]:
        """Light records."""
        return light_page(rows, self.base_url)

    def post(self, request: Request) -> Response:
        """Register a session: 201 when it is new, 200 when it was there."""
        session, is_new = register_session(actor=self.actor, values=self.sent(partial=False))
        return Response(self.detailed(session.pk), status=201 if is_new else 200)


class SessionDetailView(_Sessions, ChangeableEndpoint):
    """`/sessions/{id}`. `removal` is given by the routes: what hangs on a session from above goes with it."""

    serializer_class = SessionDetail
    lookup_field = "id"
    noun = "session"
    removal: Any = None

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The full record."""
        return Response(self.detailed(self.key()))

    def found(self) -> Session:
        """No more than its key: the services lock the row and read it then. Raises NotFound."""
        key = self.key()
        is_open = reads_all(self.actor, Session)
        if not (is_shown(key) if is_open else may_read_key(self.actor, Session.objects.shown(), key)):
            raise NotFound(f"there is no session {key}")
        return Session(pk=key)

    def record(self, row: Any) -> dict[str, Any]:
        """The full record."""
        return self.detailed(row.pk)

    def change(self, row: Any, sent: dict[str, Any]) -> Session:
        """Apply what was sent."""
        return change_session(actor=self.actor, session=row, changes=sent)

    def delete(self, request: Request, id: str) -> Response:  # noqa: A002  (the name in the path)
        """Withdraw the session with everything that hangs on it."""
        if self.removal is not None:
            answer: Response = self.removal(request, self.key())
            return answer
        withdraw_session(actor=self.actor, session=self.found())
        return Response(status=204)

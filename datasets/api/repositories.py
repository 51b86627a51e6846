"""`/data-repository`."""

from collections.abc import Sequence
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ChoiceField

from alyx.core.errors import Invalid
from alyx.core.rest.fields import TextField
from alyx.core.rest.filters import BOOLEAN, asked, equals, is_key
from alyx.core.rest.names import in_path
from alyx.core.rest.query_language import truth
from alyx.core.rest.views import ChangeableEndpoint, Endpoint, ListEndpoint
from datasets.api import serializers
from datasets.models import Repository, RepositoryKind, RepositoryRole
from datasets.services.repositories import change_repository, create_repository, delete_repository
from datasets.services.secrets import without_secrets


def _personal(rows: Any, value: str) -> Any:
    return rows.filter(role=RepositoryRole.LAB) if truth(value) else rows.exclude(role=RepositoryRole.LAB)


_PLACE = {"root", "endpoint", "region", "credential"}
_ELSEWHERE = (RepositoryKind.S3, RepositoryKind.GLOBUS)


class RepositoryPlace(serializers.DataRepository):
    """A repository as it is sent: with the bucket or collection it lies in, which is for superusers to say and is not told
    again; and with its bandwidth, which is no field of Alyx's record either. Which folder of this machine one is, is not said
    over REST."""

    kind = ChoiceField(choices=RepositoryKind.choices, required=False, write_only=True)
    root = TextField(required=False, write_only=True, max_length=1000)  # type: ignore[assignment]
    endpoint = TextField(required=False, write_only=True, max_length=500)
    region = TextField(required=False, write_only=True, max_length=64)
    credential = TextField(required=False, write_only=True, max_length=64)
    bandwidth = TextField(required=False, write_only=True, max_length=2000)

    class Meta:
        ref_name = "DataRepository"


class _Repositories(Endpoint):
    is_public = True
    serializer_class = RepositoryPlace
    queryset = Repository.objects.order_by("name")

    def record(self, row: Any) -> dict[str, Any]:
        """A repository on the wire. Where it lies on this machine is not part of it, nor is any secret."""
        return {
            "name": row.name,
            "timezone": row.timezone,
            "globus_path": row.globus_path,
            "hostname": row.hostname,
            "data_url": row.data_url,
            "repository_type": row.repository_type or None,
            "globus_endpoint_id": row.globus_endpoint_id,
            "globus_is_personal": not row.is_server,
            "json": without_secrets(row.json),
        }

    def columns(self, sent: dict[str, Any], kind: str) -> dict[str, Any]:
        """The columns of what was sent, without `globus_is_personal`; where it lies only for buckets and collections."""
        left_out = {"globus_is_personal"} | (set() if kind in _ELSEWHERE else _PLACE)
        columns = {name: value for name, value in sent.items() if name not in left_out}
        if columns.get("repository_type", "") is None:
            columns["repository_type"] = ""
        return columns


class RepositoryList(_Repositories, ListEndpoint):
    """`/data-repository`."""

    filters = {
        "name": equals("name"),
        "globus_endpoint_id": is_key("globus_endpoint_id"),
        "globus_is_personal": asked(_personal, "a lab's own", BOOLEAN),
    }

    def records(self, rows: Sequence[Any]) -> list[Any]:
        """Repositories."""
        return [self.record(row) for row in rows]

    def post(self, request: Request) -> Response:
        """A new repository: a lab's own when it is personal, else a central store."""
        sent = self.sent(partial=False)
        role = RepositoryRole.LAB if sent.get("globus_is_personal") else RepositoryRole.CENTRAL
        kind = sent.pop("kind", RepositoryKind.POSIX)
        made = create_repository(actor=self.actor, role=role, kind=kind, **self.columns(sent, kind))
        return Response(self.record(made), status=201)


class RepositoryDetail(_Repositories, ChangeableEndpoint):
    """`/data-repository/{name}`."""

    lookup_field = "name"

    def found(self) -> Repository:
        """The repository in the path."""
        found: Repository = in_path(self.get_queryset(), self.kwargs["name"], what="repository")
        return found

    def change(self, row: Any, sent: dict[str, Any]) -> Repository:
        """Apply what was sent."""
        personal = sent.get("globus_is_personal")
        if personal is not None and personal is row.is_server:
            raise Invalid.of(
                "globus_is_personal", "what a repository is for is changed by an administrator, not over REST"
            )
        sent.pop("kind", None)
        return change_repository(actor=self.actor, repository=row, changes=self.columns(sent, row.kind))

    def delete(self, request: Request, name: str) -> Response:
        """Remove a repository without copies."""
        delete_repository(actor=self.actor, repository=self.found())
        return Response(status=204)

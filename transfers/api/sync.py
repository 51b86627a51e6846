"""`/sync-file-status`: what is not yet where it should be, and a nudge."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from alyx.core.rest.views import Endpoint
from alyx.core.tasks import enqueue_on_commit
from transfers.queries import PENDING_AT_MOST, pending_paths
from transfers.services.nudging import labs_to_nudge
from transfers.tasks import plan, work


class SyncFileStatus(Endpoint):
    """`/sync-file-status`."""

    pagination_class = None
    posted = (200,)

    @extend_schema(responses=list[str], description=f"A bare array of at most {PENDING_AT_MOST} relative paths.")
    def get(self, request: Request) -> Response:
        """The relative paths of files that a server should have and has not."""
        return Response(pending_paths(reader=self.actor))

    @extend_schema(request=None, responses=dict[str, Any])
    def post(self, request: Request) -> Response:
        """Plan the missing files of the caller's labs now; they move as soon as a night allows."""
        labs = labs_to_nudge(actor=self.actor)
        enqueue_on_commit(plan, [str(lab.pk) for lab in labs])
        enqueue_on_commit(work)
        return Response(
            {
                "detail": "what is missing is being planned; it moves in the next night of each place",
                "labs": [lab.name for lab in labs],
            }
        )

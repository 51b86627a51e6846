"""`/transfers/scans` and `/transfers/found`: what the search for unregistered files saw, and what it could not register."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet

from alyx.core.rest.filters import contains, day_range, equals, is_day
from alyx.core.rest.views import ListEndpoint
from transfers.api import serializers
from transfers.models import FoundFile, Scan
from transfers.rules.intake import FIXES, SENTENCES, Why


class ScanList(ListEndpoint):
    """`/transfers/scans`."""

    serializer_class = serializers.TransferScan
    filters = {
        "repository": equals("repository__name"),
        "lab": equals("repository__labs__name", many=True),
        "kind": equals("kind"),
        "state": equals("state"),
        "local_date": is_day("local_date"),
        "date_range": day_range("local_date"),
    }

    def rows(self) -> QuerySet[Any]:
        """Newest first."""
        return Scan.objects.select_related("repository").order_by("-created_at", "id")

    def records(self, rows: Sequence[Any]) -> list[Any]:
        """Of a page."""
        names = (
            *("id", "kind", "local_date", "state", "passes", "files", "known", "waiting", "left"),
            *("registered", "sessions_made", "problem"),
        )
        return [{name: getattr(row, name) for name in names} | {"repository": row.repository.name} for row in rows]


class FoundList(ListEndpoint):
    """`/transfers/found`."""

    serializer_class = serializers.TransferFound
    filters = {
        "repository": equals("repository__name"),
        "lab": equals("lab__name"),
        "why": equals("why"),
        "path": contains("path"),
    }

    def rows(self) -> QuerySet[Any]:
        """By place and path."""
        return FoundFile.objects.select_related("repository", "lab").order_by("repository__name", "path", "id")

    def records(self, rows: Sequence[Any]) -> list[Any]:
        """Of a page."""
        return [_found(row) for row in rows]


def _found(row: FoundFile) -> dict[str, Any]:
    why = Why(row.why)
    names = ("id", "path", "size_bytes", "since", "seen_at", "why", "detail")
    return {name: getattr(row, name) for name in names} | {
        "repository": row.repository.name,
        "lab": row.lab.name if row.lab else None,
        "says": SENTENCES[why],
        "do": FIXES.get(why, ""),
    }

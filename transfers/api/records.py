"""`/transfers/windows`, `jobs`, `items`, `attempts`, `events`: what the engine has on record, for whoever reads the data."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet

from alyx.core.rest.filters import day_range, equals, is_day, is_key, is_number
from alyx.core.rest.views import DetailEndpoint, Endpoint, ListEndpoint
from transfers.api import serializers
from transfers.models import Attempt, Event, NightWindow, TransferItem, TransferJob
from transfers.queries import what_follows

LOG_AT_MOST = 500


class _Windows(Endpoint):
    serializer_class = serializers.TransferWindow

    def rows(self) -> QuerySet[Any]:
        """Newest first."""
        return NightWindow.objects.select_related("repository").order_by("-starts_at", "id")

    def record(self, row: NightWindow) -> dict[str, Any]:
        """One window."""
        names = ("id", "local_date", "kind", "state", "starts_at", "ends_at")
        return {name: getattr(row, name) for name in names} | {"repository": row.repository.name}


class _Jobs(Endpoint):
    serializer_class = serializers.TransferJob

    def rows(self) -> QuerySet[Any]:
        """Newest first."""
        return TransferJob.objects.select_related("source", "destination").order_by("-created_at", "id")

    def record(self, row: TransferJob) -> dict[str, Any]:
        """One job."""
        names = ("id", "backend", "remote_id", "state", "files_total", "bytes_total", "created_at", "last_progress_at")
        return {name: getattr(row, name) for name in names} | {
            "source": row.source.name,
            "destination": row.destination.name,
            "window": row.window_id,
            "held_by": row.lease_owner,
            "taken_over": max(0, row.fence - 1),
        }


class _Items(Endpoint):
    serializer_class = serializers.TransferItem

    def rows(self) -> QuerySet[Any]:
        """Newest first."""
        return TransferItem.objects.select_related("source__repository", "destination").order_by("-created_at", "id")

    def record(self, row: TransferItem) -> dict[str, Any]:
        """One item."""
        after, who = what_follows(row)
        names = ("id", "content_version", "size_bytes", "state", "attempts", "not_before", "updated_at")
        return {name: getattr(row, name) for name in names} | {
            "dataset": row.dataset_id,
            "path": row.source.relative_path,
            "source": row.source.repository.name,
            "destination": row.destination.name,
            "job": row.job_id,
            "error_code": row.last_error_code,
            "error": row.last_error,
            "next": after,
            "who": who,
        }


class WindowList(_Windows, ListEndpoint):
    """`/transfers/windows`."""

    filters = {
        "repository": equals("repository__name"),
        "lab": equals("repository__labs__name", many=True),
        "state": equals("state"),
        "local_date": is_day("local_date"),
        "date_range": day_range("local_date"),
    }

    def records(self, rows: Sequence[Any]) -> list[Any]:
        """Of a page."""
        return [self.record(row) for row in rows]


class WindowDetail(_Windows, DetailEndpoint):
    """`/transfers/windows/{id}`."""

    noun = "window"


class JobList(_Jobs, ListEndpoint):
    """`/transfers/jobs`."""

    filters = {
        "state": equals("state"),
        "source": equals("source__name"),
        "destination": equals("destination__name"),
        "window": is_key("window"),
    }

    def records(self, rows: Sequence[Any]) -> list[Any]:
        """Of a page."""
        return [self.record(row) for row in rows]


class JobDetail(_Jobs, DetailEndpoint):
    """`/transfers/jobs/{id}`."""

    noun = "job"


class ItemList(_Items, ListEndpoint):
    """`/transfers/items`."""

    filters = {
        "state": equals("state"),
        "error_code": equals("last_error_code"),
        "dataset": is_key("dataset"),
        "session": is_key("dataset__session"),
        "lab": equals("dataset__session__lab__name"),
        "source": equals("source__repository__name"),
        "destination": equals("destination__name"),
        "job": is_key("job"),
    }

    def records(self, rows: Sequence[Any]) -> list[Any]:
        """Of a page."""
        return [self.record(row) for row in rows]


class ItemDetail(_Items, DetailEndpoint):
    """`/transfers/items/{id}`: with its event log and every attempt."""

    noun = "item"

    def record(self, row: TransferItem) -> dict[str, Any]:
        """One item and what happened to it."""
        events = Event.objects.filter(subject_id=row.pk).order_by("seq")[:LOG_AT_MOST]
        tries = Attempt.objects.filter(item=row).order_by("id")[:LOG_AT_MOST]
        return super().record(row) | {
            "events": [_event(event) for event in events],
            "attempts_made": [_attempt(one) for one in tries],
        }


def _event(row: Event) -> dict[str, Any]:
    said = row.context or {}
    return {
        "at": row.at,
        "from": row.old,
        "to": row.new,
        "data": row.data,
        "by": said.get("actor_name"),
        "reason": said.get("reason"),
    }


def _attempt(row: Attempt) -> dict[str, Any]:
    names = ("id", "number", "ended_at", "outcome", "error_code", "evidence")
    return {name: getattr(row, name) for name in names} | {"item": row.item_id, "job": row.job_id}


class AttemptList(ListEndpoint):
    """`/transfers/attempts`."""

    serializer_class = serializers.TransferAttempt
    filters = {
        "item": is_key("item"),
        "job": is_key("job"),
        "dataset": is_key("item__dataset"),
        "outcome": equals("outcome"),
        "error_code": equals("error_code"),
    }

    def rows(self) -> QuerySet[Any]:
        """Newest first."""
        return Attempt.objects.order_by("-id")

    def records(self, rows: Sequence[Any]) -> list[Any]:
        """Of a page."""
        return [_attempt(row) for row in rows]


class EventList(ListEndpoint):
    """`/transfers/events`: every state that a window, job or item took. Poll with `after`: the last `seq` that was read."""

    serializer_class = serializers.TransferEvent
    filters = {
        "kind": equals("kind"),
        "about": is_key("subject_id"),
        "to": equals("new"),
        "after": is_number("seq__gt", least=0, most=2**63 - 1),
    }

    def rows(self) -> QuerySet[Any]:
        """Oldest first, as they happened."""
        return Event.objects.order_by("seq")

    def records(self, rows: Sequence[Any]) -> list[Any]:
        """Of a page."""
        return [{"seq": row.seq, "kind": row.kind, "about": row.subject_id, **_event(row)} for row in rows]

"""`/transfers/nights`, `needs`, `health`, and what is done about them: `retry`, `ignore`, `escalate`, `verify`."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from alyx.core import clock
from alyx.core.audit import because
from alyx.core.errors import Invalid, NotFound
from alyx.core.reading import readable
from alyx.core.rest.filters import DATE, as_day, asked
from alyx.core.rest.views import Endpoint
from alyx.core.tasks import enqueue_on_commit
from alyx.labs.models import Lab
from datasets.models import Dataset
from datasets.services.looks import ask_for_looks
from transfers import tasks
from transfers.api import serializers
from transfers.queries.health import health
from transfers.queries.morning import morning, sentence
from transfers.queries.needs import Key, Need, needs
from transfers.queries.nights import PARTS, Night, labs_read_by
from transfers.services import acting


def _labs(view: Endpoint) -> list[Lab]:
    """Those asked for, of those the caller reads. Raises NotFound."""
    labs = labs_read_by(view.actor)
    name = view.request.query_params.get("lab", "").strip()
    chosen = [lab for lab in labs if not name or lab.name == name]
    if name and not chosen:
        raise NotFound(f"there is no lab {name[:100]!r} of yours")
    return chosen


_OF_LAB = asked(lambda rows, _: rows, "name of the lab")


class NightList(Endpoint):
    """`/transfers/nights`: how far each lab's night came."""

    serializer_class = serializers.TransferNight
    filters = {"lab": _OF_LAB, "local_date": asked(lambda rows, _: rows, "that night instead of the latest", DATE)}

    @extend_schema(responses=serializers.TransferNight(many=True))
    def get(self, request: Request) -> Response:
        """The latest night of each lab, or the one asked for."""
        found = morning(_labs(self), self._date())
        page = self.paginate_queryset(found.nights)
        return self.get_paginated_response([_night(night) for night in page or []])

    def _date(self) -> date | None:
        text = self.request.query_params.get("local_date", "").strip()
        try:
            return as_day(text) if text else None
        except ValueError as error:
            raise Invalid.of("local_date", str(error)) from None


def _night(night: Night) -> dict[str, Any]:
    parts = {part: getattr(night, part) for part in PARTS}
    return {
        "lab": night.name,
        "local_date": night.on,
        "says": sentence(night),
        "starts_at": night.starts_at,
        "ends_at": night.ends_at,
        "is_open": night.is_open,
        "unprotected_since": night.unprotected_since,
        "needs": night.needs,
        "taken_over": night.taken_over,
        "parts": {
            name: {"files": part.files, "bytes": part.bytes, "sessions": part.sessions} for name, part in parts.items()
        },
    }


class NeedList(Endpoint):
    """`/transfers/needs`: what must be done, by whom."""

    serializer_class = serializers.TransferNeed
    filters = {
        "lab": _OF_LAB,
        "turn": asked(lambda rows, _: rows, "person or itself"),
        "code": asked(lambda rows, _: rows, "of this code"),
    }

    @extend_schema(responses=serializers.TransferNeed(many=True))
    def get(self, request: Request) -> Response:
        """What a person has to do first."""
        found = needs(_labs(self))
        for name in ("turn", "code"):
            wanted = request.query_params.get(name, "").strip()
            if wanted:
                found = [need for need in found if wanted == (need.turn if name == "turn" else need.key.code)]
        page: Sequence[Any] = self.paginate_queryset(found) or []
        return self.get_paginated_response([as_record(need) for need in page])


def as_record(need: Need) -> dict[str, Any]:
    """A need on the wire."""
    names = ("lab", "title", "count", "since", "next_at", "said", "is_ignored", "escalated_at", "note")
    return {
        "key": str(need.key),
        "about": need.key.about,
        "code": need.key.code,
        "who": need.who.value,
        "do": need.do,
        "turn": need.turn.value,
        "size_bytes": need.bytes,
        **{name: getattr(need, name) for name in names},
        "examples": [
            {"id": one.id, "path": one.path, "said": one.said, "dataset": one.dataset} for one in need.examples
        ],
    }


class Health(Endpoint):
    """`/transfers/health`: whether the engine's rounds are made, and what waits."""

    pagination_class = None

    @extend_schema(responses=dict[str, Any])
    def get(self, request: Request) -> Response:
        """Ages in seconds, counts, and what is overdue."""
        return Response(health())


def _key(text: str) -> Key:
    try:
        return Key.parse(text)
    except ValueError as error:
        raise Invalid.of("need", str(error)) from None


class _Action(Endpoint):
    pagination_class = None

    def act(self, sent: dict[str, Any]) -> dict[str, Any]:
        """Call the service. Override."""
        raise NotImplementedError

    @extend_schema(responses=dict[str, Any])
    def post(self, request: Request) -> Response:
        """How many things it was done to; doing it again does it to none."""
        sent = self.sent(partial=False)
        with because(sent.get("reason", "").strip()):
            return Response(self.act(sent))


class Retry(_Action):
    """`/transfers/retry`."""

    serializer_class = serializers.TransferRetry

    def act(self, sent: dict[str, Any]) -> dict[str, Any]:
        """Items, a need, or all that failed in a lab."""
        named = [name for name in ("items", "need", "lab") if sent.get(name)]
        if len(named) != 1:
            raise Invalid.of("items", "name either items, or a need, or a lab")
        more = {"actor": self.actor, "reason": sent.get("reason", ""), "now": sent.get("now", False)}
        if "items" in named:
            count = self._items(sent["items"], more)
        else:
            key = _key(sent["need"]) if "need" in named else None
            lab = key.lab if key else self._lab(sent["lab"])
            count = acting.retry_failed(lab=lab, key=key, as_of=sent.get("as_of"), **more).count
        enqueue_on_commit(tasks.work)
        return {"retried": count}

    def _items(self, items: list[UUID], more: dict[str, Any]) -> int:
        from transfers.models import TransferItem  # noqa: PLC0415

        known = readable(self.actor, TransferItem.objects.filter(pk__in=items)).values_list("pk", flat=True)
        missing = set(items) - set(known)
        if missing:
            raise NotFound(f"there is no item {min(missing)}")
        return acting.retry_items(items=items, **more)

    def _lab(self, name: str) -> UUID:
        found = next((lab.pk for lab in labs_read_by(self.actor) if lab.name == name), None)
        if found is None:
            raise Invalid.of("lab", f"there is no lab {name[:100]!r} of yours")
        return found


class Ignore(_Action):
    """`/transfers/ignore`."""

    serializer_class = serializers.TransferDecision

    def act(self, sent: dict[str, Any]) -> dict[str, Any]:
        """Leave it, with the reason."""
        done = acting.ignore(
            actor=self.actor, key=_key(sent["need"]), as_of=_as_of(sent), reason=sent.get("reason", "")
        )
        return {"ignored": done.count}


class Escalate(_Action):
    """`/transfers/escalate`."""

    serializer_class = serializers.TransferDecision

    def act(self, sent: dict[str, Any]) -> dict[str, Any]:
        """Pass it on, with the reason."""
        done = acting.escalate(
            actor=self.actor, key=_key(sent["need"]), as_of=_as_of(sent), reason=sent.get("reason", "")
        )
        return {"escalated": done.count}


def _as_of(sent: dict[str, Any]) -> datetime:
    at: datetime | None = sent.get("as_of")
    return at or clock.now()


class Verify(_Action):
    """`/transfers/verify`."""

    serializer_class = serializers.TransferVerify

    def act(self, sent: dict[str, Any]) -> dict[str, Any]:
        """Read copies back; what is found stands with the dataset within some minutes."""
        key = sent["dataset"]
        dataset = readable(self.actor, Dataset.objects.shown().filter(pk=key)).first()
        if dataset is None:
            raise NotFound(f"there is no dataset {key}")
        count = ask_for_looks(actor=self.actor, dataset=dataset, copies=sent.get("copies"))
        enqueue_on_commit(tasks.look)
        return {"asked_for": count, "progress": f"{self.base_url}/datasets/{key}/copies"}

"""`/notes`: about a record of any table, so the endpoint stands in the highest app that knows them."""

from collections.abc import Sequence
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.http import QueryDict
from rest_framework import serializers
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from alyx.core.errors import Invalid, NotFound
from alyx.core.models import Note
from alyx.core.notes import USUAL_WIDTH, note_record
from alyx.core.rest.fields import JsonField, KeyField, MomentField, TextField
from alyx.core.rest.parsing import StrictJSONParser, decode_json
from alyx.core.rest.query_language import (
    EQUALITY,
    Column,
    QueryFields,
    Refused,
    relation,
    uuid_,
)
from alyx.core.rest.query_values import as_number
from alyx.core.rest.views import ChangeableEndpoint, Endpoint, ListEndpoint
from alyx.labs.query_fields import NOTES as NOTE_FIELDS
from datasets.services.note import kind_named, rewrite_note, take_back_note, wire_kind, write_note

WIDEST = 20_000


class NoteRecord(serializers.Serializer[Any]):
    """Text or a picture about a record."""

    id = serializers.UUIDField(read_only=True)
    user = serializers.CharField(max_length=150, required=False, allow_null=True, allow_blank=True)
    date_time = MomentField(required=False)
    content_type = serializers.CharField(max_length=100)
    object_id = KeyField()
    text = TextField(required=False, max_length=None)
    image = serializers.CharField(required=False, allow_null=True, allow_blank=True, help_text="a file, by multipart")
    json = JsonField(required=False)
    width = serializers.CharField(
        write_only=True, required=False, allow_null=True, allow_blank=True, help_text="orig, or points; else 800"
    )

    class Meta:
        ref_name = "Note"


def _table(value: Any) -> str:
    """The table that a client's word means. Raises Refused."""
    try:
        name = kind_named(str(value))._meta.model_name
    except Invalid as error:
        raise Refused(error.detail) from None
    return str(name)


NOTES = NOTE_FIELDS.plus(
    {
        "object_id": uuid_("object_id"),
        "content_type": relation(
            "content_type", QueryFields({"model": Column("model", _table, EQUALITY | {"iexact"})}), convert=as_number
        ),
    }
)


class _Notes(Endpoint):
    serializer_class = NoteRecord
    parser_classes = [StrictJSONParser, MultiPartParser, FormParser]
    queryset = Note.objects.filter(withdrawn_at__isnull=True).select_related("user").order_by("-at", "id")

    def body(self) -> dict[str, Any]:
        """The fields; of a form they are texts, `json` among them. Raises ParseError."""
        data = self.request.data
        if not isinstance(data, QueryDict):
            return super().body()
        sent: dict[str, Any] = {name: data[name] for name in data if name != "image"}
        if "json" in sent:
            sent["json"] = decode_json(sent["json"].encode()) if sent["json"].strip() else None
        return sent

    def picture(self, sent: dict[str, Any], shown: str | None = None) -> dict[str, Any]:
        """Takes the picture out of what was sent: the file, and how wide it is kept. Raises Invalid.

        `shown` is the address of the picture that is there: sent back, it says nothing.
        """
        width, address = sent.pop("width", None), sent.pop("image", None)
        image = self.request.FILES.get("image")
        if image is None and address and address != shown:
            raise Invalid.of("image", "send the picture itself, as a file of a multipart form")
        return {"image": image, "width": _width(width)}

    def records(self, rows: Sequence[Note]) -> list[Any]:
        """Notes on the wire."""
        return [
            note_record(row, content_type=wire_kind(row.content_type), base_url=self.base_url) for row in _kinds(rows)
        ]


def _kinds(rows: Sequence[Note]) -> Sequence[Note]:
    """With their tables, which Django keeps in mind."""
    for row in rows:
        row.content_type = ContentType.objects.get_for_id(row.content_type_id)
    return rows


def _width(word: str | None) -> int | None:
    plain = (word or "").strip().lower()
    if plain in {"", "none", "null"}:
        return USUAL_WIDTH
    if plain == "orig":
        return None
    try:
        width = int(float(plain))
    except (ValueError, OverflowError):
        width = 0
    if not 1 <= width <= WIDEST:
        raise Invalid.of("width", f"{plain[:80]!r} is neither orig nor a number of points from 1 to {WIDEST}")
    return width


class NoteListView(_Notes, ListEndpoint):
    """`/notes`, newest first."""

    query_fields = NOTES

    def post(self, request: Request) -> Response:
        """A new note, as JSON or as a form with a picture."""
        sent = self.sent(partial=False)
        note = write_note(actor=self.actor, values=sent, **self.picture(sent))
        return Response(self.records([note])[0], status=201)


class NoteDetailView(_Notes, ChangeableEndpoint):
    """`/notes/{id}`."""

    lookup_field = "id"

    def found(self) -> Note:
        """The note in the path."""
        found: Note | None = self.get_queryset().filter(pk=self.key()).first()
        if found is None:
            raise NotFound(f"there is no note {self.key()}")
        return found

    def record(self, row: Any) -> dict[str, Any]:
        """A note."""
        record: dict[str, Any] = self.records([row])[0]
        return record

    def change(self, row: Any, sent: dict[str, Any]) -> Note:
        """Apply what was sent."""
        picture = self.picture(sent, self.record(row)["image"])
        return rewrite_note(actor=self.actor, note=row, changes=sent, **picture)

    def delete(self, request: Request, id: str) -> Response:  # noqa: A002  (the name in the path)
        """Withdraw the note."""
        take_back_note(actor=self.actor, note=self.found())
        return Response(status=204)

"""`/notes`, as ibllib writes and reads them, with their pictures."""

import io
import json
import struct
import zlib
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from PIL import Image

from alyx.core.models import Note
from alyx.labs.models import Role
from tests.factories.animals import a_surgery
from tests.factories.people import a_lab, a_member, a_user
from tests.factories.recordings import an_insertion
from tests.factories.records import a_dataset, a_note, a_session, a_subject
from tests.factories.rest import Rest

pytestmark = pytest.mark.django_db


@pytest.fixture
def house(settings: Any, tmp_path: Any) -> Any:
    """A lab with a session, a member that calls, and a folder for pictures."""
    settings.MEDIA_ROOT = tmp_path
    lab = a_lab("cortexlab")
    session = a_session(a_subject(lab, "M1"))
    return Rest(a_member(lab, Role.EXPERIMENTER, "rig")), session, tmp_path


def a_picture(width: int = 1000, height: int = 500, kind: str = "PNG", mode: str = "RGB") -> bytes:
    kept = io.BytesIO()
    Image.new(mode, (width, height)).save(kept, kind)
    return kept.getvalue()


def upload(rest: Rest, data: bytes, session: Any, name: str = "../../log.png", **fields: Any) -> Any:
    body = {"user": "rig", "content_type": "session", "object_id": str(session.pk), "text": "a plot", **fields}
    return rest.client.post("/notes", {**body, "image": SimpleUploadedFile(name, data, "image/png")})


def test_a_note_is_written_read_changed_and_withdrawn(house: Any) -> None:
    rest, session, _ = house
    body = {
        "user": "rig",
        "content_type": "session",
        "object_id": str(session.pk),
        "text": "=== EXPERIMENTER REASON(S)",
        "date_time": "2026-03-09T10:00:00.123456",
        "json": {"b": 1.0, "a": None},
    }
    made = rest.post("notes", body)
    assert made.status_code == 201, made.content
    record = made.json()
    key = record.pop("id")
    assert record == {**body, "content_type": "actions.session", "image": None}
    assert list(record["json"]) == ["b", "a"]
    assert rest.patch(f"notes/{key}", {"text": "other"}).json() == {"id": key, **record, "text": "other"}
    assert rest.put(f"notes/{key}", {**record, "date_time": "2026-03-09T11:00:00Z"}).status_code == 200
    assert Note.objects.get().at.isoformat() == "2026-03-09T11:00:00+00:00"
    nested = rest.get(f"sessions/{session.pk}").json()["notes"]
    assert nested == [rest.get(f"notes/{key}").json()]
    assert rest.delete(f"notes/{key}").status_code == 204
    assert rest.get(f"notes/{key}").status_code == 404
    assert (rest.found("notes"), Note.objects.count()) == ([], 1)


@pytest.mark.parametrize(
    ("width", "kept"), [(None, (800, 400)), ("orig", (1000, 500)), ("200", (200, 100)), ("2000", (1000, 500))]
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_is_made_as_wide_as_asked(house: Any, width: str | None, kept: tuple[int, int], kind: str) -> None:
    rest, session, _ = house
    more = {"json": json.dumps({"tag": "log"})} | ({} if width is None else {"width": width})
    made = upload(rest, a_picture(kind=kind), session, **more)
    assert made.status_code == 201, made.content
    record = made.json()
    assert record["json"] == {"tag": "log"}
    assert record["image"].startswith("http://testserver/uploaded/notes/")
    path = record["image"].removeprefix("http://testserver")
    answer = rest.client.get(path)
    with Image.open(io.BytesIO(b"".join(answer.streaming_content))) as shown:
        assert (shown.size, shown.format) == (kept, kind)
    assert Rest().client.get(path).status_code == 403
    assert rest.client.get("/uploaded/../db.png").status_code == 404


@pytest.mark.parametrize("mode", ["P", "1", "L", "LA", "RGBA", "I;16"])
def test_any_kind_of_colours_can_be_made_smaller(house: Any, mode: str) -> None:
    rest, session, _ = house
    assert upload(rest, a_picture(mode=mode), session, width="50").status_code == 201


def a_bomb() -> bytes:
    """A PNG of a few bytes that says it has ten thousand million points."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "data",
    [b"", b"<svg/>", a_bomb(), a_picture()[:-40], a_picture(kind="JPEG")[:600], a_picture(kind="BMP")],
    ids=["nothing", "svg", "bomb", "cut", "cut jpeg", "bmp"],
)
def test_what_is_no_picture_is_a_400_and_leaves_nothing(house: Any, data: bytes) -> None:
    rest, session, uploads = house
    answer = upload(rest, data, session)
    assert (answer.status_code, "image" in answer.json()) == (400, True), answer.content
    assert (Note.objects.count(), list(uploads.iterdir())) == (0, [])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"object_id": str(uuid4())}, "object_id"),
        ({"content_type": "sesion"}, "content_type"),
        ({"user": "nobody"}, "user"),
        ({"width": "wide"}, "width"),
        ({"width": "1e9"}, "width"),
        ({"image": "http://elsewhere/x.png"}, "image"),
        ({"text": " "}, "text"),
        ({"date_time": "noon"}, "date_time"),
    ],
)
def test_bad_fields_are_named(house: Any, change: dict[str, str], field: str) -> None:
    rest, session, _ = house
    body = {"user": "rig", "content_type": "session", "object_id": str(session.pk), "text": "x", **change}
    answer = rest.post("notes", body)
    assert (answer.status_code, Note.objects.count()) == (400, 0)
    assert field in answer.json()
    if field == "object_id":
        assert "matching query does not exist" in answer.json()["detail"]


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "NaN", '"\\ud800"', '"\\u0000"'])
def test_json_of_a_form_is_checked(house: Any, text: str) -> None:
    rest, session, _ = house
    assert (upload(rest, a_picture(), session, json=text).status_code, Note.objects.count()) == (400, 0)


def test_notes_are_found_by_what_they_are_about(house: Any) -> None:
    rest, session, _ = house
    insertion, dataset, surgery = an_insertion(session), a_dataset(session), a_surgery(session.subject)
    tables = {
        "experiments.probeinsertion": insertion,
        "data.dataset": dataset,
        "actions.surgery": surgery,
        "subjects.subject": session.subject,
    }
    for kind, record in tables.items():
        body = {"content_type": kind, "object_id": str(record.pk), "text": f"on {kind}", "json": {"name": kind}}
        made = rest.post("notes", body)
        assert (made.status_code, made.json()["content_type"]) == (201, kind), made.content
    a_note(session, "on the session")
    for query, count in {
        f"object_id,{insertion.pk}": 1,
        "text__icontains,ON": 5,
        "json__name,data.dataset": 1,
        "content_type__model,session": 1,
        "content_type__model,probeinsertion,json__name,experiments.probeinsertion": 1,
        "user__username,rig": 4,
        "~content_type__model,actions.session": 4,
        "date_time__gte,2026-03-10": 4,
    }.items():
        assert len(rest.found("notes", django=query)) == count, query
    for query in ("content_type__model,nothing", "user__password,x", "object_id,1", "text"):
        assert rest.get("notes", django=query).status_code == 400, query


@pytest.mark.usefixtures("open_reading")
def test_who_may_write_and_take_back(house: Any) -> None:
    rest, session, _ = house
    body = {"content_type": "session", "object_id": str(session.pk), "text": "x"}
    stranger, colleague = Rest(a_user()), Rest(a_member(session.lab))
    manager = Rest(a_member(session.lab, Role.DATA_MANAGER))
    assert stranger.post("notes", body).status_code == 403
    key = rest.post("notes", body).json()["id"]
    assert stranger.patch(f"notes/{key}", {"text": "y"}).status_code == 403
    assert colleague.patch(f"notes/{key}", {"text": "y"}).status_code == 200
    assert colleague.delete(f"notes/{key}").status_code == 403
    assert rest.patch(f"notes/{key}", {"object_id": str(uuid4())}).status_code == 400
    assert manager.delete(f"notes/{key}").status_code == 204


def test_a_picture_is_changed_by_a_form(house: Any) -> None:
    rest, session, _ = house
    key = rest.post("notes", {"content_type": "session", "object_id": str(session.pk), "text": "x"}).json()["id"]
    form = encode_multipart(BOUNDARY, {"image": SimpleUploadedFile("a.png", a_picture(), "image/png"), "width": "10"})
    changed = rest.client.patch(f"/notes/{key}", form, content_type=MULTIPART_CONTENT)
    assert changed.status_code == 200, changed.content
    assert (changed.json()["text"], bool(changed.json()["image"])) == ("x", True)
    again = rest.put(f"notes/{key}", {**changed.json(), "text": "y"})
    assert (again.status_code, again.json()["image"]) == (200, changed.json()["image"])

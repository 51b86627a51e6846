"""One box for everything people paste: an id, a hash, a session's path, a file name, a nickname."""

import re
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode

from alyx.core.admin_shown import page_of
from alyx.core.reading import readable
from alyx.labs.models import Lab, Location, Project
from datasets.models import Dataset, DatasetType, FileRecord, Repository, Tag
from sessions.models import Session
from subjects.models import Subject
from transfers.models import TransferItem, TransferJob

SHOWN = 20
_HEX = re.compile(r"[0-9a-f]{32}|[0-9a-f]{64}", re.IGNORECASE)
_SESSION = re.compile(r"(?:^|/)([\w.-]+)/(\d{4}-\d\d-\d\d)/(\d{1,5})(?:/(.*))?$", re.ASCII)


@dataclass(frozen=True)
class Found:
    """Rows of one kind, and the list that shows all of them."""

    kind: str
    rows: list[Any]
    all_of_them: str


def _sessions() -> QuerySet[Any]:
    return Session.objects.shown().select_related("subject")


def _files() -> QuerySet[Any]:
    return Dataset.objects.shown().select_related("revision", "session__subject")


def _by_id(key: uuid.UUID) -> Iterator[QuerySet[Any]]:
    yield _sessions().filter(pk=key)
    yield _files().filter(pk=key)
    yield Subject.objects.shown().filter(pk=key)
    yield FileRecord.objects.filter(pk=key).select_related("repository")
    yield from (
        model._default_manager.filter(pk=key) for model in (TransferItem, TransferJob, Repository, Lab, Project, Tag)
    )


def _by_path(text: str) -> Iterator[QuerySet[Any]]:
    match = _SESSION.search(text)
    if match is None:
        return
    nickname, day, number, below = match.groups()
    try:
        of_session = {
            "path_date": date.fromisoformat(day),
            "number": int(number),
            "subject__in": Subject.objects.named(nickname),
        }
    except ValueError:
        return
    if below:
        collection, _, name = below.rpartition("/")
        parts = [part for part in collection.split("/") if not part.startswith("#")]
        yield _files().filter(session__in=Session.objects.filter(**of_session), collection="/".join(parts), name=name)
    yield _sessions().filter(**of_session)


def _by_words(text: str) -> Iterator[QuerySet[Any]]:
    yield Subject.objects.shown().filter(nickname__icontains=text)
    yield _files().filter(Q(name__startswith=text.rpartition("/")[2]))
    for model in (Repository, Lab, Project, Location, Tag, DatasetType):
        rows: QuerySet[Any] = model._default_manager.filter(name__icontains=text)
        yield rows


def search(text: str, *, reader: Any) -> list[Found]:
    """What this text may mean, of what the reader reads: by id or hash if it looks like one, else by path, else by name."""
    text = text.replace("\x00", "").strip().rstrip("/")[:300]
    if not text:
        return []
    looked: list[QuerySet[Any]] = []
    with suppress(ValueError):
        looked = list(_by_id(uuid.UUID(text)))
    if _HEX.fullmatch(text):
        looked.append(_files().filter(Q(md5=text.lower()) | Q(sha256=text.lower())))
    elif not looked:
        looked = [*_by_path(text), *_by_words(text)]
    return [found for rows in looked if (found := _found(readable(reader, rows), text)).rows]


def _found(rows: QuerySet[Any], text: str) -> Found:
    meta = rows.model._meta
    whole = f"{reverse(f'admin:{meta.app_label}_{meta.model_name}_changelist')}?{urlencode({'q': text})}"
    return Found(str(meta.verbose_name_plural), list(rows[:SHOWN]), whole)


def _label(row: Model) -> str:
    session = getattr(row, "session", None)
    return f"{session} · {row}" if session else str(row)


def find(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """`GET /admin/find/?q=`: straight to the page when there is one answer, else the answers by kind."""
    text = request.GET.get("q", "").strip()
    found = search(text, reader=request.user)
    exact = [row for kind in found for row in kind.rows if str(row).casefold() == text.strip().casefold()]
    everything = [row for kind in found for row in kind.rows]
    if len(everything) == 1 or len(exact) == 1:
        return HttpResponseRedirect(page_of((exact or everything)[0]))
    groups = [
        {"kind": kind.kind, "more": kind.all_of_them if len(kind.rows) == SHOWN else "",
         "rows": [{"url": page_of(row), "label": _label(row)} for row in kind.rows]}
        for kind in found
    ]  # fmt: skip
    title = f"Found for “{text}”" if text else "Find"
    return TemplateResponse(
        request, "admin/find_page.html", {**context, "title": title, "groups": groups, "query": text}
    )

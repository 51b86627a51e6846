"""How values look on our pages: states with word, shape and colour, ages with the exact time, sizes for people, links."""

import time
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from alyx.core import clock
from alyx.core.audit import request_id
from alyx.core.status import SHAPES, Status


def badge(status: Status, word: str, hint: str = "") -> SafeString:
    """The word with its shape and colour; the hint shows on hover."""
    return format_html(
        '<span class="status {}" title="{}"><i aria-hidden="true">{}</i> {}</span>',
        status.value,
        hint,
        SHAPES[status],
        word,
    )


_ONE_PAGE_S = 5.0
_asked: ContextVar[tuple[str, float, datetime]] = ContextVar("page_now", default=("", 0.0, datetime.min))  # noqa: DTZ901


def page_now() -> datetime:
    """The database's time, asked for once per page however many ages it shows."""
    serving, since, value = _asked.get()
    if not request_id.get() or request_id.get() != serving or time.monotonic() - since > _ONE_PAGE_S:
        value = clock.now()
        _asked.set((request_id.get(), time.monotonic(), value))
    return value


def ago(at: datetime | None) -> SafeString | str:
    """ "2 h ago" with the exact time on hover."""
    if at is None:
        return "–"
    now = page_now()
    words = "just now" if at > now or (now - at).total_seconds() < 60 else f"{timesince(at, now).split(',')[0]} ago"
    return format_html('<time datetime="{}" title="{} UTC">{}</time>', at.isoformat(), f"{at:%Y-%m-%d %H:%M:%S}", words)


def megabytes(size: int | None) -> str:
    """A size for people."""
    if size is None:
        return "–"
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def counted(rows: models.QuerySet[Any], through: str) -> Coalesce:
    """An annotation: how many of `rows` point here by `through`. Worked out for the rows shown, not for the whole table."""
    mine = rows.filter(**{through: OuterRef("pk")}).order_by().values(through)
    return Coalesce(Subquery(mine.annotate(n=Count("pk")).values("n")), 0)


def page_of(row: models.Model) -> str:
    """The address of the admin page of a record."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def link(row: models.Model | None, text: str | None = None) -> SafeString | str:
    """A link to the admin page of a record."""
    if row is None:
        return "–"
    return format_html('<a href="{}">{}</a>', page_of(row), text or str(row))

"""One copy in the table of a dataset's page, and all of them in a sentence."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.html import format_html

from alyx.core.admin_shown import ago, badge, link, megabytes
from datasets.admin.file_record import copy_badge
from datasets.models import FileRecord
from datasets.rules.copies import CopyState
from datasets.rules.standing import COPY_MEANING, copies_said, dataset_standing, evidence_words
from datasets.services.looks import LOOKED_FOR

DIGITS = 12
"""So much of a digest is shown; all of it on hover."""


def is_asked_for(copy: FileRecord, now: datetime) -> bool:
    """Whether it waits to be read back, or is being read."""
    return copy.look_due_at is not None and copy.look_due_at <= now and copy.state in LOOKED_FOR


def shown_copy(copy: FileRecord, moves: Iterable[Any]) -> dict[str, Any]:
    """The cells of its row. `moves`: the items of its dataset, newest first."""
    mine = [move for move in moves if move.copy_id == copy.pk]
    state = CopyState(copy.state)
    error = mine[0].last_error if mine and mine[0].state not in {"done", "stale", "cancelled"} else ""
    return {
        "record": copy,
        "link": link(copy, copy.repository.name),
        "badge": copy_badge(copy),
        "size": megabytes(copy.size_bytes),
        "hash": _hash(copy),
        "proved": ago(copy.proved_at),
        "by": _by(copy, mine),
        "proof": evidence_words(state, copy.evidence_level),
        "why": error or copy.reason or COPY_MEANING[state],
        "can_be_read": state in LOOKED_FOR,
    }


def _hash(copy: FileRecord) -> Any:
    for name, digest in (("SHA-256", copy.sha256), ("MD5", copy.md5)):
        if digest:
            return format_html('<code title="{} {}">{} {}…</code>', name, digest, name, digest[:DIGITS])
    return "not read yet"


def _by(copy: FileRecord, moves: Sequence[Any]) -> Any:
    """Which job proved it, or that a look did."""
    if copy.state != CopyState.VERIFIED:
        return "–"
    job = next((move.job_id for move in moves if move.state == "done" and move.job_id), None)
    if copy.evidence.get("by") == "look" or job is None:
        return (
            "a look" if copy.evidence.get("by") == "look" else evidence_words(CopyState.VERIFIED, copy.evidence_level)
        )
    return format_html('<a href="{}">the job</a>', reverse("admin:transfers_transferjob_change", args=[job]))


def copies_sentence(copies: Sequence[FileRecord], now: datetime) -> str:
    """For people: how many are proved, what is wrong, what is being read."""
    return copies_said(
        [
            (copy.repository.name, CopyState(copy.state), (now - copy.proved_at).days if copy.proved_at else None)
            for copy in copies
        ],
        sum(is_asked_for(copy, now) for copy in copies),
    )


def standing_badge(copies: Iterable[FileRecord]) -> Any:
    """How the dataset stands, from its copies that are shown."""
    shown = [copy for copy in copies if copy.is_shown]
    servers = [CopyState(copy.state) for copy in shown if copy.repository.is_server]
    others = [CopyState(copy.state) for copy in shown if not copy.repository.is_server]
    return badge(*dataset_standing(servers, others))

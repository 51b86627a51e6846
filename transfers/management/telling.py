"""What `manage.py transfers` prints for people."""

import re
import uuid
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError
from django.db.models import Q, QuerySet

from datasets.models import Dataset, FileRecord
from datasets.rules import alf
from datasets.rules.copies import CopyState
from datasets.rules.standing import copies_said
from transfers.queries import Explanation
from transfers.queries.morning import Morning, sentence
from transfers.queries.needs import Need

_DIGEST = re.compile(r"[0-9a-f]{32}|[0-9a-f]{64}", re.IGNORECASE)
NAMED_AT_MOST = 10
BAR = 30


def bar_of(done: int, of: int) -> str:
    """`[#####.....]`."""
    filled = round(BAR * min(done, of) / of) if of else BAR
    return f"[{'#' * filled}{'.' * (BAR - filled)}]"


def find_dataset(word: str) -> Dataset:
    """The dataset of this id, digest, or path of one of its copies. Raises CommandError, naming those it could be."""
    found = list(_candidates(word.strip()).select_related("revision", "session__subject")[: NAMED_AT_MOST + 1])
    if len(found) == 1:
        return found[0]
    if not found:
        raise CommandError(f"there is no dataset {word!r}: give its id, its MD5 or SHA-256, or the path of a copy")
    named = "\n".join(f"  {one.pk}  {one}" for one in found[:NAMED_AT_MOST])
    raise CommandError(f"{word!r} is several datasets; name one by its id:\n{named}")


def _candidates(word: str) -> QuerySet[Dataset]:
    rows: QuerySet[Dataset] = Dataset.objects.order_by("withdrawn_at", "-created_at")
    if _DIGEST.fullmatch(word):
        asked = Q(md5=word.lower()) | Q(pk=uuid.UUID(word)) if len(word) == 32 else Q(sha256=word.lower())
        return rows.filter(asked)
    try:
        return rows.filter(pk=uuid.UUID(word))
    except ValueError:
        pass
    paths = {alf.path_key(word, case_sensitive=sensitive) for sensitive in (True, False)}
    return rows.filter(pk__in=FileRecord.objects.filter(path_key__in=paths).values("dataset"))


def explanation(told: Explanation) -> list[str]:
    """Why a dataset is where it is, in one reading."""
    copies = [(copy["repository"], CopyState(copy["state"]), None) for copy in told.copies]
    lines = [
        f"{told.path} ({told.dataset})",
        f"version {told.version}: {told.content}",
        copies_said(copies, 0) if copies else "no place is meant to hold it",
        *told.notes,
    ]
    for copy in told.copies:
        lines += [
            f"- {copy['repository']} ({copy['role']}): {copy['state']}, version {copy['version']}: {copy['meaning']}",
            f"    at {copy['path']}",
            *([f"    proved {_at(copy['proved_at'])}, {_read_how(copy)}"] if copy["proved_at"] else []),
            *([f"    {copy['reason']}"] if copy["reason"] else []),
            *_failure(copy),
            f"    next: {copy['why']}{_when(copy)}",
        ]
    return lines


def _at(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _when(copy: dict[str, Any]) -> str:
    """Not before when, and who has to act, where it is not said already."""
    when = f"; not before {_at(copy['next_at'])}" if copy["next_at"] else ""
    who = (
        f"; to act: {copy['acts']}"
        if copy["acts"] not in {"nobody", "nobody yet"} and "acts:" not in copy["why"]
        else ""
    )
    return when + who


def _failure(copy: dict[str, Any]) -> list[str]:
    last = copy["last_failure"]
    return [f"    last failure {_at(last['at'])}: {last['code']}: {last['said']}"] if last else []


def _read_how(copy: dict[str, Any]) -> str:
    how = "on arrival" if copy["evidence"].get("by") == "transfer" else "by a look"
    return f"read back {how} (evidence {copy['evidence'].get('level', '?')})"


def health_lines(found: dict[str, Any]) -> list[str]:
    """Whether the engine lives."""

    def ago(seconds: float | None) -> str:
        return "never" if seconds is None else f"{seconds:.0f} s ago"

    def counted(name: str) -> str:
        return ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in sorted(found[name].items())) or "none"

    return [
        *[f"ALARM: {says}" for says in found["alarms"]],
        "all rounds are made" if found["is_well"] else "something has stopped: see above",
        f"tick {ago(found['tick_age_seconds'])}, morning round {ago(found['morning_age_seconds'])}",
        f"files on their way: {counted('items')}; jobs: {counted('jobs')}; open windows: {found['open_windows']}",
        f"repositories: {counted('repositories')}",
        f"oldest file without its copies: {found['oldest_unprotected_seconds'] / 3600:.1f} h",
        f"jobs taken over from workers that died: {found['lease_reclaims']}",
    ]


def morning_lines(found: Morning) -> list[str]:
    """Last night, and what must be done."""
    lines = [f"{night.name}, {night.on or 'no night yet'}: {sentence(night)}" for night in found.nights]
    for title, needs in (
        ("must be done", found.mine),
        ("goes on by itself", found.by_itself),
        ("ignored with a reason", found.ignored),
    ):
        if needs:
            lines += [f"{title}:", *[line for need in needs for line in _need(need)]]
    lines += [] if found.needs else ["nothing is in trouble"]
    lines += [
        f"{held.files} file{'' if held.files == 1 else 's'} between {' and '.join(held.ends)}: {held.says}. To act: {held.who}."
        for held in found.holds
    ]
    if found.left:
        lines.append("not registered by the last scan:")
    for one in found.left:
        lines += [f"- {one.lab or one.repository}: {one.sentence} ({one.files}, such as {one.example})"]
        lines += [f"    {one.fix}"] if one.fix else []
    return lines


def _need(need: Need) -> list[str]:
    since = f" since {_at(need.since)}" if need.since else ""
    return [
        f"- {need.lab}: {need.title} ({need.count}{since})",
        f"    {need.who}: {need.do}",
        *([f"    “{need.note}”"] if need.note else []),
        *[f"    {one.path}  {one.id}" for one in need.examples if need.key.about != "place"],
    ]

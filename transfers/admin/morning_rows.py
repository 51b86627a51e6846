"""The lines of the page "Last night" as its template wants them: nights, needs, scans, what is unregistered."""

import uuid
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from alyx.core import clock
from alyx.core.admin_shown import ago, badge, megabytes
from alyx.core.status import Status
from transfers.admin.scans import SCAN_STATUS
from transfers.models import Scan
from transfers.models.scan import ScanState
from transfers.queries.holds import Held
from transfers.queries.morning import sentence
from transfers.queries.needs import Need
from transfers.queries.nights import Night
from transfers.queries.scans import Unregistered
from transfers.rules.intake import status_of
from transfers.rules.needs import Turn

ITEMS = "/admin/transfers/transferitem/?"
FOUND = "/admin/transfers/foundfile/?"


def of_night(night: Night) -> dict[str, Any]:
    status, word = night.standing
    when = "–"
    if night.starts_at and night.ends_at:
        begins, ends = (clock.utc_to_wall(at, night.zone) for at in (night.starts_at, night.ends_at))
        when = f"{night.on:%d %b}, {begins:%H:%M} to {ends:%H:%M} ({night.zone})"
    states = {"moving": ["bound", "moved", "verifying", "promoted"], "not_begun": ["planned"]}
    lab = {"dataset__session__lab__id__exact": str(night.lab)}
    links = {
        name: ITEMS + urlencode({"state__in": ",".join(words), **lab})
        for name, words in states.items()
        if getattr(night, name).files and night.is_latest
    }
    return {
        "night": night,
        "badge": badge(status, word),
        "when": when,
        "sentence": sentence(night),
        "oldest": ago(night.unprotected_since) if night.unprotected_since else badge(Status.FINE, "none"),
        "links": links,
        "bytes": {part: megabytes(getattr(night, part).bytes) for part in ("expected", "moved", "verified", "failed")},
    }


def of_hold(held: Held) -> dict[str, Any]:
    """What waits for the hours of its places."""
    status = Status.NEUTRAL if held.until is not None else Status.FAILED
    return {"held": held, "badge": badge(status, "waits for its hours"), "size": megabytes(held.size_bytes)}


def of_scan(scan: Scan) -> dict[str, Any]:
    """How the last look through a repository went."""
    troubled = scan.problem and scan.state != ScanState.FAILED
    counts = [(scan.known, "registered before"), (scan.registered, "registered now"), (scan.waiting, "to wait for"),
              (scan.left, "left over")]  # fmt: skip
    said = f"{scan.files} file{'' if scan.files == 1 else 's'} seen"
    said += "".join(f", {count} {word}" for count, word in counts if count)
    return {
        "badge": badge(Status.WARNING if troubled else SCAN_STATUS[ScanState(scan.state)], scan.state),
        "name": scan.repository.name,
        "url": reverse("admin:transfers_scan_change", args=[scan.pk]),
        "when": f"{scan.local_date:%d %b}{'' if scan.kind == 'night' else f' ({scan.get_kind_display()})'}",
        "said": f"{said}. {scan.problem}".strip(),
    }


def of_unregistered(one: Unregistered) -> dict[str, Any]:
    """Files of one lab that stay unregistered for one reason, with the way to their list."""
    of_lab = {"lab__id__exact": str(one.lab_id)} if one.lab_id else {"lab__isnull": "True"}
    return {
        "one": one,
        "badge": badge(status_of(one.why), one.why.replace("_", " ")),
        "url": FOUND + urlencode({"why__exact": str(one.why), **of_lab}),
        "folders": f"{one.folders} folder{'' if one.folders == 1 else 's'}, ",
        "size": megabytes(one.size_bytes),
        "since": ago(one.since),
    }


def _local(at: datetime | None, zone: str) -> str:
    return f"{clock.utc_to_wall(at, zone):%d %b %H:%M} {zone}" if at else ""


def of_need(need: Need, may_act: bool, zone: str) -> dict[str, Any]:
    key = need.key
    status = Status.NEUTRAL if need.is_ignored else Status.WARNING
    if need.needs_a_person:
        status = Status.CRITICAL if key.about == "place" else Status.FAILED
    word = {"item": "file", "copy": "copy", "place": "repository"}[key.about]
    many = "copies" if key.about == "copy" else f"{word}s"
    counted = f"{need.count} {word if need.count == 1 else many}"
    if key.code == "stalled":
        counted = f"{need.count} job{'' if need.count == 1 else 's'}"
    return {
        "need": need,
        "badge": badge(
            status, "ignored" if need.is_ignored else "needs you" if need.turn is Turn.PERSON else "retrying"
        ),
        "counted": counted,
        "size": megabytes(need.bytes) if need.bytes else "",
        "since": _local(need.since, zone),
        "since_ago": ago(need.since),
        "next_at": _local(need.next_at, zone),
        "examples": [
            {"url": _page_of(need, example.id), "path": example.path, "said": example.said} for example in need.examples
        ],
        "more": max(0, need.count - len(need.examples)) if need.examples else 0,
        "all": _list_of(need),
        "place": _place(need),
        "may_act": may_act,
        "escalated": ago(need.escalated_at) if need.escalated_at else "",
    }


def _page_of(need: Need, key: uuid.UUID) -> str:
    kinds = {"item": "transfers_transferitem", "copy": "datasets_filerecord", "place": "transfers_transferjob"}
    return reverse(f"admin:{kinds[need.key.about]}_change", args=[key])


def _list_of(need: Need) -> str:
    key = need.key
    if key.about == "item":
        code = "" if key.code == "unknown" else key.code
        asked = {"state__exact": key.state, "destination__id__exact": str(key.destination)}
        return ITEMS + urlencode({**asked, **({"last_error_code": code} if code else {})})
    if key.about == "copy":
        return "/admin/datasets/filerecord/?" + urlencode(
            {"state__exact": key.code, "repository__id__exact": str(key.source)}
        )
    return ""


def _place(need: Need) -> str:
    if need.key.about != "place" or need.key.source is None:
        return ""
    if need.key.code == "no_server":
        return reverse("admin:datasets_repository_changelist")
    return reverse("admin:datasets_repository_change", args=[need.key.source])


def failed_sets(needs: list[Need], manages: set[uuid.UUID]) -> list[dict[str, Any]]:
    """By lab, how many files one press of “Retry failed set” sends again."""
    counts: dict[tuple[uuid.UUID, str], int] = {}
    for need in needs:
        if need.can_retry and need.key.lab in manages:
            at = (need.key.lab, need.lab)
            counts[at] = counts.get(at, 0) + need.count
    return [{"lab": lab, "name": name, "count": count} for (lab, name), count in counts.items()]

"""What lies at labs' servers unregistered and why, the scans that found it, and what each lab wants done with it."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from alyx.core.admin_pages import ReadOnlyPage
from alyx.core.admin_shown import ago, badge, megabytes
from alyx.core.status import Status
from alyx.labs.admin import LabPage
from alyx.labs.permissions import Right
from transfers.models import FoundFile, IntakePolicy, Scan
from transfers.models.scan import ScanState
from transfers.rules.intake import FIXES, SENTENCES, Why, status_of
from transfers.services.intake import set_intake


@admin.register(FoundFile)
class FoundFilePage(ReadOnlyPage):
    """Files that nobody registered."""

    list_display = ["path", "standing", "lab", "repository", "size", "first_seen"]
    list_select_related = ["lab", "repository"]
    list_filter = ["why", "lab", "repository"]
    search_fields = ["path"]
    fields = [
        "path",
        ("repository", "lab", "folder"),
        "because",
        "detail",
        ("size", "first_seen", "last_seen"),
        ("md5", "sha256"),
    ]
    readonly_fields = ["because", "size", "first_seen", "last_seen"]

    @admin.display(description="why not registered", ordering="why")
    def standing(self, file: FoundFile) -> Any:
        """In a word, with the sentence on hover."""
        return badge(status_of(file.why), file.get_why_display(), SENTENCES[Why(file.why)])

    @admin.display(description="why not registered")
    def because(self, file: FoundFile) -> str:
        """In a sentence, with what to do."""
        fix = FIXES.get(Why(file.why))
        return f"{SENTENCES[Why(file.why)]}{f' To do: {fix}.' if fix else ' Nobody has to do anything.'}"

    @admin.display(description="size", ordering="size_bytes")
    def size(self, file: FoundFile) -> str:
        """For people."""
        return megabytes(file.size_bytes)

    @admin.display(description="as it is since", ordering="since")
    def first_seen(self, file: FoundFile) -> Any:
        """The first look that saw this size and time."""
        return ago(file.since)

    @admin.display(description="last look", ordering="seen_at")
    def last_seen(self, file: FoundFile) -> Any:
        """When."""
        return ago(file.seen_at)


SCAN_STATUS = {ScanState.OPEN: Status.NEUTRAL, ScanState.DONE: Status.FINE, ScanState.FAILED: Status.FAILED}


@admin.register(Scan)
class ScanPage(ReadOnlyPage):
    """Looks through repositories."""

    list_display = ["repository", "local_date", "kind", "standing", "files", "registered", "waiting", "left", "problem"]
    list_select_related = ["repository"]
    list_filter = ["state", "kind", "repository"]
    search_fields = ["repository__name"]

    @admin.display(description="state", ordering="state")
    def standing(self, scan: Scan) -> Any:
        """Its state."""
        status = (
            Status.WARNING if scan.problem and scan.state != ScanState.FAILED else SCAN_STATUS[ScanState(scan.state)]
        )
        return badge(status, scan.state)


@admin.register(IntakePolicy)
class IntakePolicyPage(LabPage):
    """What each lab wants done with files that lie at its servers unregistered."""

    right = Right.MANAGE
    list_display = ["lab", "account", "nightly", "quiet_minutes", "create_sessions", "compress_ephys", "compress_video"]
    list_display_links = ["lab", "account"]
    list_select_related = ["lab", "account"]
    search_fields = ["lab__name"]
    labels: ClassVar[Mapping[str, str]] = {
        "account": "Registers in the name of",
        "nightly": "Look each night",
        "quiet_minutes": "Minutes between two looks",
        "flag_name": "Wait for a file named",
        "create_sessions": "Make sessions",
        "compress_ephys": "Compress raw ephys",
        "compress_video": "Compress raw video",
    }
    fields = [
        ("lab", "account"),
        ("nightly", "create_sessions"),
        ("quiet_minutes", "flag_name"),
        ("compress_ephys", "compress_video"),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With lab and account."""
        rows: QuerySet[Any] = super().get_queryset(request).select_related("lab", "account")
        return rows

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A policy stays with its lab."""
        return [*super().get_readonly_fields(request, obj), *(["lab"] if obj is not None else [])]

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> Any:
        """By the service."""
        lab = row.lab if change else said.pop("lab")
        return set_intake(actor=actor, lab=lab, values=said)

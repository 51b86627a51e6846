"""`manage.py preflight`: look now whether the repositories are ready for the night, as it is done each evening."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from alyx.core.admin_shown import megabytes
from alyx.core.audit import acting
from alyx.core.status import SHAPES, Status
from alyx.labs.models import Lab
from datasets.models import Repository, RepositoryState
from transfers.models import Preflight
from transfers.services.preflight import look_by_hand

NOT_READY = 3
"""Exit code with --check when somebody has to act."""
COLUMNS = ("local_date", "status", "problem", "what", "who", "free_bytes", "need_files", "need_bytes", "need_unknown",
           "send_files", "send_bytes", "starts_at")  # fmt: skip


class Command(BaseCommand):
    """Looks, stores what was found, and says it."""

    help = "Credentials, consent, connection, the right disk, room for tonight: of each repository, now."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which repositories."""
        parser.add_argument("--lab", help="only this lab's")
        parser.add_argument("--repository", help="only this one")
        parser.add_argument("--json", action="store_true", help="one line of JSON instead of text")
        parser.add_argument("--check", action="store_true", help=f"exit with {NOT_READY} when somebody has to act")

    def handle(self, *args: Any, **options: Any) -> None:
        """Look."""
        places = Repository.objects.exclude(state=RepositoryState.RETIRED).prefetch_related("labs").order_by("name")
        for option, model, column in (("lab", Lab, "labs__name"), ("repository", Repository, "name")):
            name = options[option]
            if name is not None and not model._default_manager.filter(name=name).exists():
                message = f"there is no {option} {name!r}"
                raise CommandError(message)
            places = places.filter(**{column: name}) if name is not None else places
        with acting(path="command preflight"):
            rows = look_by_hand(actor=None, repositories=list(places))
        if options["json"]:
            self.stdout.write(json.dumps([_machine(row) for row in rows], default=str))
        else:
            self.stdout.writelines(f"{_sentence(row)}\n" for row in rows)
        if options["check"] and any(Status(row.status) in {Status.FAILED, Status.CRITICAL} for row in rows):
            sys.exit(NOT_READY)


def _machine(row: Preflight) -> dict[str, Any]:
    checks = [dict(zip(("name", "status", "said"), check, strict=True)) for check in row.checks]
    return {"repository": row.repository.name, **{name: getattr(row, name) for name in COLUMNS}, "checks": checks}


def _sentence(row: Preflight) -> str:
    free = f", {megabytes(row.free_bytes)} free" if row.free_bytes is not None else ""
    comes = f", {row.need_files} files ({megabytes(row.need_bytes)}) come tonight" if row.need_files else ""
    leaves = f", {row.send_files} files ({megabytes(row.send_bytes)}) leave tonight" if row.send_files else ""
    act = f" To act: {row.who}." if Status(row.status) in {Status.FAILED, Status.CRITICAL} else ""
    return f"{SHAPES[Status(row.status)]} {row.repository.name}{free}{comes}{leaves}: {row.what}{act}"

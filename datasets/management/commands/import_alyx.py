"""Take in an existing Alyx from a Django dump: labs, people, colony, animals, what was done to them, sessions."""

import json
import sys
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.core.management.base import BaseCommand, CommandError, CommandParser

from alyx.core.clock import server_zone
from alyx.labs.models import Lab
from datasets.imports.reading import Unreadable
from datasets.imports.running import import_dump

WIDTH = 30


class Command(BaseCommand):
    """May run any number of times, and goes on where it was killed: what is here stays as it is. See docs/import.md."""

    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        """What can be said."""
        parser.add_argument("file", type=Path, help="what `manage.py dumpdata` wrote, packed by gzip or not")
        parser.add_argument("--server-timezone", help="TIME_ZONE of the old server (default: of this one)")
        parser.add_argument("--default-lab", help="name of the lab of what names none")
        parser.add_argument("--batch", type=int, default=1000, help="objects per transaction (1000)")
        parser.add_argument("--dry-run", action="store_true", help="do everything, then take it back")
        parser.add_argument("--json", action="store_true", help="the report for programs, on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import and report. Raises CommandError when nothing could be begun."""
        zone = options["server_timezone"] or server_zone().key
        if zone not in available_timezones():
            raise CommandError(f"--server-timezone {zone}: there is no such time zone; say one like Europe/London")
        if options["batch"] < 1:
            raise CommandError("--batch: at least 1")
        lab = None
        if options["default_lab"]:
            lab = Lab.objects.filter(name__iexact=options["default_lab"]).first()
            if lab is None:
                raise CommandError(f"--default-lab {options['default_lab']}: there is no such lab here; make it first")
        try:
            report = import_dump(
                options["file"],
                server=ZoneInfo(zone),
                default_lab=lab,
                size=options["batch"],
                dry_run=options["dry_run"],
                progress=self._bar,
            )
        except Unreadable as error:
            raise CommandError(f"{error}. Nothing was changed.") from None
        if sys.stderr.isatty():
            self.stderr.write("")
        if options["json"]:
            self.stdout.write(json.dumps(report.as_json(), indent=1))
        else:
            self.stdout.write("\n".join(report.lines()))

    def _bar(self, what: str, done: int, total: int) -> None:
        """Progress, on a terminal only."""
        if sys.stderr.isatty():
            full = WIDTH * done // max(total, 1)
            sys.stderr.write(f"\r\x1b[K[{'#' * full}{'.' * (WIDTH - full)}] {done}/{total} {what}")
            sys.stderr.flush()

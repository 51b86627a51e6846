"""`manage.py scan_repository NAME`: one look through a repository for files that nobody registered."""

import json
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from alyx.core.audit import acting
from datasets.models import Repository
from transfers.backends.base import BackendFailure
from transfers.models import Scan
from transfers.rules.errors import policy
from transfers.rules.intake import FIXES, SENTENCES, Why
from transfers.services import scanning
from transfers.services.scan_reports import Left

COUNTS = ("files", "known", "registered", "waiting", "left")
SHOWN = 20


class Command(BaseCommand):
    """A scan by hand; the nights do it by themselves for labs with an intake policy."""

    help = "Look through a lab's repository: register finished files that fit, report the rest with the reason."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which, and how."""
        parser.add_argument("repository", help="its name")
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be done; reads no file, writes nothing"
        )
        parser.add_argument(
            "--finished", action="store_true", help="all files there are finished: wait for no second look and no flag"
        )
        parser.add_argument("--json", action="store_true", help="one line of JSON instead of text")

    def handle(self, *args: Any, **options: Any) -> None:
        """One pass."""
        repository = Repository.objects.filter(name=options["repository"]).first()
        if repository is None:
            raise CommandError(f"there is no repository {options['repository']!r}")
        if problem := scanning.why_not(repository):
            raise CommandError(problem)
        patient = not options["finished"]
        try:
            if options["dry_run"]:
                counts, done = scanning.preview(repository, patient=patient)
            else:
                with acting(path=f"command scan_repository {repository.name}"):
                    scan, done = scanning.by_hand(repository, patient=patient, said=self._progress(options["json"]))
                counts = {name: getattr(scan, name) for name in (*COUNTS, "sessions_made")}
        except BackendFailure as failure:
            words = policy(failure.code).sentence
            raise CommandError(f"{repository.name}: {words} ({failure.detail}) Nothing was registered.") from failure
        if options["json"]:
            left = [{"path": one.path, "why": str(one.why), "detail": one.detail} for one in done.left]
            answer = {**counts, "dry_run": options["dry_run"], "left_files": left, "registered_files": done.registered}
            self.stdout.write(json.dumps(answer))
            return
        self._tell(repository, counts, done, would="would be " if options["dry_run"] else "")

    def _progress(self, quiet: bool) -> Any:
        def say(scan: Scan) -> None:
            if self.stderr.isatty() and not quiet:
                self.stderr.write(f"\r{scan.files} files seen, {scan.registered} registered   ", ending="")

        return say

    def _tell(self, repository: Repository, counts: dict[str, int], done: scanning.Pass, *, would: str) -> None:
        self.stdout.write(
            f"{repository.name}: {counts['files']} files seen, {counts['known']} were registered already, "
            f"{counts['registered']} {would or 'are now '}registered"
        )
        if made := counts.get("sessions_made"):
            self.stdout.write(f"  {made} sessions were made from their folders")
        for path in done.registered[:SHOWN]:
            self.stdout.write(f"  + {path}")
        reasons = Counter(one.why for one in done.left)
        for why in Why:
            if reasons[why]:
                self._tell_reason(why, [one for one in done.left if one.why is why])

    def _tell_reason(self, why: Why, left: list[Left]) -> None:
        fix = f" To do: {FIXES[why]}." if why in FIXES else ""
        self.stdout.write(f"{len(left)} not: {SENTENCES[why]}{fix}")
        for one in left[:SHOWN]:
            self.stdout.write(f"  - {one.path}{f': {one.detail}' if one.detail else ''}")
        if len(left) > SHOWN:
            self.stdout.write(f"  … and {len(left) - SHOWN} more")

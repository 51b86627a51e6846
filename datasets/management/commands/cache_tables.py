"""Make the clients' cache tables now."""

import json
import sys
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from datasets.exports.cache_tables import Built, Scope, build, scopes
from datasets.models import Tag

WIDTH = 30


class Command(BaseCommand):
    """Those that would say what they say already stay as they are. A job does the same every hour."""

    help = "Make the cache tables that ONE searches in local mode: of all datasets and of tags asked for before, or of a tag."

    def add_arguments(self, parser: CommandParser) -> None:
        """What can be said."""
        parser.add_argument("--tag", help="only the tables of the datasets with this tag")
        parser.add_argument("--json", action="store_true", help="what was made, for programs, on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        """Build and tell. Raises CommandError for an unknown tag."""
        made = [self._built(scope) for scope in self._wanted(options["tag"])]
        if options["json"]:
            self.stdout.write(json.dumps(made))
            return
        for one in made:
            rows = ", ".join(f"{table['nrecs']} {name}" for name, table in one["tables"].items())
            what = f"made in {one['seconds']:.1f} s" if one["is_new"] else f"unchanged since {one['date_created']}"
            self.stdout.write(f"{one['file']}: {what}; {rows}")

    def _wanted(self, name: str | None) -> list[Scope]:
        if name is None:
            return scopes()
        tag = Tag.objects.filter(name=name).first()
        if tag is None:
            raise CommandError(f"--tag {name}: there is no such tag")
        return [Scope(tag)]

    def _built(self, scope: Scope) -> dict[str, Any]:
        began = time.monotonic()
        built = build(scope, progress=self._bar)
        assert built is not None, "it waits for other builders"  # noqa: S101
        if sys.stderr.isatty():
            self.stderr.write("")
        return {**_said(built), "file": str(scope.file), "seconds": round(time.monotonic() - began, 3)}

    def _bar(self, what: str, done: int, total: int) -> None:
        """Progress, on a terminal only."""
        if sys.stderr.isatty():
            full = WIDTH * done // max(total, 1)
            sys.stderr.write(f"\r\x1b[K[{'#' * full}{'.' * (WIDTH - full)}] {done}/{total} {what}")
            sys.stderr.flush()


def _said(built: Built) -> dict[str, Any]:
    return {**{name: value for name, value in built.info.items() if name != "fingerprint"}, "is_new": built.is_new}

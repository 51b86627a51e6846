"""`manage.py copy_agent --repository NAME`: the worker of a lab's own server."""

import signal
import threading
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError, close_old_connections

from datasets.models import Repository
from transfers.agent import rounds
from transfers.agent.rounds import Round

AGAIN_AFTER_S = 60.0
"""After the database could not be reached."""


class Command(BaseCommand):
    """Looks, compresses where the lab's policy says so, hashes, registers; until SIGTERM."""

    help = "Watch one lab repository on this machine: compress, hash and register files as they are finished."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which, and how often."""
        parser.add_argument("--repository", required=True, help="its name")
        parser.add_argument("--once", action="store_true", help="one round, then end")
        parser.add_argument("--every", type=float, default=5.0, metavar="MINUTES", help="between rounds (default: 5)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Work."""
        repository = self._repository(options["repository"])
        if options["once"]:
            rounds.work(repository, stopped=lambda _: True, every_s=0, say=self._say_or_fail)
            return
        if options["every"] <= 0:
            raise CommandError("--every is above 0")
        asked = threading.Event()

        def stop(number: int, frame: FrameType | None) -> None:
            asked.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        while not asked.is_set():
            try:
                rounds.work(
                    repository, stopped=asked.wait, every_s=60 * options["every"], say=self._say, stopping=asked.is_set
                )
            except (OperationalError, InterfaceError) as error:
                self._say(f"the database cannot be reached ({str(error).splitlines()[0]}); tried again")
                close_old_connections()
                asked.wait(AGAIN_AFTER_S)

    def _repository(self, name: str) -> Repository:
        repository = Repository.objects.filter(name=name).first()
        if repository is None:
            raise CommandError(f"there is no repository {name!r}")
        if problem := rounds.why_not(repository):
            raise CommandError(problem)
        return repository

    def _say_or_fail(self, what: Round | str) -> None:
        if isinstance(what, str):
            raise CommandError(what)
        self._say(what)

    def _say(self, what: Round | str) -> None:
        if isinstance(what, str):
            self.stdout.write(what)
            return
        scan = what.scan
        words = f"{scan.files} files seen, {what.registered} registered, {scan.waiting} wait, {scan.left} need somebody"
        self.stdout.write(f"{words}; {what.announced} announced files looked at" if what.announced else words)
        for trouble in what.troubles:
            self.stdout.write(f"  {trouble}")
        self.stdout.flush()

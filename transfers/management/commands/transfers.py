"""`manage.py transfers`: the night by hand, and answers to what became of a file."""

import json
import sys
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from alyx.core.audit import acting
from alyx.core.errors import DomainError
from alyx.labs import mailing
from alyx.labs.models import Lab
from alyx.runtime.heartbeat import Heartbeat
from datasets.models import Repository
from transfers import queries
from transfers.management.telling import bar_of, explanation, find_dataset, health_lines, morning_lines
from transfers.models import Attempt, TransferItem, TransferJob
from transfers.queries.health import health
from transfers.queries.morning import morning
from transfers.rules.evidence import Finding
from transfers.services import night
from transfers.services.alarms import raise_alarms
from transfers.services.looking import Looked
from transfers.services.places import establish_canary
from transfers.services.planning import Scope, plan_transfers
from transfers.services.reconsidering import reconsider_items, retry_item
from transfers.services.scrubbing import verify_copies
from transfers.tasks import run_jobs

WAITS_FOR_A_PERSON = 3
"""Exit code of `verify` when a copy is not good, and of `run` and `status` with --check when somebody has to act."""
PATIENCE_SECONDS = 10.0
"""How long `run` leaves jobs to a live worker before it takes them itself."""


class Command(BaseCommand):
    """Subcommands; each prints text for people, or with --json one line for machines."""

    help = "Plan, run, prove and explain the copies of data files."

    def add_arguments(self, parser: CommandParser) -> None:
        """The subcommands."""
        commands = parser.add_subparsers(dest="command", required=True)

        def add(name: str, what: str) -> Any:
            command = commands.add_parser(name, help=what)
            command.add_argument("--json", action="store_true", help="one line of JSON instead of text")
            return command

        def scoped(command: Any) -> Any:
            command.add_argument("--lab", help="only this lab")
            command.add_argument("--repository", help="only what this repository sends or receives")
            return command

        scoped(add("plan", "write down which copies are missing; moves no bytes"))
        run = scoped(add("run", "a night by hand, to its end"))
        run.add_argument("--now", action="store_true", help="by day as well: opens a window by hand")
        run.add_argument("--inline", action="store_true", help="in this process only, leave nothing to the workers")
        run.add_argument(
            "--check", action="store_true", help=f"exit with {WAITS_FOR_A_PERSON} when somebody has to act"
        )
        status = scoped(add("status", "how things stand, what failed and why, who has to act"))
        status.add_argument(
            "--check", action="store_true", help=f"exit with {WAITS_FOR_A_PERSON} when somebody has to act"
        )
        verify = add("verify", "read copies back and compare them with the registry")
        verify.add_argument("--repository", help="the repository to read")
        verify.add_argument("--fraction", type=float, default=1.0, help="how much of it, 0 to 1 (default: all)")
        verify.add_argument("--dataset", help="only this dataset (its id)")
        add("explain", "everything about one dataset's copies").add_argument(
            "dataset", help="its id, a digest, or a path such as M1/2026-03-09/001/alf/spikes.times.npy"
        )
        health = add("health", "whether the rounds are made, and what waits")
        health.add_argument(
            "--alarm",
            action="store_true",
            help="also tell the administrators of what is overdue, and send that at once",
        )
        morning = add("morning", "last night of each lab, and what must be done by whom")
        morning.add_argument("--lab", help="only this lab")
        morning.add_argument("--date", help="that night instead of the latest, as 2026-03-09")
        add("tick", "what the timetable does each minute")
        add("retry", "try files again that wait for a person").add_argument("item", nargs="+", help="id, or `all`")
        add("establish-canary", "mark a repository's root as its own").add_argument("repository", help="its name")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do one of them, inside an audit context."""
        given = Namespace(**options)
        act: Callable[[Namespace], int] = getattr(self, f"do_{given.command.replace('-', '_')}")
        try:
            with acting(path=f"command transfers {given.command}"):
                code = act(given)
        except DomainError as error:
            raise CommandError(error.detail) from error
        except OperationalError as error:
            text = str(error).splitlines()[0] if str(error) else "no answer"
            raise CommandError(f"the database gave up ({text}); nothing is lost, run it again") from error
        if code:
            sys.exit(code)

    # --- subcommands ---------------------------------------------------------------------------------------------

    def do_plan(self, given: Namespace) -> int:
        """Plan only."""
        scope = _scope(given)
        reconsider_items()
        plan = plan_transfers(actor=None, scope=scope)
        self._answer(given, asdict(plan), [f"planned {_files(plan.items)}; {plan.records} new records"])
        return 0

    def do_run(self, given: Namespace) -> int:
        """A night by hand; without --now only if a window is open."""
        scope = _scope(given)
        if not given.now and not night.is_night():
            self._answer(given, {"night": False}, ["no window is open now: nothing was done (use --now)"])
            return 0
        patience = 0.0 if given.inline or not _worker_lives() else PATIENCE_SECONDS
        progress = night.Progress(say=self._progress(given, patience))
        night.run_now(actor=None, scope=scope, progress=progress, patience_seconds=patience)
        return self._summary(given, scope, progress)

    def _progress(self, given: Namespace, patience: float) -> Callable[[night.Progress], None]:
        woken = 0
        bar = self._bar(given, "planned files done")

        def say(progress: night.Progress) -> None:
            nonlocal woken
            if patience and progress.jobs > woken:
                woken = progress.jobs
                run_jobs.delay([str(window.pk) for window in progress.windows])
            left = _unsettled()
            bar(progress.planned - left if progress.planned > left else 0, max(progress.planned, left))

        return say

    def _bar(self, given: Namespace, what: str) -> Callable[[int, int], None]:
        """A bar on the terminal that grows; silent where there is none, and with --json."""
        terminal = self.stderr.isatty() and not given.json

        def show(done: int, of: int) -> None:
            if terminal:
                self.stderr.write(f"\r\033[K{bar_of(done, of)} {done} of {of} {what}", ending="")

        return show

    def _summary(self, given: Namespace, scope: Scope, progress: night.Progress) -> int:
        outcomes = queries.arrivals(TransferJob.objects.filter(window__in=progress.windows))
        status = queries.status(scope)
        proved, wanted = queries.proved(scope)
        arrived = outcomes.get("done", 0)
        failed = sum(number for outcome, number in outcomes.items() if outcome != "done")
        answer = {
            "looked_at": dict(progress.looked.found),
            "planned": progress.planned,
            "jobs": progress.jobs,
            "arrived": arrived,
            "failed_tries": failed,
            "proved_at_servers": proved,
            "wanted_at_servers": wanted,
            "needs_a_person": status.needs_a_person,
            "waiting": status.items.get("retry_wait", 0),
        }
        lines = [
            f"looked at {_files(progress.looked.total)}{_looks(progress.looked)}",
            f"planned {_files(progress.planned)}, sent in {progress.jobs} job{'' if progress.jobs == 1 else 's'}",
            f"{_files(arrived)} arrived and proved; {failed} {'try' if failed == 1 else 'tries'} failed",
            *[f"  failed: {line}" for line in _failed_tries(progress)],
            f"{proved} of {wanted} copies proved at server repositories",
            *_trouble_lines(status),
        ]
        self._answer(given, answer, lines)
        return WAITS_FOR_A_PERSON if given.check and status.needs_a_person else 0

    def do_status(self, given: Namespace) -> int:
        """How things stand."""
        status = queries.status(_scope(given))
        self._answer(given, status.as_json(), _status_lines(status))
        return WAITS_FOR_A_PERSON if given.check and status.needs_a_person else 0

    def do_verify(self, given: Namespace) -> int:
        """Read back."""
        repository = _repository(given.repository)
        dataset = find_dataset(given.dataset) if given.dataset else None
        if repository is None and dataset is None:
            raise CommandError("name a --repository, a --dataset, or both")
        if not 0 < given.fraction <= 1:
            raise CommandError("--fraction is above 0 and at most 1")
        looked = verify_copies(
            actor=None,
            repository=repository,
            dataset=dataset,
            fraction=given.fraction,
            say=self._bar(given, "read back"),
        )
        bad = looked.total - looked.found[Finding.GOOD]
        answer = {
            "read": looked.total,
            "found": dict(looked.found),
            "bad": [
                {"repository": c.repository.name, "path": c.stored_path, "why": why} for c, why in looked.complaints
            ],
            "unseen": looked.unseen_places,
        }
        lines = [
            f"read {_files(looked.total)} back: {looked.found[Finding.GOOD]} good, {bad} not",
            *[f"  {copy.stored_path} at {copy.repository.name}: {why}" for copy, why in looked.complaints],
            *[f"  {name} was not read: {why}" for name, why in looked.unseen_places.items()],
        ]
        self._answer(given, answer, lines)
        return WAITS_FOR_A_PERSON if bad or looked.unseen_places else 0

    def do_explain(self, given: Namespace) -> int:
        """One dataset."""
        told = queries.explain(find_dataset(given.dataset))
        self._answer(given, asdict(told), explanation(told))
        return 0

    def do_health(self, given: Namespace) -> int:
        """Whether it lives; the exit code says so too."""
        told = raise_alarms() if given.alarm else []
        if told:
            mailing.send_due()
        found = health()
        self._answer(given, found, health_lines(found))
        return 0 if found["is_well"] else WAITS_FOR_A_PERSON

    def do_morning(self, given: Namespace) -> int:
        """Last night."""
        try:
            on = date.fromisoformat(given.date) if given.date else None
        except ValueError as error:
            raise CommandError(f"{given.date!r} is not a date such as 2026-03-09") from error
        labs = [_lab(given.lab)] if given.lab else list(Lab.objects.order_by("name"))
        found = morning(labs, on)
        told = [asdict(one) | {"windows": [str(window) for window in one.windows]} for one in found.nights]
        answer = {"at": found.at, "nights": told, "needs": [asdict(one) for one in found.needs]}
        self._answer(given, answer, morning_lines(found))
        return 0

    def do_tick(self, given: Namespace) -> int:
        """Tick, and do the work it asks for here: for a crontab where no worker runs."""
        work = night.tick()
        if work:
            night.night_work()
        self._answer(given, {"work": work}, ["there was work" if work else "nothing to do"])
        return 0

    def do_retry(self, given: Namespace) -> int:
        """Try again what waits for a person."""
        waiting = TransferItem.objects.filter(state="needs_human")
        try:
            items = list(waiting if given.item == ["all"] else TransferItem.objects.filter(pk__in=given.item))
        except ValidationError as error:
            raise CommandError("an item's id is a UUID; see `transfers status`") from error
        for item in items:
            retry_item(actor=None, item=item)
        self._answer(given, {"retried": len(items)}, [f"{_files(len(items))} will be tried again in the next window"])
        return 0

    def do_establish_canary(self, given: Namespace) -> int:
        """Mark a root."""
        repository = _repository(given.repository)
        if repository is None:
            raise CommandError("name a repository")
        mark = establish_canary(actor=None, repository=repository)
        self._answer(given, {"canary": str(mark)}, [f"{repository.name} is marked {mark}"])
        return 0

    def _answer(self, given: Namespace, answer: Any, lines: list[str]) -> None:
        if self.stderr.isatty() and not given.json:
            self.stderr.write("\r\033[K", ending="")
        self.stdout.write(json.dumps(answer, default=_plain) if given.json else "\n".join(lines))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _scope(given: Namespace) -> Scope:
    return Scope(_lab(given.lab) if given.lab else None, _repository(given.repository))


def _lab(name: str) -> Lab:
    found: Lab | None = Lab.objects.filter(name=name).first()
    if found is None:
        raise CommandError(f"there is no lab {name!r}")
    return found


def _repository(name: str | None) -> Repository | None:
    if not name:
        return None
    found: Repository | None = Repository.objects.filter(name=name).first()
    if found is None:
        raise CommandError(f"there is no repository {name!r}")
    return found


def _worker_lives() -> bool:
    return Heartbeat("worker", settings.INSTANCE.path("heartbeat")).lives()


def _unsettled() -> int:
    return TransferItem.objects.filter(state__in=["bound", "moved", "verifying", "promoted"]).count()


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"


def _looks(looked: Looked) -> str:
    parts = [f"{number} {finding}" for finding, number in sorted(looked.found.items())]
    unseen = [f"{name} could not be looked at: {why}" for name, why in looked.unseen_places.items()]
    return f" ({', '.join(parts)})" * bool(parts) + "".join(f"; {line}" for line in unseen)


def _failed_tries(progress: night.Progress) -> list[str]:
    rows = Attempt.objects.filter(job__window__in=progress.windows).exclude(outcome="done").select_related("item__copy")
    return [f"{row.item.copy.relative_path}: {row.evidence.get('said', row.error_code)}" for row in rows[:20]]


def _trouble_lines(status: queries.Status) -> list[str]:
    lines = []
    for trouble in status.troubles:
        lines += [
            f"  {trouble.path} → {trouble.destination}: {trouble.what}",
            f"      {trouble.next}. To act: {trouble.who}.",
        ]
    if status.troubles_in_all > len(status.troubles):
        lines.append(f"  … and {status.troubles_in_all - len(status.troubles)} more")
    lines += [
        f"  {doubt.path} at {doubt.source} is {doubt.code}: {doubt.what}; {doubt.next}" for doubt in status.doubts
    ]
    lines += [
        f"  repository {place.name} is {place.state}: {place.why}"
        for place in status.places
        if place.state in {"blocked", "full", "quarantined"}
    ]
    return [f"{status.needs_a_person} wait for a person"] * bool(status.needs_a_person) + lines


def _status_lines(status: queries.Status) -> list[str]:
    lines = [f"at {status.at:%Y-%m-%d %H:%M} UTC"]
    for place in status.places:
        counts = ", ".join(f"{number} {state}" for state, number in sorted(place.copies.items())) or "no copies"
        labs = f" of {', '.join(place.labs)}" if place.labs else ""
        lines.append(f"- {place.name} ({place.role}{labs}), {place.state}: {counts}")
        if place.why and place.state == "active":
            lines.append(f"    {place.why}")
        if place.bandwidth:
            lines.append(f"    bandwidth: {place.bandwidth}")
        if place.next_night:
            lines.append(f"    next night {place.next_night:%Y-%m-%d %H:%M} UTC")
    items = ", ".join(f"{number} {state.replace('_', ' ')}" for state, number in sorted(status.items.items()))
    lines.append(f"transfers: {items or 'none yet'}")
    lines += [f"open: {window}" for window in status.open_windows]
    for job in status.jobs:
        lines.append(f"job {job['id']} {job['from']} → {job['to']}: {job['state']}, {job['files']} files")
        lines += [f"    {job['waits']}"] if job["waits"] else []
    lines += [
        f"{_files(hold.files)} between {' and '.join(hold.ends)} ({hold.size_bytes} bytes): {hold.says}. To act: {hold.who}."
        for hold in status.holds
    ]
    return lines + _trouble_lines(status)

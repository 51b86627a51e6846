"""The soak: nights of many labs on the moved clock, faults in files, disks and workers; nothing is lost, late or stuck.

ALYX_SOAK_SEED chooses other faults (default 0); ALYX_SOAK=30x12x15000 is nights, labs and files in all.
"""

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection

from alyx.core import clock
from datasets.models import FileRecord
from datasets.rules.copies import CopyState
from tests.kill.test_matrix import in_child, work
from tests.s3.servers import Servers
from tests.soak.labs import SoakLab, make_labs
from transfers.models import Event, NightWindow, Preflight, TransferItem, TransferJob
from transfers.services import night, preflight

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]

SEED = int(os.environ.get("ALYX_SOAK_SEED", "0"))
NIGHTS, LABS, FILES = map(int, os.environ.get("ALYX_SOAK", "30x12x15000").split("x"))
STEP = timedelta(hours=3)
KILLED = 0.3
"""How likely a worker is killed in three hours of a night, if it passes the chosen place."""
QUIET_NIGHTS = 8
"""After the last fault was mended; by then everything has arrived."""
KILLS = (
    "mover.moved",
    "verifier.proved",
    "promoter.promoted",
    "settler.settled",
    "packer.committed",
    "posix.after_sync",
)
JOB_MAY_TAKE, ITEM_MAY_WAIT = timedelta(hours=24), timedelta(hours=50)
"""How long a job may be under way, and an item wait past its time while both ends are in use."""


@pytest.fixture
def still() -> Iterator[None]:
    """The clock as it was."""
    clock.set_offset(timedelta(0))
    yield
    clock.set_offset(timedelta(0))


def a_day(dice: random.Random, *, with_kills: bool) -> int:
    """Twenty-four hours of beat and one worker, who may be killed; how often."""
    killed = 0
    for _ in range(int(timedelta(hours=24) / STEP)):
        if with_kills and night.is_night() and dice.random() < KILLED:
            killed += in_child(work, dice.choice(KILLS))
            clock.advance(timedelta(minutes=2))
        work()
        if preflight.is_due():
            preflight.look_at_due()
        clock.advance(STEP)
    return killed


def stuck() -> int:
    """What is older than it may be and neither at its end nor with a person."""
    now = clock.now()
    jobs = TransferJob.objects.exclude(state="settled").filter(created_at__lt=now - JOB_MAY_TAKE)
    items = TransferItem.objects.filter(state__in=["planned", "retry_wait"], not_before__lt=now - ITEM_MAY_WAIT)
    usable = items.filter(
        destination__state="active", source__repository__state="active", source__state__in=["claimed", "verified"]
    )
    return jobs.count() + usable.count()


def waiting(labs: list[SoakLab]) -> int:
    """Files that are not proved where they are to go."""
    files = sum(len(lab.contents) for lab in labs)
    copies = FileRecord.objects.filter(repository__in=[lab.target.pk for lab in labs], state=CopyState.VERIFIED)
    return files - copies.count()


def people() -> set[str]:
    """Datasets with an item that ever waited for a person."""
    told = Event.objects.filter(kind="item", new="needs_human").values("subject_id")
    return {str(key) for key in TransferItem.objects.filter(pk__in=told).values_list("dataset", flat=True)}


def sizes() -> Counter[str]:
    """Bytes of the database by app, indexes included."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM")
        cursor.execute(
            "SELECT split_part(relname, '_', 1), sum(pg_total_relation_size(oid))::bigint FROM pg_class"
            " WHERE relkind IN ('r', 'm') AND relnamespace = 'public'::regnamespace GROUP BY 1"
        )
        return Counter(dict(cursor.fetchall()))


def soak(folder: Path, s3: Servers, *, nights: int, labs: int, files: int, with_kills: bool) -> None:
    """`nights` of `labs` labs with `files` files in all, then quiet ones until everything has arrived."""
    began, dice = time.monotonic(), random.Random(SEED)
    made = make_labs(folder, labs, [s3.swift, s3.versioned][: max(1, labs // 6)], SEED)
    before, killed, worst = sizes(), 0, 0
    each = files / (nights * labs)
    for day in range(nights + QUIET_NIGHTS):
        for lab in made:
            lab.mend(day)
            if day < nights:
                lab.record(day, round(each * (day + 1)) - round(each * day))
        killed += a_day(dice, with_kills=with_kills and day < nights)
        worst = max(worst, stuck())
        for lab in made:
            lab.check_claims(at_most=20)
        sys.stderr.write(f"soak: day {day}, {waiting(made)} files wait, {time.monotonic() - began:.0f} s\n")
        if day >= nights and not any(lab.to_mend for lab in made) and not waiting(made):
            break
    took = time.monotonic() - began
    check_end(made)
    assert worst == 0, f"{worst} objects were stuck on some morning"
    planted = sum((lab.planted for lab in made), Counter[str]())
    asked, damaged = people(), set[str]().union(*(lab.damaged for lab in made))
    total = sum(len(lab.contents) for lab in made)
    grown = {app: size // total for app, size in (sizes() - before).most_common(4)}
    print(
        f"\nsoak: {nights} nights and {day + 1 - nights} quiet ones, {labs} labs, {total} files, all proved in {took:.0f} s;"
        f"\n  planted: {dict(planted)}, {killed} workers killed; stuck on any morning: {worst};"
        f" files that waited for a person: {len(asked)}, of them with no planted fault: {len(asked - damaged)}"
        f"\n  {NightWindow.objects.count()} windows, {Preflight.objects.count()} looks before the night;"
        f" database growth per file, bytes: {sum(grown.values())} ({grown})"
    )


def check_end(labs: list[SoakLab]) -> None:
    """Everything is proved, once, with the right bytes; no object is left under way."""
    left = TransferItem.objects.exclude(state__in=["done", "stale", "cancelled"])
    told = list(left.values_list("state", "last_error_code", "attempts")[:5])
    assert waiting(labs) == 0, told
    assert not left.exists(), told
    assert not TransferJob.objects.exclude(state="settled").exists()
    clock.advance(timedelta(days=8))  # bytes that failed their proof are kept for a week
    night.sweep()
    for lab in labs:
        assert lab.check_claims() == len(lab.contents)
        done = TransferItem.objects.filter(destination=lab.target, state="done")
        assert done.values("dataset", "content_version").distinct().count() == done.count(), "no version is sent twice"
        assert not (lab.bucket.staged() if lab.bucket else lab.world.staged())
    nights = NightWindow.objects.filter(kind="night")
    assert nights.values("repository", "local_date").distinct().count() == nights.count()


def test_two_nights_of_three_labs(still: None, s3: Servers, tmp_path: Path) -> None:
    soak(tmp_path, s3, nights=2, labs=3, files=150, with_kills=True)


@pytest.mark.faults
def test_thirty_nights_of_twelve_labs(still: None, s3: Servers, tmp_path: Path) -> None:
    soak(tmp_path, s3, nights=NIGHTS, labs=LABS, files=FILES, with_kills=True)

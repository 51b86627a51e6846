"""Nights into a bucket over a wire with faults: the same end state, no file twice, no claim that is not true."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from alyx.core import clock
from datasets.models import FileRecord, Repository
from datasets.rules.copies import CopyState
from tests.s3.buckets import LARGE, Bucket, make_bucket
from tests.transfers.world import World, digest_of, make_world, run
from tests.wire.conftest import Spoiled
from tests.wire.proxy import ASK_LATER
from transfers.models import TransferItem, TransferJob
from transfers.services import night

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]

NIGHTS = 12
PART, WHOLE, BEGIN, SMALL, READ, LIST = (
    r"^PUT [^ ]*partNumber=",
    r"^POST [^ ]*uploadId=",
    r"^POST [^ ]*uploads",
    r"^PUT [^ ?]+ HTTP",
    r"^GET [^ ?]+ HTTP",
    r"^GET [^ ]*list-type=2",
)
BUSY, BUSY_FOR_A_SECOND = (ASK_LATER.format(more=more) for more in ("", "Retry-After: 1\r\n"))
Plants = list[tuple[str, str, dict[str, Any]]]

SHORT: dict[str, Plants] = {
    "the answers to a part, to the end of an upload and to a small file are lost": [
        ("drop", PART, {"after": 0}),
        ("drop", WHOLE, {"after": 0}),
        ("drop", SMALL, {"after": 0, "skip": 2}),
    ],
    "parts are refused until the client gives up, and bodies that are read back are cut": [
        ("instead", PART, {"times": 3, "answer": BUSY}),
        ("truncate", READ, {"after": 600, "times": 2}),
    ],
}
MORE: dict[str, Plants] = {
    "the end of an upload happens and is called an error until the client gives up": [
        ("after_effect", WHOLE, {"times": 3})
    ],
    "a small file is stored and it is called an error until the client gives up": [
        ("after_effect", SMALL, {"times": 6})
    ],
    "an upload begins and nobody hears of it": [("drop", BEGIN, {"after": 0, "times": 2})],
    "parts break off": [("cut", PART, {"after": 70_000, "times": 4})],
    "small files break off": [("cut", SMALL, {"after": 300, "times": 4})],
    "the server hears only half of a part": [("half_close", PART, {"after": 70_000, "times": 2})],
    "what is read back breaks off": [("drop", READ, {"after": 5_000, "times": 5})],
    "what is read back ends early": [("truncate", READ, {"after": 5_000, "times": 5})],
    "everything is slow": [("delay", "", {"seconds": 0.2, "times": 30})],
    "the service asks for patience": [("instead", "", {"times": 5, "answer": BUSY_FOR_A_SECOND})],
    "the service asks for patience and does not say how long": [("instead", "", {"times": 12, "answer": BUSY})],
    "listings break off": [("truncate", LIST, {"after": 400, "times": 4})],
    "answers end within their heads": [
        ("truncate", "", {"after": after, "times": 2, "skip": 5 * number})
        for number, after in enumerate((17, 60, 120, 200))
    ],
    "nothing is answered at all": [("drop", "", {"after": 0, "times": 25})],
}


def a_case(folder: Path, spoiled: Spoiled) -> tuple[World, Bucket, dict[str, bytes]]:
    """Files of a lab, and their bucket: the engine reaches it over the wire, the test round it."""
    world = make_world(folder)
    made = make_bucket(world.lab, spoiled.direct, "spoiled")
    Repository.objects.filter(pk=made.repository.pk).update(endpoint=spoiled.place.endpoint)
    Repository.objects.filter(pk=world.central.pk).update(state="retiring")
    contents = [LARGE, b"small" * 1000, b"another", b"nobody hashed this" * 20, b"x" * 20_000]
    found = {}
    for data in contents:
        dataset = world.add_file(data, hashed=not data.startswith(b"nobody"), central=False)
        found[str(dataset.pk)] = data
    return world, replace(made, place=replace(made.place, endpoint=spoiled.direct.endpoint)), found


def proved(bucket: Bucket, contents: dict[str, bytes]) -> int:
    """How many are said to be proved; each is."""
    copies = list(FileRecord.objects.filter(repository=bucket.repository, state=CopyState.VERIFIED))
    for copy in copies:
        data = contents[str(copy.dataset_id)]
        assert bucket.get(copy.stored_path) == data, "a false claim"
        assert (copy.md5, copy.evidence_level) == (digest_of(data), 4)
    return len(copies)


def nights(bucket: Bucket, contents: dict[str, bytes]) -> int:
    """Nights until all is proved; how many it took."""
    for number in range(1, NIGHTS + 1):
        run()
        live = TransferJob.objects.filter(destination=bucket.repository).exclude(state="settled")
        if proved(bucket, contents) == len(contents) and not live.exists():
            return number
        clock.advance(timedelta(hours=13))
    items = TransferItem.objects.filter(destination=bucket.repository)
    raise AssertionError(list(items.values_list("state", "attempts", "last_error")))


def check_end(bucket: Bucket, contents: dict[str, bytes]) -> None:
    """The one end state: where the staging place could not be cleared because of the wire, the sweep of a week later did."""
    clock.advance(timedelta(days=8))
    night.sweep()
    assert (bucket.staged(), bucket.uploads()) == ([], [])
    assert len(bucket.data()) == len(contents)
    done = TransferItem.objects.filter(destination=bucket.repository, state="done")
    assert done.values("dataset").distinct().count() == done.count() == len(contents), "no file is sent twice"
    assert not TransferItem.objects.filter(destination=bucket.repository).exclude(state="done").exists()


def told(name: str, spoiled: Spoiled, plants: Plants, folder: Path) -> None:
    """One case from its faults to its end."""
    _, bucket, contents = a_case(folder, spoiled)
    before = sum(spoiled.link.heal().values())
    for kind, match, facts in plants:
        spoiled.link.plant(kind, match, **facts)
    took = nights(bucket, contents)
    struck = sum(spoiled.link.heal().values()) - before
    assert struck > 0, "no fault struck: the case shows nothing"
    check_end(bucket, contents)
    print(f"\nS3 wire: {name}: {struck} faults, {took} nights")


@pytest.mark.parametrize("name", SHORT)
def test_a_night_over_a_bad_wire_ends_as_over_a_good_one(name: str, spoiled: Spoiled, tmp_path: Path) -> None:
    told(name, spoiled, SHORT[name], tmp_path)


@pytest.mark.faults
@pytest.mark.parametrize("spoiled", ["swift", "moto"], indirect=True)
@pytest.mark.parametrize("name", MORE)
def test_every_fault_on_both_servers(name: str, spoiled: Spoiled, tmp_path: Path) -> None:
    told(name, spoiled, MORE[name], tmp_path)


@pytest.mark.faults
@pytest.mark.parametrize("spoiled", ["swift", "moto"], indirect=True)
@pytest.mark.parametrize("seed", range(6))
def test_bad_weather(seed: int, spoiled: Spoiled, tmp_path: Path) -> None:
    _, bucket, contents = a_case(tmp_path, spoiled)
    kinds = ["drop", "truncate", "cut", "half_close", "delay", "instead", "after_effect"]
    before = sum(spoiled.link.heal().values())
    spoiled.link.weather(seed, 0.15, kinds)
    for number in range(NIGHTS):
        if number == NIGHTS // 2:
            spoiled.link.heal()
        run()
        if proved(bucket, contents) == len(contents):
            break
        clock.advance(timedelta(hours=13))
    struck = sum(spoiled.link.heal().values()) - before
    assert struck > 0, "no fault struck: the case shows nothing"
    nights(bucket, contents)
    check_end(bucket, contents)
    print(f"\nS3 wire: weather {seed}: {struck} faults")

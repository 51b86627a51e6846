"""`manage.py transfers`: explain on odd cases, health, morning; the bars."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from alyx.core import clock
from alyx.labs.models import Delivery
from datasets.models import Dataset, FileRecord, Repository
from datasets.rules.copies import CopyState
from tests.factories.copies import a_copy, bring_to
from tests.factories.engine import a_window, an_item
from tests.factories.people import a_lab, a_superuser
from tests.factories.records import a_dataset, a_repository, a_session, a_subject
from transfers.management.telling import bar_of
from transfers.models import Pulse
from transfers.services.pulses import beat

pytestmark = pytest.mark.django_db


@pytest.fixture
def places() -> tuple[Repository, Repository]:
    """A lab's server and a central one."""
    lab = a_lab("cortexlab")
    return a_repository(lab, root="/srv/lab"), a_repository(lab, role="central", root="/srv/central", name="central")


def said(*words: str, capsys: Any) -> str:
    call_command("transfers", *words)
    return str(capsys.readouterr().out)


def odd(case: str, places: tuple[Repository, Repository]) -> Dataset:
    """A dataset in an odd case: `lab:state central:state`, an item's state, or a word."""
    here, central = places
    dataset = a_dataset(a_session(a_subject(here.labs.get())))
    if case == "nowhere":
        return dataset
    source = a_copy(dataset, here, state=CopyState.CLAIMED)
    if case.startswith("item:"):
        _, state, code = case.split(":")
        an_item(
            state, dataset=dataset, source=source, destination=central, last_error_code=code, last_error="It said so."
        )
        return dataset
    copy = a_copy(dataset, central, state=CopyState.EXPECTED)
    if case.startswith("here:"):
        bring_to(source, CopyState(case.partition(":")[2]))
    elif case.startswith("central:"):
        bring_to(copy, CopyState(case.partition(":")[2]))
    elif case == "withdrawn":
        Dataset.objects.filter(pk=dataset.pk).update(withdrawn_at=clock.now())
    elif case.startswith("place:"):
        Repository.objects.filter(pk=central.pk).update(state=case.partition(":")[2], state_reason="The disk is full.")
    elif case == "source blocked":
        Repository.objects.filter(pk=here.pk).update(state="blocked", state_reason="Credentials refused.")
    elif case == "no root":
        Repository.objects.filter(pk=central.pk).update(root="")
    elif case == "asked":
        FileRecord.objects.filter(pk=source.pk).update(look_due_at=clock.now())
    return dataset


CASES = {
    "nowhere": "no place is meant to hold it",
    "withdrawn": "nothing is moved any more",
    "here:verified": "to be planned in the next window",
    "here:suspect": "no other place is known to have the current version",
    "here:missing": "comes back",
    "here:corrupt": "a lab's own repository is never filled",
    "here:announced": "looked at in the next window",
    "here:superseded": "holds an older version",
    "here:withdrawn": "nothing is moved here in this state",
    "central:verified": "proved: nothing to do",
    "central:claimed": "read back in the next window",
    "central:suspect": "to be planned",
    "central:missing": "to be planned",
    "central:corrupt": "to be planned",
    "place:full": "the repository is full. The disk is full.",
    "place:quarantined": "the repository is quarantined",
    "place:retiring": "the repository is retiring",
    "source blocked": "which has it, is blocked. Credentials refused.",
    "no root": "nothing of ours reaches this repository",
    "asked": "looked at after",
    "item:planned:": "is sent in the next window",
    "item:retry_wait:io_error": "is tried again after",
    "item:needs_human:name_taken": "waits until somebody says",
    "item:needs_human:source_vanished": "goes on by itself once the file is registered",
}


@pytest.mark.parametrize(("case", "expected"), CASES.items())
def test_explain_says_why_of_odd_cases(
    case: str, expected: str, places: tuple[Repository, Repository], capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = odd(case, places)
    text = said("explain", str(dataset.pk), capsys=capsys)
    if case == "here:missing":
        expected = "a lab's own repository is never filled"
    assert expected in text, text
    assert "None" not in text
    told = json.loads(said("explain", str(dataset.pk), "--json", capsys=capsys))
    assert all(copy["why"] for copy in told["copies"])


def test_explain_takes_a_digest_or_a_path_and_names_several(
    places: tuple[Repository, Repository], capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = odd("here:verified", places)
    record = FileRecord.objects.get(dataset=dataset, repository=places[0])
    assert str(dataset.pk) in said("explain", record.stored_path, capsys=capsys)
    with pytest.raises(CommandError, match="there is no dataset"):
        call_command("transfers", "explain", "nothing/here.npy")
    Dataset.objects.filter(pk__in=[dataset.pk, odd("nowhere", places).pk]).update(
        md5="ab" * 16, hash_state="attested", size_bytes=1
    )
    with pytest.raises(CommandError, match="several datasets"):
        call_command("transfers", "explain", "AB" * 16)


def test_health_says_what_stopped_and_tells_people(
    places: tuple[Repository, Repository], capsys: pytest.CaptureFixture[str]
) -> None:
    a_superuser("ada")
    beat("tick")
    beat("morning")
    Pulse.objects.filter(name="tick").update(at=clock.now() - timedelta(minutes=9))
    with pytest.raises(SystemExit) as left:
        call_command("transfers", "health")
    assert left.value.code == 3
    assert "ALARM: the minute's tick" in capsys.readouterr().out
    assert not Delivery.objects.exists()
    Pulse.objects.filter(name="tick").update(at=clock.now())
    assert json.loads(said("health", "--json", capsys=capsys))["is_well"]


def test_morning_says_what_the_page_says(
    places: tuple[Repository, Repository], capsys: pytest.CaptureFixture[str]
) -> None:
    a_window(places[0])
    odd("item:needs_human:source_vanished", places)
    text = said("morning", "--lab", "cortexlab", capsys=capsys)
    assert "1 session expected, 0 verified, 1 failed" in text
    assert "file gone from" in text
    told = json.loads(said("morning", "--json", capsys=capsys))
    assert told["nights"][0]["failed"]["files"] == 1
    with pytest.raises(CommandError, match="not a date"):
        call_command("transfers", "morning", "--date", "yesterday")


def test_a_bar_grows() -> None:
    assert [bar_of(done, 10).count("#") for done in (0, 5, 10, 12)] == [0, 15, 30, 30]
    assert bar_of(0, 0).count("#") == 30

"""Consent, expired logins, pauses and collections that are off: states of a repository, with what to do; nothing is lost by them."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from alyx.core import clock
from alyx.labs.models import User
from datasets.models import Repository
from tests.globus.night import GlobusNight, Lone, work
from transfers.models import TransferItem, TransferJob
from transfers.queries.status import status
from transfers.rules.lifecycle import STALLED_AFTER
from transfers.services.places import heal_repositories
from transfers.services.polling import cancel_job

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]

SCOPES = ["urn:globus:auth:scope:transfer.api.globus.org:all[*https://auth.globus.org/scopes/c/data_access]"]
TWO_MIB = b"x" * (2 << 20)


def now(place: Lone) -> Repository:
    """As it is in the database."""
    found: Repository = Repository.objects.get(pk=place.repository.pk)
    return found


@pytest.mark.parametrize(
    ("at", "trouble", "said"),
    [
        ("lab", {"connected": False}, "Start it, or mend the network"),
        ("central", {"connected": False}, "Start it, or mend the network"),
        ("central", {"paused": "maintenance until noon"}, "maintenance until noon"),
        ("lab", {"lapsed": True}, "Renew them"),
    ],
)
def test_a_place_that_cannot_be_used_waits_with_its_files_and_heals(
    globus_night: GlobusNight, at: str, trouble: dict[str, Any], said: str
) -> None:
    copy, place = globus_night.add(b"abc"), getattr(globus_night, at)
    globus_night.service.control("collection", place.collection, **trouble)
    for _ in range(4):
        work()
        clock.advance(timedelta(minutes=30))
    assert (now(place).state, globus_night.tasks()) == ("blocked", 0)
    assert said in now(place).state_reason
    assert not TransferItem.objects.filter(copy=copy, attempts__gt=1).exists()
    well: dict[str, Any] = {"connected": True, "paused": None, "lapsed": False}
    globus_night.service.control("collection", place.collection, **well)
    globus_night.until(lambda: globus_night.arrived(copy, b"abc"))
    assert (now(place).state, globus_night.tasks()) == ("active", 1)


def test_a_missing_consent_is_told_with_the_command_that_gives_it(globus_night: GlobusNight) -> None:
    copy = globus_night.add(b"abc")
    globus_night.service.fail(
        "refuse", "/operation/", times=None, status=403, code="ConsentRequired", body={"required_scopes": SCOPES}
    )
    work()
    stopped = Repository.objects.filter(state="blocked", kind="globus").first()
    assert stopped is not None
    assert f"globus session consent '{SCOPES[0]}'" in stopped.state_reason
    globus_night.service.heal()
    globus_night.until(lambda: globus_night.arrived(copy, b"abc"))


def test_refused_secrets_stop_the_place_and_say_none(globus_night: GlobusNight) -> None:
    copy = globus_night.add(b"abc")
    rows = Repository.objects.filter(kind="globus")
    rows.update(credential="wrong")
    work()
    stopped = rows.filter(state="blocked").first()
    assert stopped is not None
    assert "credentials" in stopped.state_reason
    assert "nonsense" not in stopped.state_reason
    rows.update(credential="default")
    assert stopped.name in heal_repositories()
    globus_night.until(lambda: globus_night.arrived(copy, b"abc"))


def test_a_running_task_outlives_a_pause_of_days_and_its_repository_says_why(globus_night: GlobusNight) -> None:
    copy = globus_night.add(TWO_MIB)
    globus_night.service.fail("drag", times=None, seconds=0.3)
    work()
    globus_night.service.control("collection", globus_night.central.collection, paused="until Monday")
    globus_night.until(lambda: TransferJob.objects.filter(remote_problem="paused").exists())
    job = TransferJob.objects.get(remote_problem="paused")
    assert "until Monday" in now(globus_night.central).state_reason
    shown = next(one for one in status().jobs if one["id"] == str(job.pk))
    assert shown["elsewhere"].startswith("running; 0 of 1 files")
    assert "paused transfers" in shown["elsewhere"]
    for _ in range(6):
        clock.advance(STALLED_AFTER / 2)
        work()
    job.refresh_from_db()
    assert (job.state, job.remote_state, globus_night.item(copy).state) == ("submitted", "active", "bound")
    globus_night.service.heal()
    globus_night.service.control("collection", globus_night.central.collection, paused=None)
    globus_night.until(lambda: globus_night.arrived(copy, TWO_MIB))
    assert globus_night.tasks() == 1


def test_a_task_that_stands_still_is_cancelled_waited_for_and_sent_again(globus_night: GlobusNight) -> None:
    copy = globus_night.add(TWO_MIB)
    globus_night.service.fail("drag", times=None, seconds=0.3)
    work()
    globus_night.service.control("collection", globus_night.lab.collection, connected=False)
    globus_night.service.fail("linger", seconds=0.5)
    globus_night.until(lambda: TransferJob.objects.filter(state="cancelling").exists(), by=STALLED_AFTER / 4)
    assert globus_night.item(copy).state == "bound"
    globus_night.until(globus_night.settled)
    item = globus_night.item(copy)
    assert (item.state, item.last_error_code) == ("retry_wait", "expired")
    assert "no progress" in item.last_error
    assert TransferJob.objects.filter(remote_state="cancelled").count() == globus_night.tasks() == 1


def test_a_task_that_the_service_denies_ends_when_a_person_wants_it(globus_night: GlobusNight) -> None:
    copy = globus_night.add(b"abc")
    globus_night.service.fail("blind", times=None)
    for _ in range(4):
        work()
        clock.advance(timedelta(hours=2))
    job = TransferJob.objects.get(backend="globus")
    assert (job.state, job.remote_state, globus_night.item(copy).state) == ("submitted", "active", "bound")
    globus_night.service.fail("refuse", "/cancel", times=None, status=404, code="ClientError.NotFound")
    cancel_job(actor=User.objects.create_superuser("root"), job=job, reason="it is not to be seen on their page either")
    globus_night.until(globus_night.settled)
    assert globus_night.arrived(copy, b"abc"), "by the service's record under the job's label"
    assert globus_night.tasks() == 1


def test_a_person_s_cancel_keeps_what_arrived(globus_night: GlobusNight) -> None:
    small, large = globus_night.add(b"small"), globus_night.add(TWO_MIB * 2)
    User.objects.create_superuser("root", password="let me in")
    User.objects.create_user("stranger", password="let me in")
    globus_night.service.fail("drag", times=None, seconds=0.2)
    work()
    job = TransferJob.objects.get(remote_state="active")
    arguments = ["cancel_transfer_job", str(job.pk), "--reason", "the network is needed", "--as"]
    with pytest.raises(CommandError, match="only data managers"):
        call_command(*arguments, "stranger")
    call_command(*arguments, "root", stdout=StringIO())
    with pytest.raises(CommandError, match="cancelling"):
        call_command(*arguments, "root")
    globus_night.until(globus_night.settled)
    job.refresh_from_db()
    assert job.remote_status["cancelled"] == {"by": "root", "why": "the network is needed"}
    done = {copy.pk: globus_night.item(copy).state for copy in (small, large)}
    assert set(done.values()) <= {"done", "retry_wait"}
    assert done[large.pk] == "retry_wait"
    assert globus_night.item(large).last_error_code == "cancelled"
    assert globus_night.tasks() == 1

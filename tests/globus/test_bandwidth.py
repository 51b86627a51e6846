"""Globus keeps no limit of ours; a closed hour keeps new tasks from being sent, and what runs goes on."""

import os
from datetime import timedelta

import pytest

from alyx.core import clock
from datasets.models import Repository
from tests.globus.night import GlobusNight, work
from transfers.models import TransferItem, TransferJob
from transfers.queries import status

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]


def close(place: Repository) -> None:
    """From an hour ago for two hours."""
    now = clock.now().astimezone(place.zone)
    text = f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=1):%H:%M} nothing"
    Repository.objects.filter(pk=place.pk).update(bandwidth=text)


def test_out_of_hours_no_task_is_sent_and_it_is_said_until_when(globus_night: GlobusNight) -> None:
    central = globus_night.central.repository
    copies = [globus_night.add(b"file %d" % n) for n in range(3)]
    close(central)
    for _ in range(2):
        work()
    assert (globus_night.tasks(), globus_night.jobs()) == (0, 0)
    [hold] = status().holds
    assert hold.files == len(copies)
    assert hold.says.startswith("waits until")
    Repository.objects.filter(pk=central.pk).update(bandwidth="00:00-24:00 1 kB/s")  # no limit of a task is known there
    globus_night.until(lambda: globus_night.arrived(copies[0], b"file 0") and globus_night.settled())
    assert globus_night.tasks() == 1


def test_a_task_that_runs_goes_on_and_its_end_is_settled(globus_night: GlobusNight) -> None:
    content = os.urandom(1 << 20)
    copy = globus_night.add(content)
    globus_night.service.control("clock", "rate", per_second=100_000)
    work()
    assert globus_night.tasks() == 1
    assert TransferJob.objects.get().remote_state == "active"
    close(globus_night.central.repository)
    assert status().holds == [], "it is on its way, it does not wait"
    globus_night.service.control("clock", "rate", per_second=None)
    globus_night.until(lambda: globus_night.arrived(copy, content) and globus_night.settled())
    assert TransferItem.objects.get().attempts == 1

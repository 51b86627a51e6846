"""A key has 1024 bytes at most: a longer one is said when it is planned, and stops no other file."""

import io
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.management import call_command

from datasets.models import Repository, RepositoryRole
from tests.s3.servers import Servers
from tests.transfers.world import make_world, run
from transfers.models import TransferItem
from transfers.services.places import establish_canary
from transfers.services.planning import plan_transfers

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]


def test_a_key_that_is_too_long_waits_for_a_person_with_the_figures(s3: Servers, tmp_path: Path) -> None:
    world = make_world(tmp_path)
    folder = f"{uuid.uuid4().hex}/" + "/".join(["x" * 99] * 8) + "/Subjects"
    place = replace(s3.swift, prefix=f"{folder}/")
    bucket = Repository.objects.create(
        name="deep",
        kind="s3",
        role=RepositoryRole.MIRROR,
        uuid_in_names=True,
        root=f"s3://{place.bucket}/{folder}",
        endpoint=place.endpoint,
        region=place.region,
        credential=place.credential,
    )
    bucket.labs.add(world.lab)
    establish_canary(actor=None, repository=bucket)
    fits = world.add_file(b"abc", name="obj.times.npy")
    long = world.add_file(b"abcd", name=f"obj.times.{'y' * 80}.npy")
    plan_transfers(actor=None)
    item = TransferItem.objects.get(dataset=long, destination=bucket)
    assert (item.state, item.last_error_code, item.attempts) == ("needs_human", "name_too_long", 0)
    assert "deep stores paths of 134 bytes at most" in item.last_error
    run()
    assert world.copy(fits, bucket).state == "verified"
    assert world.copy(long).state == "verified", "the central directory takes it"
    out = io.StringIO()
    call_command("transfers", "explain", str(long.pk), stdout=out)
    assert "Shorten it and register it again" in out.getvalue()

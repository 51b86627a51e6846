"""Passwords are not guessed through the address that files are downloaded from."""

import base64
from typing import Any

import pytest
from django.test import Client

from alyx.labs.tokens import issue_token
from tests.datasets.world import World
from tests.factories.people import PASSWORD

ADDRESS = "/data/lab/Subjects/nothing.npy"
RATE = 30
"""Attempts to log in per minute."""


@pytest.fixture(autouse=True)
def throttled(settings: Any) -> None:
    settings.THROTTLE = True


def download(name: str, secret: str, address: str = "192.0.2.1") -> Any:
    sent = base64.b64encode(f"{name}:{secret}".encode()).decode()
    return Client(REMOTE_ADDR=address).get(ADDRESS, headers={"Authorization": f"Basic {sent}"})


def test_wrong_passwords_of_one_account_are_counted_wherever_they_come_from(world: World) -> None:
    guesses = [download(world.rig.username, f"guess {n}", f"192.0.2.{n}").status_code for n in range(RATE + 2)]
    assert guesses == [401] * RATE + [429] * 2


def test_wrong_passwords_of_one_address_are_counted_whatever_the_account(world: World) -> None:
    guesses = [download(f"nobody{n}", "guess").status_code for n in range(RATE + 1)]
    assert guesses == [401] * RATE + [429]


def test_the_refusal_does_not_tell_a_right_password_and_says_when_to_come_back(world: World) -> None:
    for n in range(RATE):
        download(world.rig.username, f"guess {n}")
    refused = download(world.rig.username, PASSWORD)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.json()["status_code"] == 429


def test_a_token_goes_on_working_while_somebody_guesses(world: World) -> None:
    for n in range(RATE + 1):
        download(world.rig.username, f"guess {n}")
    token = issue_token(actor=world.rig, user=world.rig).key
    assert download(world.rig.username, token).status_code == 404


def test_right_passwords_are_not_counted(world: World) -> None:
    assert {download(world.rig.username, PASSWORD).status_code for _ in range(RATE + 5)} == {404}

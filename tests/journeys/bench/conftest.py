"""A served instance that can be killed, a lab in it, and tablets."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Browser
from pytest_django import DjangoDbBlocker

from alyx.labs.models import Lab, Role, User
from sessions.models import Session
from tests.factories.people import a_lab, a_member
from tests.factories.records import a_session, a_subject
from tests.journeys.bench.served import Bench, own_database, with_password
from tests.journeys.bench.tablets import UPRIGHT, Tablet

PASSWORD = "gloves-on-7"


@dataclass
class Room:
    """A lab with two experimenters, and a session that is going on."""

    lab: Lab
    anna: User
    ben: User
    session: Session


@pytest.fixture(scope="package")
def bench(
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    static_files: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Bench]:
    """The instance. What tests of this package read is its database; `bench.do` changes it."""
    with django_db_blocker.unblock(), own_database() as database:
        var = tmp_path_factory.mktemp("bench")
        (var / "static").symlink_to(settings.STATIC_ROOT)
        served = Bench(var, database)
        served.start()
        try:
            yield served
        finally:
            served.kill()


@pytest.fixture(scope="package")
def room(bench: Bench) -> Room:
    """Made once; each test writes about records of its own where that matters."""

    def made() -> Room:
        lab = a_lab("benchlab", timezone="Europe/London")
        anna, ben = (
            with_password(a_member(lab, Role.EXPERIMENTER, name, is_staff=True), PASSWORD) for name in ("anna", "ben")
        )
        return Room(lab, anna, ben, a_session(a_subject(lab, "M1")))

    return bench.do(made)


@pytest.fixture
def up(bench: Bench) -> Iterator[Bench]:
    """The instance, serving at the start and at the end, whatever the test does to it."""
    if bench.process is None:
        bench.start()
    yield bench
    if bench.process is None:
        bench.start()


TabletOf = Callable[..., Tablet]


@pytest.fixture
def tablet_of(up: Bench, browser: Browser, tmp_path: Path) -> Iterator[TabletOf]:
    """Switch a tablet on, with somebody logged in: `tablet_of(user, size=LYING)`."""
    made: list[Tablet] = []

    def tablet(
        user: User | None, size: tuple[int, int] = UPRIGHT, arguments: tuple[str, ...] = (), **options: Any
    ) -> Tablet:
        cookies = up.cookies(user) if user else []
        profile = tmp_path / f"tablet{len(made)}"
        made.append(Tablet(browser, profile, up.url, cookies, size, options=options, arguments=arguments))
        return made[-1].start()

    yield tablet
    for one in made:
        one.close()
        assert one.errors == []

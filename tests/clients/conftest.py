"""A served instance with a small lab, and the stock ONE client logged in to it."""

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from demo import recordings
from demo.connection import connect
from demo.served import Served, free_port
from demo.story import Story

START = datetime(2026, 3, 9, 14, 2, 3, 123456)
PROTOCOL = "_one_day_choiceWorld3.7.5"

ONES_OWN_WARNINGS = (
    "ignore::ResourceWarning",  # it leaves its connections to the collector
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",  # pandas, about how ONE uses it
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What the stock clients do cannot be changed; whatever else they warn of is an error, and ours."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            for warning in ONES_OWN_WARNINGS:
                item.add_marker(pytest.mark.filterwarnings(warning))


class Day(NamedTuple):
    """One session, registered, copied and proved. `registered`: path below the session → the answer to it."""

    eid: UUID
    path: Path
    arrays: recordings.Arrays
    registered: dict[str, dict[str, Any]]
    client: Any


@contextmanager
def own_servers(slot: int = 0) -> Iterator[Mapping[str, str]]:
    """The environment for a served instance of its own; `slot` 0 or 1: two may run at once.

    With REDIS_URL the tests run on servers, and so does the instance, in a database and a Redis number of its own.
    Without it the instance is embedded, whatever database the test process itself uses.
    """
    redis, database = os.environ.get("REDIS_URL"), os.environ.get("DATABASE_URL")
    if not redis or not database:
        yield {"DATABASE_URL": "", "REDIS_URL": ""}
        return
    name = sql.Identifier(own := f"alyx_clients_{secrets.token_hex(4)}")
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    number = (int(urlsplit(redis).path.strip("/") or 0) + 5 + 2 * worker + slot) % 16
    with psycopg.connect(database, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(name))
        try:
            yield {
                "DATABASE_URL": urlunsplit(urlsplit(database)._replace(path=f"/{own}")),
                "REDIS_URL": urlunsplit(urlsplit(redis)._replace(path=f"/{number}")),
            }
        finally:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An instance of its own, served."""
    with own_servers() as environment:
        extra = {**environment, "ALYX_THROTTLE": "off"}
        with Served(tmp_path_factory.mktemp("instance"), free_port(), extra=extra) as instance:
            yield instance


@pytest.fixture(scope="session")
def lab(served: Served) -> Story:
    """The demo's lab on that instance."""
    folder, data_url = str(served.var / "lab"), f"{served.url}/data"
    facts = served.manage_json("demo_lab", "make", "--folder", folder, "--data-url", data_url)
    return Story(url=served.url, data_url=data_url, homes=str(served.var / "homes"), **facts)


@pytest.fixture(scope="session")
def home(lab: Story) -> Iterator[Path]:
    """HOME of the clients that live in the test process."""
    before = os.environ["HOME"]
    yield Path(lab.homes) / "tests"
    os.environ["HOME"] = before


@pytest.fixture(scope="session")
def rig(lab: Story, home: Path) -> Any:
    """ONE, logged in as the rig."""
    return connect(
        url=lab.url,
        data_server=lab.data_url,
        username=lab.rig_user,
        password=lab.rig_password,
        home=home,
        cache=home / "rig",
    )


@pytest.fixture(scope="session")
def analyst(lab: Story, home: Path) -> Any:
    """ONE with an empty cache, logged in as somebody who only reads."""
    return connect(
        url=lab.url,
        data_server=lab.data_url,
        username=lab.analyst_user,
        password=lab.analyst_password,
        home=home,
        cache=home / "analyst",
    )


def night(served: Served) -> str:
    """Run the night now; what it said."""
    return served.manage("transfers", "run", "--now")


def a_day(served: Served, lab: Story, rig: Any, start: datetime) -> Day:
    """A rig's day, and the night after it."""
    from one.registration import RegistrationClient

    client = RegistrationClient(rig)
    path, eid = client.create_new_session(
        lab.subjects[0],
        session_root=lab.lab_folder,
        date=start,
        start_time=start,
        end_time=start + timedelta(hours=1),
        users=[lab.rig_user],
        task_protocol=PROTOCOL,
        projects=[lab.project],
        procedures=["Behavior training/tasks"],
        location=lab.location,
        n_trials=400,
        n_correct_trials=300,
        json={"rig_temperature_c": 21.5},
        file_list=False,
    )
    arrays = recordings.first_session(seed=0)
    files = recordings.write(Path(path), arrays)
    registered: dict[str, dict[str, Any]] = {}
    for group in ([file for file in files if "#" not in str(file)], [file for file in files if "#" in str(file)]):
        answers = client.register_files(group, repository=lab.lab_repository, versions="1.2.3")
        registered |= {file.relative_to(path).as_posix(): answer for file, answer in zip(group, answers, strict=True)}
    night(served)
    return Day(eid, Path(path), arrays, registered, client)


@pytest.fixture(scope="session")
def day(served: Served, lab: Story, rig: Any) -> Day:
    """The day that the tests share."""
    return a_day(served, lab, rig, START)


def administrator(served: Served) -> Any:
    """The web client of the superuser."""
    from one.webclient import AlyxClient

    password = served.admin_password
    return AlyxClient(base_url=served.url, username="admin", password=password, silent=True, cache_rest=None)

"""A registry to measure on: labs, sessions and registered datasets, made by the services."""

import hashlib
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from statistics import median
from typing import Any, NamedTuple


class Cost(NamedTuple):
    """One call: SQL statements (login, BEGIN and COMMIT included), CPU and wall in ms of this process (not of PostgreSQL)."""

    queries: int
    cpu_ms: float
    wall_ms: float


def md5(text: str) -> str:
    """A digest."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def prepare() -> Any:
    """Migrate the scratch database, make one lab with a rig; returns a logged-in test client."""
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.test import Client

    settings.ALLOWED_HOSTS = ["testserver"]
    settings.REST_FRAMEWORK["DEFAULT_THROTTLE_CLASSES"] = []
    settings.LOGGING_CONFIG = None
    call_command("migrate", verbosity=0)
    from alyx.labs.models import Lab, Membership, User
    from alyx.labs.tokens import issue_token
    from datasets.models import DataFormat, DatasetType, Repository

    lab = Lab.objects.create(name="benchlab")
    rig = User.objects.create_user("rig")
    Membership.objects.create(user=rig, lab=lab, role="rig")
    for name, role in (("benchlab_server", "lab"), ("flatiron_benchlab", "central")):
        url = "http://testserver/data/benchlab/Subjects/" if role == "central" else None
        place = Repository.objects.create(name=name, role=role, uuid_in_names=role == "central", data_url=url)
        place.labs.add(lab)
    for number in range(113):  # as many as the vocabulary has
        DatasetType.objects.create(name=f"kind{number}.attr", filename_pattern=f"*kind{number}.attr*")
    DataFormat.objects.create(name="npy", file_extension=".npy")
    return Client(headers={"Authorization": f"Token {issue_token(actor=rig, user=rig).key}"})


def sessions(count: int, subject: str = "M1") -> list[str]:
    """Paths of new sessions of one animal, a day apart."""
    from alyx.labs.models import Lab
    from sessions.models import Session
    from subjects.models import Subject

    lab = Lab.objects.get(name="benchlab")
    animal, _ = Subject.objects.get_or_create(nickname=subject, lab=lab)
    start = datetime(2020, 1, 1, 10)
    days = [start + timedelta(days=number) for number in range(count)]
    made = [
        Session(
            subject=animal, lab=lab, path_date=day.date(), number=1, zone="UTC", started_wall=day, started_at=f"{day}Z"
        )
        for day in days
    ]
    Session.objects.bulk_create(made, batch_size=1000)
    return [f"{subject}/{day.date()}/001" for day in days]


def body(path: str, count: int, content: str = "first") -> dict[str, Any]:
    """What RegistrationClient sends for `count` files."""
    names = [f"alf/probe{number // 113:02d}/kind{number % 113}.attr.npy" for number in range(count)]
    return {
        "created_by": "rig",
        "path": path,
        "filenames": names,
        "hashes": [md5(content + path + name) for name in names],
        "filesizes": [1000 + len(name) for name in names],
        "name": "benchlab_server",
        "exists": True,
        "server_only": False,
        "default": True,
        "versions": ["8.24.0"] * count,
        "check_protected": True,
        "labs": "benchlab",
    }


def cost(act: Callable[[], Any], status: int) -> Cost:
    """What one call takes. Queries are counted on a call of their own beforehand by `queries`."""
    cpu, wall = time.process_time(), time.perf_counter()
    answer = act()
    taken = Cost(0, (time.process_time() - cpu) * 1e3, (time.perf_counter() - wall) * 1e3)
    assert answer.status_code == status, answer.content[:2000]
    return taken


def queries(act: Callable[[], Any]) -> int:
    """Statements of one call."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as counted:
        act()
    return len(counted)


def typical(costs: list[Cost], statements: int) -> Cost:
    """The medians."""
    return Cost(statements, median(one.cpu_ms for one in costs), median(one.wall_ms for one in costs))

"""Registries to measure on.

`python -m benchmarks.world --datasets 40000` fills the empty database of DATABASE_URL, for `benchmarks.load`, and makes the user
`bench`, a superuser, with the password in BENCH_PASSWORD.
"""

import argparse
import hashlib
import io
import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

ZONES = ("Europe/London", "Europe/Lisbon", "America/New_York", "America/Los_Angeles", "UTC")
PLACES = {"local": "lab", "flatiron": "central", "aws": "mirror"}


class Cost(NamedTuple):
    """One call: SQL statements (login, BEGIN and COMMIT included), CPU and wall in ms of this process (not of PostgreSQL)."""

    queries: int
    cpu_ms: float
    wall_ms: float


def md5(text: str) -> str:
    """A digest."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def start() -> None:
    """Django on the database of DATABASE_URL, with schema and vocabularies, without throttles."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "alyx.settings"
    os.environ["ALYX_THROTTLE"] = "off"
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    settings.ALLOWED_HOSTS = ["testserver", "localhost"]
    settings.LOGGING_CONFIG = None
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # nothing is collected here
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    call_command("migrate", verbosity=0)
    call_command("load_vocabularies", stdout=io.StringIO())


def prepare() -> Any:
    """Start, make one lab with a rig; returns a test client that is logged in as it."""
    start()
    from django.test import Client

    from alyx.labs.models import Lab, Membership, User
    from alyx.labs.tokens import issue_token

    rig = User.objects.create_user("rig")
    Membership.objects.create(user=rig, lab=Lab.objects.create(name="benchlab"), role="rig")
    return Client(headers={"Authorization": f"Token {issue_token(actor=rig, user=rig).key}"})


def lab(name: str, zone: str, places: dict[str, str]) -> None:
    """A lab with its repositories: role by the beginning of the name."""
    from alyx.labs.models import Lab
    from datasets.models import Repository

    made = Lab.objects.create(name=name, timezone=zone, reference_weight_pct=0.425, zscore_weight_pct=0.425)
    for prefix, role in places.items():
        url = f"http://localhost/data/{prefix}/{name}/Subjects/"
        full, root, own = f"{prefix}_{name}", f"/bench/{prefix}/{name}", role == "lab"
        Repository.objects.create(name=full, role=role, root=root, data_url=url, uuid_in_names=not own).labs.add(made)


def fill(datasets: int) -> None:
    """Five labs with animals, sessions, files and their copies: `world.sql`. Triggers are off, statistics are made at the end."""
    from django.db import connection, transaction

    if datasets % 200:
        raise ValueError("datasets come in two hundreds: ten sessions")
    for number, zone in enumerate(ZONES, start=1):
        lab(f"lab{number}", zone, PLACES)
    sessions = datasets // 20
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        statements = Path(__file__).with_name("world.sql").read_text()
        cursor.execute(statements, {"sessions": sessions, "subjects": 300 + sessions // 20})
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def person(name: str, *, lab: str = "", password: str | None = None) -> str:
    """The key of a new user's token: an experimenter of the lab, or a superuser."""
    from alyx.labs.models import Lab, Membership, User
    from alyx.labs.tokens import issue_token

    user = User.objects.create_user(name, password=password, is_superuser=not lab)
    if lab:
        Membership.objects.create(user=user, lab=Lab.objects.get(name=lab), role="experimenter")
    key: str = issue_token(actor=user, user=user).key
    return key


def kinds() -> list[str]:
    """Names of files that are of one type each, as the filled datasets."""
    from datasets.models import DatasetType

    return sorted(DatasetType.objects.filter(datasets__isnull=False).distinct().values_list("name", flat=True))


def body(path: str, names: list[str], count: int, content: str = "first") -> dict[str, Any]:
    """What RegistrationClient sends for `count` files of a session."""
    files = [f"alf/probe{number // len(names):02d}/{names[number % len(names)]}.npy" for number in range(count)]
    return {
        "path": path,
        "filenames": files,
        "hashes": [md5(content + path + name) for name in files],
        "filesizes": [1000 + len(name) for name in files],
        "exists": True,
        "server_only": False,
        "default": True,
        "versions": ["3.3.1"] * count,
        "check_protected": True,
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


def main() -> None:
    """Fill a database that is to be served."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=int, default=40_000)
    datasets = parser.parse_args().datasets
    start()
    from sessions.models import Session

    if Session.objects.exists():
        raise SystemExit("this database has sessions: fill an empty one")
    fill(datasets)
    person("bench", password=os.environ["BENCH_PASSWORD"])


if __name__ == "__main__":
    main()

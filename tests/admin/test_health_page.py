"""Repository health: what is not ready stands first, with the reason and whose turn it is."""

from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from alyx.labs.models import Role
from datasets.models import Repository
from tests.admin.conftest import logged_in
from tests.factories import a_member
from tests.transfers.world import make_repository, make_world
from transfers.services.preflight import look_by_hand

pytestmark = pytest.mark.django_db
HERE = "/admin/transfers/health/"


def look() -> None:
    look_by_hand(actor=None, repositories=list(Repository.objects.prefetch_related("labs")))


def content(client: Client) -> str:
    answer = client.get(HERE)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_what_is_not_ready_is_named_with_reason_and_turn(root: Client, tmp_path: Path) -> None:
    world = make_world(tmp_path)
    world.add_file(b"x" * 2000)
    assert "No repository was looked at yet" in content(root)
    look()
    assert "All 2 repositories are ready for tonight" in content(root)
    assert "2.0 kB in 1 files" in content(root)
    (Path(world.central.root) / ".alyx-canary").unlink()
    look()
    found = content(root)
    assert "1 of 2 repositories need" in found
    assert "The disk is not mounted, or the root is wrong" in found
    assert "To act: whoever runs the repository." in found
    assert found.index("central_server") < found.index("lab_server"), "what needs somebody stands first"


def test_the_number_of_queries_does_not_grow_with_the_repositories(root: Client, tmp_path: Path) -> None:
    world = make_world(tmp_path)
    look()
    content(root)
    counts = []
    for number in range(2):
        with CaptureQueriesContext(connection) as made:
            content(root)
        counts.append(len(made))
        for one in range(4):
            make_repository(world.lab, tmp_path, f"more{number}{one}")
        look()
    assert counts[0] == counts[1], counts


def test_staff_of_a_lab_may_look_and_nobody_writes(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    look()
    member = logged_in(a_member(world.lab, Role.EXPERIMENTER))
    assert "lab_server" in content(member)
    assert member.post(HERE).status_code == 405
    assert Client().get(HERE).status_code == 302

"""ONE's own RegistrationClient on an outbox: the registry goes down, the rig is killed, and each thing is there once."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alyx.core.models import AnsweredCall
from alyx.labs.models import Role
from alyx.labs.tokens import issue_token
from datasets.models import DataFormat, Dataset, DatasetType, FileRecord
from rig_outbox import Outbox, State
from sessions.models import Session
from subjects.models import WaterAdministration, WaterType, Weighing
from tests.factories.people import a_lab, a_member
from tests.factories.records import a_repository, a_subject
from tests.outbox.test_outbox import REPLAYS
from tests.outbox.wire import Line, a_rig, killed

pytestmark = [pytest.mark.clients, pytest.mark.once]

DAY = """
import sys
from datetime import datetime
from pathlib import Path
import numpy as np
from demo.connection import connect
from rig_outbox import Outbox
from rig_outbox.around_one import keeping
folder, url, root, names = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4:]
one = connect(
    url=url, data_server=url, username="rig", password="secret-of-the-rig", home=folder / "home", cache=folder / "cache"
)
from one.registration import RegistrationClient
client = RegistrationClient(keeping(one, Outbox(folder / "outbox")))
print("ready")
sys.stdin.readline()
start = datetime(2026, 3, 9, 14, 2, 3, 123456)
facts = {"start_time": start, "users": ["rig"], "task_protocol": "p", "file_list": False}
path = root / "M1" / "2026-03-09" / "001"
if path.exists():
    eid = client.register_session(path, **facts)[0]["url"][-36:]
else:
    made, eid = client.create_new_session("M1", session_root=root, date=start, **facts)
    assert made == path, made
print("session")
for number, name in enumerate(names):
    (path / name).parent.mkdir(parents=True, exist_ok=True)
    np.save(path / name, np.arange(number + 3))
files = [path / name for name in names]
client.register_files(files[:2], repository="cortexlab_server")
print("two files")
client.register_files(files[2:], repository="cortexlab_server")
print("files")
client.register_weight("M1", 21.25, date_time=start)
client.register_water_administration("M1", 0.8, date_time=start, session=eid)
print("all")
sys.stdin.readline()
"""
NAMES = ("alf/spikes.amps.npy", "alf/spikes.clusters.npy", "alf/spikes.times.npy", "alf/trials.choice.npy")
SAID = ("ready", "session", "two files", "files", "all")


class Rig:
    """A rig's account, its disk with a recording, and a line to the registry."""

    def __init__(self, registry: str, folder: Path) -> None:
        lab = a_lab("cortexlab")
        a_subject(lab, "M1")
        a_repository(lab, name="cortexlab_server")
        self.user = a_member(lab, Role.HEAD, "rig")
        self.user.set_password("secret-of-the-rig")
        self.user.save()
        self.token = issue_token(actor=self.user, user=self.user).key
        for name in {Path(name).name.rsplit(".", 1)[0] for name in NAMES}:
            DatasetType.objects.get_or_create(name=name)
        WaterType.objects.get_or_create(name="Water")
        DataFormat.objects.get_or_create(file_extension=".npy", defaults={"name": "npy"})
        self.line, self.folder, self.root = Line(registry), folder, folder / "cortexlab" / "Subjects"

    def day(self) -> "subprocess.Popen[str]":
        """Its process, logged in."""
        process = a_rig(DAY, self.folder, self.line.url, self.root, *NAMES, reads=True)
        assert said(process) == "ready"
        return process

    def outbox(self) -> Outbox:
        """Its calls, whoever sends them."""
        return Outbox(self.folder / "outbox")

    def replay(self) -> None:
        """By a process of its own, as a scheduled task would."""
        done = a_rig(REPLAYS, self.folder / "outbox", self.line.url, self.token)
        out, _ = done.communicate()
        assert done.returncode == 0, out

    def has(self) -> dict[str, int]:
        """How many there are of each."""
        models = (Session, Dataset, Weighing, WaterAdministration)
        return {model.__name__: model._default_manager.count() for model in models}


def said(process: "subprocess.Popen[str]") -> str:
    """Its next line."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def goes_on(process: "subprocess.Popen[str]") -> None:
    """What it waits for."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def dies(process: "subprocess.Popen[str]") -> None:
    """At once, and what it had open is closed."""
    killed(process)
    process.communicate()


@pytest.fixture
def rig(live_server: Any, tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(live_server.url, tmp_path)
    yield rig
    rig.line.close()


ALL = {"Session": 1, "Dataset": 4, "Weighing": 1, "WaterAdministration": 1}


@pytest.mark.parametrize("last", SAID[1:])
def test_a_rig_killed_in_its_day_while_the_registry_is_down_has_each_thing_once(rig: Rig, last: str) -> None:
    rig.line.open()
    process = rig.day()
    rig.line.close()
    goes_on(process)
    while said(process) != last:
        assert process.poll() is None
    dies(process)
    assert rig.has() == dict.fromkeys(ALL, 0)
    kept = rig.outbox()
    waiting = [f"{call.method} {call.path}" for call in kept.calls(State.WAITING)]
    told = ["POST sessions", "POST register-file", "POST register-file", "POST weighings", "POST water-administrations"]
    least = {"session": 1, "two files": 2, "files": 3, "all": 5}[last]
    assert waiting == told[: len(waiting)]
    assert len(waiting) >= least

    rig.line.open()
    rig.replay()
    assert kept.counts() == {"done": len(waiting)}
    assert [call.path for call in kept.calls(State.DONE)] == [call.split()[1] for call in waiting]
    assert Session.objects.get().started_wall is not None

    again = rig.day()  # the rig is started again, and its day registered from the beginning
    goes_on(again)
    while said(again) != "all":
        assert again.poll() is None
    dies(again)
    rig.replay()
    assert kept.calls(State.WAITING) == kept.calls(State.REFUSED) == []
    assert rig.has() == ALL
    assert {each.dataset.name for each in FileRecord.objects.filter(repository__name="cortexlab_server")} == {
        Path(name).name for name in NAMES
    }
    assert WaterAdministration.objects.get().session_id == Session.objects.get().pk
    posted = [call for call in kept.calls(State.DONE) if call.method == "POST"]
    assert AnsweredCall.objects.filter(user=rig.user).count() == len(posted)
    kept.close()

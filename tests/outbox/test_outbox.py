"""Nothing lost, nothing doubled, order kept: whatever is killed, and whenever."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alyx.core.models import AnsweredCall
from alyx.labs.models import Project, Role
from alyx.labs.tokens import issue_token
from rig_outbox import Answer, Http, Outbox, State, Unreachable
from rig_outbox.__main__ import main
from sessions.models import Session
from tests.factories.people import a_lab, a_member
from tests.factories.records import a_subject
from tests.outbox.wire import Line, a_rig, killed

POSTS = """
import sys
from rig_outbox import Outbox
outbox = Outbox(sys.argv[1])
for number in range(10_000):
    print(outbox.post("projects", {"name": f"p{number:05}"}))
"""
REPLAYS = """
import sys
from rig_outbox import Http, Outbox
outbox = Outbox(sys.argv[1], Http(sys.argv[2], sys.argv[3]))
print(outbox.replay())
"""


class World:
    """A registry behind a line, a rig's account, and an outbox on disk."""

    def __init__(self, registry: str, folder: Path) -> None:
        self.lab = a_lab("cortexlab")
        self.subject = a_subject(self.lab, "M1")
        self.user = a_member(self.lab, Role.HEAD, "rig")
        self.token = issue_token(actor=self.user, user=self.user).key
        self.line, self.folder = Line(registry), folder

    def outbox(self, timeout_s: float = 30) -> Outbox:
        return Outbox(self.folder, Http(self.line.url, self.token, timeout_s=timeout_s))

    def names(self) -> list[str]:
        return list(Project.objects.order_by("created_at").values_list("name", flat=True))


@pytest.fixture
def world(live_server: Any, tmp_path: Path) -> Iterator[World]:
    world = World(live_server.url, tmp_path / "outbox")
    yield world
    world.line.close()


def test_a_rig_killed_while_posting_has_all_that_it_was_told_is_kept(tmp_path: Path) -> None:
    rig = a_rig(POSTS, tmp_path)
    assert rig.stdout is not None
    told = [rig.stdout.readline().strip() for _ in range(50)]
    killed(rig)
    told += [line.strip() for line in rig.stdout if line.endswith("\n")]
    rig.stdout.close()
    rig.wait()
    outbox = Outbox(tmp_path)
    kept = [call.id for call in outbox.calls(State.WAITING)]
    assert kept[: len(told)] == told
    assert len(kept) - len(told) in {0, 1}  # one was kept and not told yet
    assert [call.body["name"] for call in outbox.calls(State.WAITING)] == [f"p{n:05}" for n in range(len(kept))]
    outbox.close()


@pytest.mark.parametrize("moment", ["arrived", "done", "told"])
def test_a_rig_killed_while_replaying_loses_and_doubles_nothing(world: World, moment: str) -> None:
    outbox, names = world.outbox(), [f"p{number}" for number in range(4)]
    for name in names:
        outbox.post("projects", {"name": name})
    rigs: list[subprocess.Popen[str]] = []
    due = iter([True, False, True])

    def kill(now: str) -> None:
        if now == moment and next(due, False):
            killed(rigs[-1])
            rigs[-1].wait()

    world.line.at = kill
    world.line.open()
    for _ in range(3):
        rigs.append(a_rig(REPLAYS, world.folder, world.line.url, world.token))
        rigs[-1].communicate()
    assert sorted(rig.returncode for rig in rigs) == [-9, -9, 0]
    assert outbox.counts() == {"done": 4}  # a doubled one would have been refused
    assert world.names() == names
    assert AnsweredCall.objects.count() == 4
    outbox.close()


def test_a_registry_that_is_down_comes_back_and_answers_late(world: World) -> None:
    outbox = world.outbox()
    session = outbox.post(
        "sessions", {"subject": "M1", "users": ["rig"], "start_time": "2026-03-09T12:00:00", "number": 1}
    )
    outbox.patch(f"sessions/{session}", {"json": {"trials": 400}})
    outbox.post("projects", {"name": "p"})
    assert "does not answer" in outbox.replay().trouble
    assert outbox.counts() == {"waiting": 3}

    world.line.open()
    world.line.is_late = True
    late = world.outbox(timeout_s=2)
    assert "does not answer" in late.replay().trouble
    assert Session.objects.count() == 1  # done, and we do not know
    assert outbox.counts() == {"waiting": 3}

    world.line.is_late = False
    report = outbox.replay()
    assert (report.done, report.trouble) == (3, "")
    eid = outbox.answer(session)["id"] if "id" in outbox.answer(session) else outbox.answer(session)["url"][-36:]
    assert Session.objects.get().json == {"trials": 400}
    assert world.line.seen == [
        "POST /sessions",
        "POST /sessions",
        f"PATCH /sessions/{eid}",
        "POST /projects",
    ]
    late.close()
    outbox.close()


def test_a_refused_call_is_kept_aside_with_its_answer_and_holds_up_its_session_only(world: World) -> None:
    world.line.open()
    outbox = world.outbox()
    body = {"subject": "nobody", "users": ["rig"], "start_time": "2026-03-09T12:00:00", "number": 1}
    wrong = outbox.post("sessions", body)
    outbox.patch(f"sessions/{wrong}", {"json": {"trials": 1}})
    right = outbox.post("sessions", {**body, "subject": "M1"})
    outbox.patch(f"sessions/{right}", {"json": {"trials": 2}})
    report = outbox.replay()
    assert (report.done, report.refused, report.held) == (2, 1, 1)
    [refused] = outbox.calls(State.REFUSED)
    assert (refused.id, refused.status) == (wrong, 400)
    assert "subject" in refused.answer["errors"]
    assert Session.objects.get().json == {"trials": 2}
    assert outbox.replay().done == 0

    outbox.retry(wrong, {**body, "subject": "M1", "number": 2})
    assert outbox.replay().done == 2
    assert sorted(session.json["trials"] for session in Session.objects.all()) == [1, 2]
    with pytest.raises(KeyError):
        outbox.retry(wrong)
    outbox.close()


def test_the_thread_sends_by_itself_when_the_registry_comes_back(world: World) -> None:
    outbox = world.outbox()
    told = outbox.post("projects", {"name": "p"})
    outbox.start()
    world.line.open()
    while not world.line.seen:
        outbox._stop.wait(0.01)
    while outbox.answer(told) is None:
        outbox._stop.wait(0.01)
    outbox.close()
    assert world.names() == ["p"]


def test_a_token_that_ran_out_is_no_refusal(world: World) -> None:
    world.line.open()
    outbox = Outbox(world.folder, Http(world.line.url, "0" * 64))
    outbox.post("projects", {"name": "p"})
    assert "Invalid token" in outbox.replay().trouble
    assert outbox.counts() == {"waiting": 1}
    outbox.close()


def test_the_command_line(world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = world.outbox()
    for name in ("p", "p", "q"):
        outbox.post("projects", {"name": name}, lane="one")
    monkeypatch.setenv("RIG_OUTBOX_TOKEN", world.token)
    folder, replay = str(world.folder), ["replay", str(world.folder), "--url", world.line.url]
    assert main(["status", folder]) == 1
    assert "3 waiting" in capsys.readouterr().out
    assert main(replay) == 1
    assert "does not answer" in capsys.readouterr().out
    world.line.open()
    assert main([*replay, "--json"]) == 2
    said = json.loads(capsys.readouterr().out)
    assert said["counts"] == {"done": 1, "refused": 1, "waiting": 1}
    assert main(["drop", folder, said["refused"][0]["id"]]) == 0
    assert main(replay) == 0
    assert world.names() == ["p", "q"]
    outbox.close()


# --- without a registry: what it makes of answers


class Told:
    """Answers by the path of the call; counts what was sent."""

    def __init__(self, **answers: Answer | Exception) -> None:
        self.answers = answers
        self.sent: list[str] = []

    def __call__(self, method: str, path: str, body: Any, key: str) -> Answer:
        self.sent.append(path)
        answer = self.answers.get(path, Answer(201, {}))
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_call_that_breaks_the_registry_does_not_stop_the_others(tmp_path: Path) -> None:
    told = Told(broken=Answer(500, {"detail": "something broke here"}))
    outbox = Outbox(tmp_path, told)
    for path, lane in (("broken", "a"), ("after", "a"), ("other", "b")):
        outbox.post(path, {}, lane=lane)
    report = outbox.replay()
    assert (report.done, report.held, told.sent) == (1, 2, ["broken", "other"])
    assert outbox.replay(now=False).done == 0
    assert told.sent == ["broken", "other"]  # not before its pause is over
    told.answers = {}
    assert outbox.replay().done == 2
    outbox.close()


def test_an_answer_that_says_when_to_come_again_is_heeded(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, Told(busy=Answer(409, {"detail": "is being answered"}, 3.0)))
    outbox.post("busy", {})
    outbox.post("next", {})
    report = outbox.replay()
    assert (report.trouble, report.again_in) == ("409: is being answered", 3.0)
    assert outbox.counts() == {"waiting": 2}
    outbox.close()


def test_what_may_have_been_done_long_ago_is_left_to_a_person(tmp_path: Path) -> None:
    now = [1e9]
    told = Told(lost=Unreachable("it hung up"), refused=Unreachable("nobody listens", never_sent=True))
    for path in ("lost", "refused"):
        outbox = Outbox(tmp_path / path, told, clock=lambda: now[0])
        outbox.post(path, {})
        outbox.replay()
        now[0] += 15 * 86_400
        outbox.replay()
        assert outbox.counts() == {"refused": 1} if path == "lost" else {"waiting": 1}
        outbox.close()


def test_one_process_at_a_time_replays(tmp_path: Path) -> None:
    first, second = Outbox(tmp_path, Told()), Outbox(tmp_path, Told())
    first.post("x", {})
    with first._alone() as is_alone:
        assert is_alone
        assert second.replay().trouble == "another process is replaying"
    assert second.replay().done == 1
    for outbox in (first, second):
        outbox.close()


def test_a_body_that_is_no_json_is_refused_at_once(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    for body in ({"weight": float("nan")}, {"path": tmp_path}):
        with pytest.raises((ValueError, TypeError)):
            outbox.post("weighings", body)
    assert outbox.counts() == {}
    outbox.close()


def test_calls_of_one_session_share_a_lane(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    made = [
        outbox.post("sessions", {"subject": "M1", "start_time": "2026-03-09T12:00:00", "number": 2}),
        outbox.post("register-file", {"path": "cortexlab/Subjects/M1/2026-03-09/002"}),
        outbox.post("weighings", {"subject": "M1", "weight": 20}),
    ]
    made += [outbox.patch(f"sessions/{made[0]}", {}), outbox.post("notes", {"object_id": made[2]})]
    lanes = [call.lane for call in outbox.calls(State.WAITING)]
    assert lanes[0] == lanes[1] == lanes[3] == "M1/2026-03-09/002"
    assert lanes[2] == lanes[4] == f"call {made[2]}"
    outbox.close()

"""The POSIX backend obeys the rules of all backends, and those that only a file system can break."""

import os
import shutil
import threading
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from tests.backends.conformance import Conformance
from tests.backends.rig import DESTINATION_MARK, NAME, SOURCE_MARK, Rig, bytes_of, code, content_of
from tests.backends.stores import PosixStore
from transfers.backends.base import Absent, Failure, JobSpec, LeaseLost, Moved, Promoted, Proved, Stat
from transfers.backends.posix import calls, content, promoting, sending
from transfers.backends.posix.tree import Tree
from transfers.rules.errors import ErrorCode, Side


class PosixRig(Rig):
    """Two folders standing for two servers."""

    @classmethod
    def below(cls, folder: Path) -> "PosixRig":
        """A rig in an empty folder."""
        return cls.of(folder / "source", folder / "destination")

    @classmethod
    def of(cls, source: Path, destination: Path) -> "PosixRig":
        """A rig in two folders that are not there yet."""
        return cls(
            {"source": PosixStore(source, SOURCE_MARK), "destination": PosixStore(destination, DESTINATION_MARK)}
        )

    @property
    def roots(self) -> dict[str, Path]:
        """The folders."""
        return {name: Path(store.backend.root) for name, store in self.stores.items()}  # type: ignore[attr-defined]

    def staged(self, job: JobSpec, key: str) -> Path:
        """Where a staged file lies."""
        return self.roots["destination"] / self.stores["destination"].staged_path(job, key)


@pytest.fixture
def rig(tmp_path: Path) -> PosixRig:
    return PosixRig.below(tmp_path)


class TestPosixConformance(Conformance):
    """All rules of `Conformance`."""


class TestPosixWithoutModernRenames(Conformance):
    """The same on a file system that cannot swap names or refuse to replace (NFS): by links."""

    @pytest.fixture(autouse=True)
    def _old_file_system(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(calls, "_renameat2", lambda *_: False)


class TestPosixWithoutLinks(Conformance):
    """The same on one that has no links either."""

    @pytest.fixture(autouse=True)
    def _old_file_system(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(1, "no links here")

        monkeypatch.setattr(calls, "_renameat2", lambda *_: False)
        monkeypatch.setattr(os, "link", refuse)


def test_a_link_inside_the_root_is_followed_and_one_out_of_it_is_refused(rig: PosixRig, tmp_path: Path) -> None:
    root = rig.roots["source"]
    rig.put("data/x.npy", b"abc")
    (tmp_path / "secret").write_bytes(b"secret")
    links = {
        "in.npy": "data/x.npy",
        "folder": "data",
        "absolute.npy": str(root / "data/x.npy"),
        "out.npy": "../secret",
        "out": str(tmp_path),
        "loop": "loop",
        "dead.npy": "data/none.npy",
        "mark.npy": ".alyx-canary",
        "chain.npy": "folder/../folder/x.npy",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    looks = rig.source.stat(["in.npy", "folder/x.npy", "absolute.npy", "chain.npy"])
    assert all(isinstance(look, Stat) for look in looks.values()), looks
    for refused in ("out.npy", "out/secret", "loop", "loop/x", "mark.npy"):
        assert code(rig.source.stat([refused])[refused]) is ErrorCode.PATH_REFUSED, refused
    assert code(rig.source.stat(["dead.npy"])["dead.npy"]) is ErrorCode.NOT_A_FILE
    assert rig.source.digest("folder/x.npy").sha256 == content_of(b"abc").sha256
    spec = rig.spec(b"abc")
    outcomes = rig.carry(
        rig.job(
            replace(spec, key="in", source_path="in.npy", final_path="a/in.npy"),
            replace(spec, key="out", source_path="out.npy", final_path="a/out.npy"),
        )
    )
    assert outcomes["in"] == Promoted()
    assert code(outcomes["out"]) is ErrorCode.PATH_REFUSED
    assert rig.get("a/out.npy") is None
    assert {entry.path for entry in rig.source.entries().entries} >= {"in.npy", "data/x.npy", "absolute.npy"}


def test_a_link_out_of_the_root_in_the_way_of_the_final_name_is_refused(rig: PosixRig, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (rig.roots["destination"] / "lab").symlink_to(tmp_path / "elsewhere")
    assert code(rig.carry(rig.job(rig.spec(b"abc")))["1"]) is ErrorCode.PATH_REFUSED
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_pipe_is_refused_and_does_not_hang(rig: PosixRig) -> None:
    spec = rig.spec(b"abc")
    rig.remove(NAME)
    os.mkfifo(rig.roots["source"] / NAME)
    assert code(rig.source.stat([NAME])[NAME]) is ErrorCode.NOT_A_FILE
    assert code(rig.carry(rig.job(spec))["1"]) is ErrorCode.NOT_A_FILE
    os.mkfifo(rig.roots["destination"] / "pipe.npy")
    rig.put("pipe.npy", b"abc")
    assert code(rig.carry(rig.job(replace(spec, source_path="pipe.npy", final_path="pipe.npy")))["1"]) in {
        ErrorCode.NAME_TAKEN,
        ErrorCode.NOT_A_FILE,
    }


def test_a_folder_that_may_not_be_read_is_unknown_and_not_absent(
    rig: PosixRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By chmod for an ordinary user; root passes every mode, so for root the refusal is made."""
    rig.put("closed/x.npy", b"abc")
    closed = rig.roots["source"] / "closed"
    closed.chmod(0)
    real = os.open

    def refuse(path: object, *args: object, **named: object) -> int:
        if path in {"closed", "x.npy"}:
            raise PermissionError(13, "refused")
        return real(path, *args, **named)  # type: ignore[arg-type]

    if os.geteuid() == 0:
        monkeypatch.setattr(os, "open", refuse)
    try:
        look = rig.source.stat(["closed/x.npy", "closed/none.npy"])
        assert {code(seen) for seen in look.values()} == {ErrorCode.PERMISSION_DENIED}
        spec = replace(rig.spec(b"abc"), source_path="closed/x.npy")
        outcome = rig.carry(rig.job(spec))["1"]
        assert isinstance(outcome, Failure)
        assert (outcome.code, outcome.side) == (ErrorCode.PERMISSION_DENIED, Side.SOURCE)
        assert [seen.code for seen in rig.source.entries().unseen] == [ErrorCode.PERMISSION_DENIED]
    finally:
        closed.chmod(0o755)


def test_any_other_error_of_the_storage_is_unknown_and_not_absent(
    rig: PosixRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.stat

    def fail(path: object, *args: object, **named: object) -> os.stat_result:
        if path == "x.npy":
            raise OSError(5, "input/output error")
        return real(path, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", fail)
    (rig.roots["source"] / "a").mkdir()
    assert code(rig.source.stat(["a/x.npy"])["a/x.npy"]) is ErrorCode.IO_ERROR


def test_a_copy_goes_on_at_the_size_it_had(rig: PosixRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "SLICE", 1 << 20)
    data = bytes_of(5 << 20)
    job = rig.job(rig.spec(data))
    beats = iter([True, True, True, False])
    with pytest.raises(LeaseLost):
        rig.destination.send(rig.source, job, lambda: next(beats))
    partial = rig.staged(job, "1").stat()
    assert 0 < partial.st_size < len(data)
    successor = replace(job, fence=2)
    assert rig.destination.send(rig.source, successor).outcomes == {"1": Moved(len(data))}
    assert rig.staged(successor, "1").stat().st_ino == partial.st_ino
    assert rig.carry(successor) == {"1": Promoted()}


def test_a_file_under_a_living_pen_is_left_alone_by_its_successor(
    rig: PosixRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frozen worker still has the staged file open: what it writes later must not reach the promoted bytes."""
    monkeypatch.setattr(content, "SLICE", 1 << 20)
    data = bytes_of(4 << 20)
    job = rig.job(rig.spec(data))
    frozen, wake = threading.Event(), threading.Event()
    lost: list[bool] = []
    calls_made = iter(range(1000))

    def beat() -> bool:
        if next(calls_made) == 2:
            frozen.set()
            wake.wait(20)
        return True

    def late() -> None:
        try:
            rig.destination.send(rig.source, job, beat)
        except LeaseLost:
            lost.append(True)
        else:
            lost.append(False)

    thread = threading.Thread(target=late)
    thread.start()
    assert frozen.wait(20)
    successor = replace(job, fence=2)
    assert rig.carry(successor) == {"1": Promoted()}
    arrived = (rig.roots["destination"] / NAME).stat()
    rig.put(NAME, bytes_of(4 << 20, seed=9))
    wake.set()
    thread.join(20)
    after = (rig.roots["destination"] / NAME).stat()
    assert rig.get(NAME) == data
    assert (after.st_ino, after.st_mtime_ns) == (arrived.st_ino, arrived.st_mtime_ns)


def test_a_former_owner_waking_between_its_check_and_its_rename_moves_nothing(
    rig: PosixRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Version 1 wakes after version 2 was promoted: version 2 keeps the name."""
    job = rig.job(rig.spec(b"one"))
    rig.destination.send(rig.source, job)
    proof = rig.destination.prove(rig.source, job)["1"]
    assert isinstance(proof, Proved)
    newer = rig.spec(b"two", version=2)

    def sleep_over(name: str) -> None:
        monkeypatch.setattr(promoting, "failpoint", lambda _: None)
        rig.destination.release(replace(job, fence=2))
        assert rig.carry(rig.job(newer)) == {"1": Promoted()}

    monkeypatch.setattr(promoting, "failpoint", sleep_over)
    with pytest.raises(LeaseLost):
        rig.destination.promote(job, {"1": proof})
    assert rig.get(NAME) == b"two"


def test_a_source_that_grows_while_it_is_read_is_unstable(rig: PosixRig, monkeypatch: pytest.MonkeyPatch) -> None:
    job = rig.job(rig.spec(bytes_of(1000)))
    real = content.copy

    def growing(*args: object) -> int:
        with (rig.roots["source"] / NAME).open("ab") as file:
            file.write(b"more")
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(sending, "copy", growing)
    assert code(rig.carry(job)["1"]) is ErrorCode.SOURCE_UNSTABLE
    assert rig.get(NAME) is None


def test_a_root_emptied_while_it_is_looked_at_makes_nothing_absent(
    rig: PosixRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Tree.look

    def look(tree: Tree, parts: tuple[str, ...]) -> os.stat_result:
        shutil.rmtree(rig.roots["source"])
        return real(tree, parts)

    rig.put("a/b.npy", b"123")
    monkeypatch.setattr(Tree, "look", look)
    assert code(rig.source.stat(["a/b.npy"])["a/b.npy"]) is ErrorCode.CANARY_MISSING


def test_replaced_bytes_are_in_the_trash_even_when_nobody_comes_back_after_the_swap(
    rig: PosixRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker dies right after the swap, the job is given up, its staging place is swept."""
    rig.put(NAME, b"old", at="destination")
    job = rig.job(rig.spec(b"new", version=2, replaces=(1, content_of(b"old"))))
    rig.destination.send(rig.source, job)
    proof = rig.destination.prove(rig.source, job)["1"]
    assert isinstance(proof, Proved)

    def die(name: str) -> None:
        if name == promoting.AFTER_RENAME:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(promoting, "failpoint", die)
        with pytest.raises(KeyboardInterrupt):
            rig.destination.promote(job, {"1": proof})
    rig.destination.release(replace(job, fence=2))
    swept = rig.destination.sweep_staging(datetime.fromtimestamp(time.time() + 60).astimezone(), set())
    assert swept == [job.handle]
    assert rig.get(NAME) == b"new"
    assert rig.trashed() == {f"{NAME}.v1": b"old"}


def test_a_source_root_lost_in_the_middle_is_not_a_vanished_file(rig: PosixRig) -> None:
    specs = [rig.spec(b"abc", f"lab/{i}.npy", str(i)) for i in range(40)]
    beats = iter(range(100))

    def beat() -> bool:
        if next(beats) == 3:
            shutil.rmtree(rig.roots["source"])
        return True

    outcomes = rig.destination.send(rig.source, rig.job(*specs), beat).outcomes
    lost = [outcome for outcome in outcomes.values() if outcome != Moved(3)]
    assert 0 < len(lost) < 40
    assert {code(outcome) for outcome in lost} == {ErrorCode.CANARY_MISSING}


def test_names_that_are_not_text_are_listed_as_unseen(rig: PosixRig) -> None:
    (rig.roots["source"] / os.fsdecode(b"caf\xe9.npy")).write_bytes(b"x")
    page = rig.source.entries()
    assert page.entries == ()
    assert [seen.code for seen in page.unseen] == [ErrorCode.PATH_REFUSED]


def test_a_name_longer_than_the_file_system_allows_is_the_files_own_failure(rig: PosixRig) -> None:
    long = f"lab/{'x' * 300}.npy"
    assert code(rig.carry(rig.job(replace(rig.spec(b"abc"), final_path=long)))["1"]) is ErrorCode.NAME_TOO_LONG
    assert rig.source.stat(["lab/none.npy"]) == {"lab/none.npy": Absent()}

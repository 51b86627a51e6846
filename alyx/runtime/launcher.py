"""As whom PostgreSQL runs: it refuses root, and an instance of root's may live where nobody else can enter."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

NOBODY = 65534
_ACCESS_COUNTS_POWERS = "--securebits=+no_setuid_fixup"
"""PostgreSQL asks access(2) about its own programs, which ignores capabilities unless this is set."""
_SETPRIV = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


class NoLauncher(RuntimeError):
    """No way was found to run PostgreSQL here; the message says what was tried and what to do."""


def launcher(cluster: Path, postgres: Path) -> tuple[str, ...]:
    """The command prefix that runs `postgres` as somebody who is not root and owns the folder `cluster`.

    An ordinary user needs none, except one without a name (a container's `--user 1234`): initdb wants to look it up.
    Root uses a user namespace (nothing changes its owner and private folders stay private), or else becomes `nobody`,
    to whom the cluster's files are then given.

    Raises:
        NoLauncher: none of the ways works here.
    """
    if os.geteuid() != 0 and _has_name(os.geteuid()):
        return ()
    for prefix in candidates(cluster):
        if _works(prefix, cluster, postgres):
            return prefix
    raise NoLauncher(
        "PostgreSQL cannot run as root or as a user without a name, and neither `unshare --user` nor `setpriv` (Debian "
        f"package util-linux) can give it another user who may enter {cluster}. Run as an ordinary user, choose another "
        "ALYX_VAR, or set DATABASE_URL."
    )


def candidates(cluster: Path) -> Iterator[tuple[str, ...]]:
    """The prefixes worth trying, best first. Root asking for the second one gives `cluster` to nobody."""
    if cluster.stat().st_uid == os.geteuid():
        yield (
            "unshare",
            "--user",
            f"--map-user={NOBODY}",
            f"--map-group={NOBODY}",
        )  # a number every Debian has a name for
    if os.geteuid() != 0:
        return
    give(cluster, NOBODY)
    yield _SETPRIV
    for power in ("dac_read_search", "dac_override"):  # only to pass through folders that only root may enter
        yield (*_SETPRIV, _ACCESS_COUNTS_POWERS, f"--inh-caps=+{power}", f"--ambient-caps=+{power}")


def give(folder: Path, uid: int) -> None:
    """Make `uid` the owner of a folder and all in it; nothing happens when it is."""
    if folder.stat().st_uid == uid:
        return
    for path in [*folder.rglob("*"), folder]:
        os.chown(path, uid, uid, follow_symlinks=False)


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _works(prefix: Sequence[str], cluster: Path, postgres: Path) -> bool:
    if not shutil.which(prefix[0]):
        return False
    script = 'test "$(id -u)" != 0 && test -w "$1" && "$2" --version'
    pg_ctl = postgres.with_name("pg_ctl")  # says on standard error when it may run but does not find itself
    tried = subprocess.run(
        [*prefix, "sh", "-c", script, "sh", str(cluster), str(pg_ctl)], capture_output=True, check=False
    )
    return tried.returncode == 0 and not tried.stderr

"""`python -m alyx.runtime serve|stop|status`: the instance of `ALYX_VAR`."""

import argparse
import os
import sys

from alyx.runtime.instance import Instance
from alyx.runtime.launcher import NoLauncher
from alyx.runtime.postgres import Postgres, PostgresFailed
from alyx.runtime.supervisor import CannotServe, Supervisor


def main() -> int:
    """Do what the command line says; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m alyx.runtime", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="run the instance in the foreground until Ctrl-C or SIGTERM")
    serve.add_argument("--port", type=int, default=8800)
    serve.add_argument(
        "--bind", default=os.environ.get("ALYX_BIND", "127.0.0.1"), help="address to listen at (ALYX_BIND)"
    )
    commands.add_parser("stop", help="stop a private PostgreSQL that a killed process left running")
    commands.add_parser("status", help="say whether the private PostgreSQL runs")
    given = parser.parse_args()
    instance = Instance.from_environment()
    try:
        if given.command == "serve":
            return Supervisor(instance, given.bind, given.port).run()
        postgres = Postgres(instance.path("postgres"))
        if given.command == "stop":
            return _tell("stopped" if postgres.stop() else "somebody uses it; nothing was stopped")
        return _tell(f"PostgreSQL in {postgres.folder} {'runs' if postgres.alive() else 'does not run'}")
    except (CannotServe, NoLauncher, PostgresFailed) as error:
        sys.stderr.write(f"alyx: {error}\n")
        return 1


def _tell(text: str) -> int:
    sys.stdout.write(f"alyx: {text}\n")
    return 0


sys.exit(main())

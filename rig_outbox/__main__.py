"""`python -m rig_outbox status|replay|retry|drop FOLDER`."""

import argparse
import json
import os
import sys
from datetime import datetime
from pathlib import Path

from rig_outbox.outbox import Outbox, State
from rig_outbox.sending import Http

TOKEN = "RIG_OUTBOX_TOKEN"  # noqa: S105  (the name of a variable)


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: nothing waits; 1: something does; 2: somebody has to decide about a refused call."""
    parser = argparse.ArgumentParser(prog="python -m rig_outbox", description="Calls that wait for the registry")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in (("status", "what waits and what was refused"), ("replay", "send what waits")):
        command = commands.add_parser(name, help=what)
        command.add_argument("folder", type=Path)
        command.add_argument("--json", action="store_true", help="one line for machines")
        if name == "replay":
            command.add_argument("--url", required=True, help="the registry")
            command.add_argument("--token-file", type=Path, help=f"holds the token of the rig's account; else {TOKEN}")
    for name, what in (("retry", "send a refused call again"), ("drop", "give a refused call up")):
        command = commands.add_parser(name, help=what)
        command.add_argument("folder", type=Path)
        command.add_argument("id", help="of the call, as `status` shows it")
    given = parser.parse_args(arguments)
    if not (given.folder / "outbox.sqlite3").exists():
        parser.error(f"there is no outbox in {given.folder}")
    outbox = Outbox(given.folder)
    try:
        return _act(outbox, given)
    finally:
        outbox.close()


def _act(outbox: Outbox, given: argparse.Namespace) -> int:
    if given.command in {"retry", "drop"}:
        try:
            (outbox.retry if given.command == "retry" else outbox.drop)(given.id)
        except KeyError as error:
            sys.stderr.write(f"{error.args[0]}\n")
            return 2
        return 0
    trouble = ""
    if given.command == "replay":
        token = given.token_file.read_text().strip() if given.token_file else os.environ.get(TOKEN, "")
        outbox.send = Http(given.url, token)
        trouble = outbox.replay().trouble
    return _shown(outbox, trouble, as_json=given.json)


def _shown(outbox: Outbox, trouble: str, *, as_json: bool) -> int:
    counts, refused, waiting = outbox.counts(), outbox.calls(State.REFUSED), outbox.calls(State.WAITING)
    if as_json:
        rows = [
            {
                "id": call.id,
                "call": f"{call.method} {call.path}",
                "lane": call.lane,
                "status": call.status,
                "error": call.error,
            }
            for call in refused
        ]
        sys.stdout.write(json.dumps({"counts": counts, "refused": rows, "trouble": trouble}) + "\n")
    else:
        said = ", ".join(f"{number} {state}" for state, number in sorted(counts.items())) or "nothing was posted yet"
        lines = [said, *([f"stopped: {trouble}"] if trouble else [])]
        if waiting:
            first = waiting[0]
            since = datetime.fromtimestamp(first.made_at).astimezone()
            lines.append(f"waiting since {since:%Y-%m-%d %H:%M}: {first.method} {first.path}, {first.tries} tries")
            lines += [f"  last time: {first.error}"] if first.error else []
        for call in refused:
            lines += [f"refused: {call.method} {call.path} ({call.lane})", f"  {call.error}", f"  its id: {call.id}"]
        sys.stdout.write("\n".join(lines) + "\n")
    return 2 if refused else 1 if waiting else 0


if __name__ == "__main__":
    sys.exit(main())

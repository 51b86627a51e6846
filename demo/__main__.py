"""One day of a small lab: a rig registers, the night copies and proves, an analyst loads. `python -m demo [--once]`."""

import argparse
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from demo import bad_cable, recordings
from demo.served import ROOT, NotServed, Served, free_port
from demo.story import Story, say


def main() -> int:
    """Play the day. 0: every dataset was verified at the central repository and loaded back identical."""
    options = _options()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _as_interrupt)
    served = over_a_bad_cable(options.var.resolve(), free_port(options.port))
    good = False
    try:
        say("demo", f"starting an instance in {_short(served.var)} (the first time it makes a database: be patient)")
        with served:
            say("demo", f"serving {served.url}")
            good = play(served)
            if not options.once:
                say("demo", f"admin: {served.url}/admin/   login: admin   password: {served.admin_password}")
                say("demo", "serving until Ctrl-C")
                signal.pause()
    except KeyboardInterrupt:
        say("demo", "stopped")
    except NotServed as problem:
        say("demo", f"stopped: {problem}")
        return 1
    return 0 if good else 1


def play(served: Served) -> bool:
    """The four acts. True when everything that was registered was proved and came back the same."""
    file = served.var / "story.json"
    story = make_lab(served)
    shutil.rmtree(story.homes, ignore_errors=True)
    story.write(file)
    act("rig", "record", file)
    night(served, f"the first night, over a bad cable: a {Path(recordings.TO_DAMAGE).name} is damaged on its way")
    if not (served.var / "damaged").exists():
        raise NotServed("no copy was damaged on its way: the demo has not shown what it should")
    act("rig", "patch", file)
    night(served, "the second night")
    story = Story.read(file)
    total, place = len(story.files), story.central_repository
    verified = len(served.manage_json("demo_lab", "verified", place, *[one.dataset for one in story.files]))
    content = run_client("analyst", file)
    identical = Story.read(file).identical
    say(f"demo: {verified} of {total} datasets verified on {place}, {identical} of {total} loaded back identical")
    return content and verified == total == identical


def make_lab(served: Served) -> Story:
    """A lab with people, animals and two repositories, made by the services."""
    folder = served.var / "demo_lab"
    facts = served.manage_json("demo_lab", "make", "--folder", str(folder), "--data-url", f"{served.url}/data")
    story = Story(url=served.url, data_url=f"{served.url}/data", homes=str(served.var / "homes"), **facts)
    say("demo", f"made the lab {story.lab} with subjects {' and '.join(story.subjects)}")
    say(
        "demo",
        "its colony: a line with a litter in cages, a headplate surgery, a mouse on restricted water that is too light",
    )
    say("demo", f"its data lie at {story.lab_repository} and shall be at {story.central_repository}")
    return story


def act(who: str, *arguments: Any) -> None:
    """Let a client play its part. Raises: NotServed."""
    if not run_client(who, *arguments):
        raise NotServed(f"the {who} could not do its part")


def run_client(who: str, *arguments: Any) -> bool:
    """Run `demo.<who>` in a process of its own; whether all was well."""
    done = subprocess.run([sys.executable, "-m", f"demo.{who}", *map(str, arguments)], cwd=ROOT, check=False)
    return done.returncode == 0


def over_a_bad_cable(var: Path, port: int) -> Served:
    """An instance one of whose copies will be damaged on its way."""
    note = var / "damaged"
    note.unlink(missing_ok=True)
    return Served(var, port, extra=bad_cable.environment(Path(recordings.TO_DAMAGE).name, note))


def night(served: Served, name: str) -> None:
    """Everything known at the lab's repository and not proved at the central one is copied there and proved."""
    say("night", name)
    for line in served.manage("transfers", "run", "--now").splitlines():
        say("night", f"  {line}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="stop after the last line instead of serving on")
    parser.add_argument("--port", type=int, default=8800, help="another is taken when it is in use (default: 8800)")
    parser.add_argument("--var", type=Path, default=ROOT / "var" / "demo", help="its state folder (default: var/demo)")
    return parser.parse_args()


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    raise SystemExit(main())

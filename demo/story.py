"""What the processes of the demo tell each other, and how they speak."""

import json
import sys
import textwrap
from dataclasses import asdict, dataclass, field
from pathlib import Path

WIDTH = 110


def say(who: str, text: str = "") -> None:
    """One calm line on the terminal; a long one goes on below."""
    if not text:
        sys.stdout.write(f"{who}\n")
    margin = f"[{who}]"
    for paragraph in text.splitlines():
        indent = paragraph[: len(paragraph) - len(paragraph.lstrip())]
        for line in textwrap.wrap(paragraph.strip(), WIDTH) or [""]:
            sys.stdout.write(f"{margin:<11}{indent}{line}".rstrip() + "\n")
            margin = ""
    sys.stdout.flush()


@dataclass
class RegisteredFile:
    """One dataset as the rig knows it. `file`: where the rig wrote it; `md5`, `size_bytes`: as registered."""

    dataset: str
    session: str
    relative: str
    file: str
    md5: str
    size_bytes: int


@dataclass
class Story:
    """All that happened so far; a JSON file between the processes."""

    url: str
    data_url: str
    lab: str
    subjects: list[str]
    lab_repository: str
    central_repository: str
    lab_folder: str
    central_folder: str
    lab_endpoint: str
    project: str
    location: str
    other_location: str
    rig_user: str
    rig_password: str
    analyst_user: str
    analyst_password: str
    homes: str
    files: list[RegisteredFile] = field(default_factory=list)
    patched: str = ""
    patched_old_md5: str = ""
    identical: int = 0

    @classmethod
    def read(cls, file: Path) -> "Story":
        """From its file."""
        facts = json.loads(file.read_text())
        facts["files"] = [RegisteredFile(**one) for one in facts["files"]]
        return cls(**facts)

    def write(self, file: Path) -> None:
        """To its file, which holds passwords and is therefore the owner's only."""
        file.touch(mode=0o600)
        file.write_text(json.dumps(asdict(self), indent=1))

    @property
    def sessions(self) -> list[str]:
        """The ids of the sessions, in the order they were recorded."""
        return list(dict.fromkeys(one.session for one in self.files))

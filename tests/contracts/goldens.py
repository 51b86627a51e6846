"""Golden files: what they hold is compared, and rewritten when ALYX_REFRESH_GOLDENS=1 asks for it."""

import os
from pathlib import Path

FOLDER = Path(__file__).parent
REFRESH = "ALYX_REFRESH_GOLDENS"


def compare(name: str, text: str) -> None:
    """Fail when the golden file says something else."""
    file = FOLDER / name
    if os.environ.get(REFRESH) == "1":
        file.write_text(text)
    assert file.exists(), f"{name} is missing: run with {REFRESH}=1"
    assert file.read_text() == text, f"{name} changed: if that is meant, run with {REFRESH}=1 and review the difference"

"""What is not ours in the tree is what its makers published."""

import hashlib
import re
from pathlib import Path

import pytest

VENDOR = Path(__file__).parents[2] / "alyx" / "static" / "vendor"
PACKAGES = sorted(folder for folder in VENDOR.iterdir() if folder.is_dir())
LINE = re.compile(r"^([0-9a-f]{64}) {2}(\S+)$", re.MULTILINE)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda folder: folder.name)
def test_a_vendored_package_is_as_published(package: Path) -> None:
    stated = (package / "VERSION").read_text()
    listed = {name: digest for digest, name in LINE.findall(stated)}
    found = {
        path.relative_to(package).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in package.rglob("*")
        if path.is_file() and path.name != "VERSION"
    }
    assert found == listed
    assert "LICENSE" in found
    assert re.search(r"^sha256 of the tarball: [0-9a-f]{64}$", stated, re.MULTILINE)
    assert re.search(rf"^name: {package.name}\nversion: \d+\.\d+\.\d+$", stated, re.MULTILINE)


def test_uplot_is_vendored() -> None:
    assert [package.name for package in PACKAGES if package.name == "uplot"]

"""The S3 backend obeys the rules of all backends, on a real server and between all kinds of storage."""

from pathlib import Path

import pytest

from tests.backends.conformance import BadInput, Conformance, Moving, Ownership, Removing
from tests.backends.rig import DESTINATION_MARK, SOURCE_MARK, Rig
from tests.backends.stores import PosixStore, S3Store
from tests.s3.servers import Servers

pytestmark = pytest.mark.once


FEW = 12


class TestS3Conformance(Conformance):
    """All rules, on Swift, which checks signatures, checksums and conditions."""

    @pytest.fixture
    def rig(self, s3: Servers) -> Rig:
        source, destination = (S3Store(s3.swift, mark) for mark in (SOURCE_MARK, DESTINATION_MARK))
        return Rig({"source": source, "destination": destination}, FEW)


class TestS3WithVersions(Moving, Ownership, Removing):
    """What writes, in a bucket that keeps versions."""

    @pytest.fixture
    def rig(self, s3: Servers) -> Rig:
        source, destination = (S3Store(s3.versioned, mark) for mark in (SOURCE_MARK, DESTINATION_MARK))
        return Rig({"source": source, "destination": destination}, FEW)


class TestFromPosixToS3(Moving):
    """A lab's server to a bucket."""

    @pytest.fixture
    def rig(self, s3: Servers, tmp_path: Path) -> Rig:
        source = PosixStore(tmp_path / "source", SOURCE_MARK)
        return Rig({"source": source, "destination": S3Store(s3.versioned, DESTINATION_MARK)}, FEW)


class TestFromS3ToPosix(Moving, BadInput):
    """A bucket to a disk."""

    @pytest.fixture
    def rig(self, s3: Servers, tmp_path: Path) -> Rig:
        destination = PosixStore(tmp_path / "destination", DESTINATION_MARK)
        return Rig({"source": S3Store(s3.swift, SOURCE_MARK), "destination": destination}, FEW)

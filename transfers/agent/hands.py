"""What an agent does to a finished file before it is registered: compress it, prove it, set the original aside."""

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from alyx.core import clock
from alyx.core.failpoints import declare, failpoint
from transfers.agent import ephys, video
from transfers.agent.workshop import Note, Workshop
from transfers.backends.base import BackendFailure, Evidence
from transfers.rules.compressing import Kind, Recipe
from transfers.rules.errors import policy
from transfers.rules.quiescence import Sight
from transfers.services.scan_page import Hands, NotCompressed
from transfers.services.sorting import Candidate
from transfers.services.taking_in import Making

COMPRESSED = declare("agent.compressed")
PROVED = declare("agent.proved")
_TO_SPARE = 64 << 20


class AgentHands(Hands):
    """Of the agent that holds this workshop. What it could not compress it tries again only after a restart, or when the
    file has changed."""

    name = "copy agent"
    compresses = True

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        self._notes: list[Note] = []
        self._done: set[str] = set()
        self._refused: dict[str, tuple[Sight, str]] = {}

    def resume(self) -> list[str]:
        """Finish what a killed agent had proved, throw away what it had not. Why something could not be finished."""
        self.workshop.throw_away_halves()
        self._notes = self.workshop.notes()
        troubles = []
        for note in self._notes:
            try:
                self.workshop.finish(note)
            except NotCompressed as refused:
                troubles.append(f"{note.original}: {refused}")
            except BackendFailure as failure:
                troubles.append(f"{note.original}: {policy(failure.code).sentence} ({failure.detail})")
        return troubles

    def makings(self) -> Mapping[str, Making]:
        """Products that have their names and are not registered."""
        return {
            path: Making(note.software, note.version, note.facts, digest)
            for note in self._notes
            for path, digest in zip(note.paths(), note.products.values(), strict=True)
            if (self.workshop.root / path).exists()
        }

    def registered(self, paths: Iterable[str]) -> None:
        """A note all of whose products are registered has done its work."""
        ours = {path for note in self._notes for path in note.paths()}
        self._done.update(ours.intersection(paths))
        for note in self._notes:
            if self._done.issuperset(note.paths()):
                self.workshop.done(note)
                self._done.difference_update(note.paths())
                self._notes = [one for one in self._notes if one != note]

    def compress(self, candidate: Candidate, evidence: Evidence) -> bool:
        """Make, prove, note, name; the original to the trash."""
        sight, recipe = candidate.sighting.sight, candidate.recipe
        if recipe is None:
            return False
        if any(note.original == candidate.path for note in self._notes):
            raise NotCompressed("what was made of an earlier file of this name is not registered yet")
        refused = self._refused.get(candidate.path)
        if refused is not None and refused[0] == sight:
            raise NotCompressed(refused[1])
        try:
            note = self._made(candidate, recipe, sight, evidence)
        except (NotCompressed, OSError, ValueError, AssertionError, RuntimeError) as why:
            self.workshop.clear(candidate.path)
            words = str(why) if isinstance(why, NotCompressed) else f"{type(why).__name__}: {why}"
            self._refused[candidate.path] = (sight, words)
            raise NotCompressed(words) from why
        if note is not None:
            self._notes.append(note)
            self.workshop.finish(note)
        return note is not None

    def _made(self, candidate: Candidate, recipe: Recipe, sight: Sight, evidence: Evidence) -> Note | None:
        """The products, proved and noted; None: it is compressed already."""
        original = self.workshop.root / candidate.path
        self._may_begin(original, recipe, sight)
        film = video.look(original) if recipe.kind is Kind.VIDEO else None
        if film is not None and film.codec == "h264":
            return None
        bench = self.workshop.bench(candidate.path)
        facts = {
            "made_from": {
                "name": original.name,
                "size_bytes": evidence.size_bytes,
                "md5": evidence.md5,
                "sha256": evidence.sha256,
            },
            "proved_at": clock.now().isoformat(timespec="seconds"),
        }
        if film is None:
            software, version = ephys.SOFTWARE, ephys.software_version()
            facts |= self._ephys(original, bench, recipe, evidence)
        else:
            software, version = video.SOFTWARE, video.software_version()
            facts |= self._video(original, film, bench, recipe)
        if _sight(original) != sight:
            raise NotCompressed("it changed while it was compressed")
        failpoint(PROVED)
        products = {name: _sha256(bench / name) for name in reversed(recipe.products)}
        today = clock.now().date().isoformat()
        trash = f".alyx-trash/{today}/{candidate.path}.v0"
        facts = {**facts, "by": version, "set_aside": trash}
        note = Note(candidate.path, sight.size_bytes, sight.modified_ns, products, software, version, facts, today)
        self.workshop.note(note)
        return note

    def _may_begin(self, original: Path, recipe: Recipe, sight: Sight) -> None:
        if original.is_symlink():
            raise NotCompressed("it is a symbolic link")
        for name in recipe.products:
            if name != original.name and (original.parent / name).exists():
                raise NotCompressed(f"{name} lies beside it already: move one of them away")
        if shutil.disk_usage(original.parent).free < sight.size_bytes + _TO_SPARE:
            raise NotCompressed("there is no room beside it for a compressed copy")

    def _ephys(self, original: Path, bench: Path, recipe: Recipe, evidence: Evidence) -> dict[str, Any]:
        cbin, ch = (bench / name for name in recipe.products)
        ephys.compress(original, original.parent / recipe.needs, cbin, ch)
        failpoint(COMPRESSED)
        size, digest = ephys.unpacked(cbin, ch)
        if (size, digest) != (evidence.size_bytes, evidence.sha256):
            raise NotCompressed("what was compressed does not unpack to the same bytes")
        return {"lossless": True, "proof": "unpacked to the same size and SHA-256"}

    def _video(self, original: Path, before: video.Film, bench: Path, recipe: Recipe) -> dict[str, Any]:
        made = bench / recipe.products[0]
        video.compress(original, made)
        failpoint(COMPRESSED)
        after = video.look(made)
        if problem := video.differences(before, after):
            raise NotCompressed(problem)
        figures = {"frames": after.frames, "seconds_before": before.seconds, "seconds_after": after.seconds}
        return {"lossless": False, "codec_before": before.codec, "crf": video.CRF, **figures}


def _sight(file: Path) -> Sight:
    seen = file.stat()
    return Sight(seen.st_size, seen.st_mtime_ns)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()

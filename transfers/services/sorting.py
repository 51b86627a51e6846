"""A page of a repository's listing, sorted: what is registered, what is ready to be, and why the rest is not.

A constant number of statements for a page, however many files it holds. Reads only.
"""

import datetime
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db.models.functions import Lower

from datasets.models import DataFormat, Dataset, DatasetType, FileRecord, Repository
from datasets.rules.alf import AlfPath, SessionPath
from datasets.rules.copies import HIDDEN, CopyState
from datasets.rules.matching import FormatMatcher, FormatRow, TypeMatcher, TypeRow
from datasets.rules.refusals import Refusal
from datasets.rules.registration import Content
from datasets.services.register_state import content
from sessions.models import Session
from subjects.models import Subject
from transfers.backends.base import Entry
from transfers.models import IntakePolicy
from transfers.rules.compressing import Recipe, recipe_for
from transfers.rules.intake import Why
from transfers.rules.quiescence import Sight, Sighting, is_quiet, seen_again
from transfers.rules.session_paths import NotOfASession, is_no_data, of_session
from transfers.services.scan_reports import Before, Left, looked_before

S = CopyState
SAID = frozenset({S.ANNOUNCED, S.CLAIMED, S.INCOMING, S.VERIFIED})
"""Somebody has said that the file is here, or looks for it: nothing to register."""


@dataclass(frozen=True)
class Surroundings:
    """What is asked once per scan: the repository's labs with their policies, and the vocabulary."""

    repository: Repository
    policies: Mapping[uuid.UUID, IntakePolicy | None]
    """By lab of the repository."""
    types: TypeMatcher
    formats: FormatMatcher

    @classmethod
    def of(cls, repository: Repository) -> "Surroundings":
        """Read them."""
        labs = list(repository.labs.values_list("pk", flat=True))
        policies = {
            one.lab_id: one for one in IntakePolicy.objects.filter(lab__in=labs).select_related("account", "lab")
        }
        types = DatasetType.objects.values_list("id", "name", "filename_pattern")
        formats = DataFormat.objects.values_list("id", "name", "file_extension")
        return cls(
            repository,
            {lab: policies.get(lab) for lab in labs},
            TypeMatcher(TypeRow(*row) for row in types),
            FormatMatcher(FormatRow(*row) for row in formats),
        )


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A registered dataset, and how it stands at this repository (None: no record)."""

    dataset_id: uuid.UUID
    content: Content
    state: CopyState | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A finished file to register. `session_id` None: its session is to be made."""

    path: str
    session: SessionPath
    parts: AlfPath
    policy: IntakePolicy
    session_id: uuid.UUID | None
    sighting: Sighting
    before: Before
    known: KnownFile | None = None
    recipe: Recipe | None = None

    def left(self, why: Why, detail: str = "", *, md5: str = "", sha256: str = "") -> Left:
        """It stays, because."""
        folder, lab = str(self.session), self.policy.lab_id
        return Left(self.path, why, detail, folder, lab, self.sighting, md5, sha256)


@dataclass
class Sorted:
    """The files of a page."""

    known: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    ready: list[Candidate] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Home:
    """Where a session's folder belongs. `why`: nothing of it can be registered."""

    lab_id: uuid.UUID | None = None
    session_id: uuid.UUID | None = None
    why: Why | None = None
    detail: str = ""


_NEVER = Before(None)


def sort_page(
    around: Surroundings,
    entries: Sequence[Entry],
    at: datetime.datetime,
    *,
    made: Iterable[str] = (),
    patient: bool = True,
) -> Sorted:
    """Sort what a look at `at` saw. `made`: files we have made ourselves, finished as they are. Without `patience` a
    person has said that all files are finished."""
    found = Sorted()
    mine: dict[str, tuple[Entry, SessionPath, AlfPath]] = {}
    before = looked_before(around.repository, [entry.path for entry in entries])
    for entry in entries:
        if is_no_data(entry.path):
            found.passed.append(entry.path)
            continue
        place = of_session(entry.path)
        if isinstance(place, NotOfASession):
            sighting = seen_again(before.get(entry.path, _NEVER).sighting, _sight(entry), at)
            folder = entry.path.rpartition("/")[0]
            found.left.append(Left(entry.path, Why.OUTSIDE, place.words, folder, _only_lab(around), sighting))
        else:
            mine[entry.path] = (entry, *place)
    homes = _homes(around, {session for _, session, _ in mine.values()})
    known = _known(around, homes, mine.values())
    ours = frozenset(made)
    for path, (entry, session, parts) in mine.items():
        judged = _Judged(around, entry, session, parts, homes[session], before.get(path, _NEVER), at)
        patience = patient and path not in ours
        judged.sort(
            found, known.get((homes[session].session_id, parts.collection, parts.name, parts.revision)), patience
        )
    return found


def _sight(entry: Entry) -> Sight:
    return Sight(entry.size_bytes, entry.modified_ns)


def _only_lab(around: Surroundings) -> uuid.UUID | None:
    return next(iter(around.policies)) if len(around.policies) == 1 else None


@dataclass(frozen=True, slots=True)
class _Judged:
    """One file of a session's folder, with everything that decides about it."""

    around: Surroundings
    entry: Entry
    session: SessionPath
    parts: AlfPath
    home: _Home
    before: Before
    at: datetime.datetime

    def sort(self, found: Sorted, known: KnownFile | None, patient: bool) -> None:
        """Into one of the four heaps."""
        policy = self.around.policies.get(self.home.lab_id) if self.home.lab_id else None
        sighting = seen_again(self.before.sighting, _sight(self.entry), self.at)
        if policy is not None and is_no_data(self.entry.path, policy.flag_name):
            found.passed.append(self.entry.path)
            return
        differs = known is not None and known.content.size not in {None, self.entry.size_bytes}
        if known is not None and known.state in SAID and not differs:
            found.known.append(self.entry.path)
            return
        recipe = (
            recipe_for(self.parts.name, ephys=policy.compress_ephys, video=policy.compress_video) if policy else None
        )
        why, detail = self._reason(policy, sighting, differs, patient, recipe)
        if policy is None or why is not None:
            left = Left(self.entry.path, why or Why.NO_POLICY, detail, str(self.session), self.home.lab_id, sighting)
            found.left.append(left)
            return
        found.ready.append(
            Candidate(
                self.entry.path,
                self.session,
                self.parts,
                policy,
                self.home.session_id,
                sighting,
                self.before,
                known,
                recipe,
            )
        )

    def _reason(
        self, policy: IntakePolicy | None, sighting: Sighting, differs: bool, patient: bool, recipe: Recipe | None
    ) -> tuple[Why | None, str]:
        asked: list[tuple[bool, Why, str]] = [
            (differs, Why.DIFFERS, f"{self.entry.size_bytes} bytes lie here"),
            (bool(refusal := self._no_word(recipe)), Why.NO_TYPE, refusal),
            (self.home.why is not None, self.home.why or Why.OUTSIDE, self.home.detail),
            (policy is None, Why.NO_POLICY, ""),
        ]
        if policy is not None:
            makes = self.home.session_id is not None or policy.create_sessions
            quiet = not patient or is_quiet(sighting, self.at, policy.quiet_minutes)
            asked.append((not makes, Why.NO_SESSION, str(self.session)))
            asked.append((not quiet, Why.CHANGING, f"as it is since {sighting.since:%Y-%m-%d %H:%M} UTC"))
        return next(((why, detail) for holds, why, detail in asked if holds), (None, ""))

    def _no_word(self, recipe: Recipe | None) -> str:
        """What the vocabulary lacks for the file, or for what will be made of it."""
        try:
            for name in recipe.products if recipe else (self.parts.name,):
                self.around.types.match(name)
                self.around.formats.match(name)
        except Refusal as refusal:
            return str(refusal)
        return ""


@dataclass(frozen=True, slots=True)
class _Animal:
    id: uuid.UUID
    lab_id: uuid.UUID
    nickname: str


def _homes(around: Surroundings, sessions: set[SessionPath]) -> dict[SessionPath, _Home]:
    """Lab and session of each folder, in two statements."""
    names = {one.subject.lower() for one in sessions}
    rows = Subject.objects.shown().alias(lower_nickname=Lower("nickname")).filter(lower_nickname__in=names)
    animals = {pk: _Animal(pk, lab, nickname) for pk, lab, nickname in rows.values_list("pk", "lab_id", "nickname")}
    by_name: dict[str, list[_Animal]] = defaultdict(list)
    for animal in animals.values():
        by_name[animal.nickname.lower()].append(animal)
    recorded = Session.objects.shown().filter(
        subject__in=animals, path_date__in={one.date for one in sessions}, lab__in=list(around.policies)
    )
    stored: dict[SessionPath, list[tuple[_Home, _Animal]]] = defaultdict(list)
    for pk, subject, day, number, lab in recorded.values_list("pk", "subject_id", "path_date", "number", "lab_id"):
        animal = animals[subject]
        stored[SessionPath(animal.nickname.lower(), day, number)].append((_Home(lab, pk), animal))
    return {
        one: _home(
            around, one, stored[SessionPath(one.subject.lower(), one.date, one.number)], by_name[one.subject.lower()]
        )
        for one in sessions
    }


def _home(
    around: Surroundings, path: SessionPath, stored: list[tuple[_Home, _Animal]], animals: list[_Animal]
) -> _Home:
    ours = [(_Home(animal.lab_id), animal) for animal in animals if animal.lab_id in around.policies]
    found = stored or ours
    if not found:
        return _Home(_only_lab(around), None, Why.NO_SUBJECT, path.subject)
    if len(found) > 1:
        return _Home(_only_lab(around), None, Why.SEVERAL_SESSIONS)
    home, animal = found[0]
    if animal.nickname != path.subject and around.repository.case_sensitive:
        words = f"the subject is written {animal.nickname}: rename its folder"
        return _Home(home.lab_id, home.session_id, Why.OUTSIDE, words)
    return home


Key = tuple[uuid.UUID | None, str, str, str]


def _known(
    around: Surroundings, homes: Mapping[SessionPath, _Home], files: Iterable[tuple[Entry, SessionPath, AlfPath]]
) -> dict[Key, KnownFile]:
    """The registered datasets among these files, in two statements."""
    sessions = {home.session_id for home in homes.values()} - {None}
    names = {parts.name for _, _, parts in files}
    return known_files(around.repository, sessions, names)


def known_files(
    repository: Repository, sessions: Iterable[uuid.UUID | None], names: Iterable[str]
) -> dict[Key, KnownFile]:
    """Registered datasets of these sessions and names, by session, collection, name and revision."""
    rows = Dataset.objects.shown().filter(session__in=list(sessions), name__in=list(names))
    datasets = {
        pk: ((session, collection, name, revision or ""), content(size, md5, sha256))
        for pk, session, collection, name, revision, size, md5, sha256 in rows.values_list(
            "pk", "session_id", "collection", "name", "revision__name", "size_bytes", "md5", "sha256"
        )
    }
    records = FileRecord.objects.filter(dataset__in=datasets, repository=repository).exclude(state__in=sorted(HIDDEN))
    states = {dataset: CopyState(state) for dataset, state in records.values_list("dataset_id", "state")}
    return {key: KnownFile(pk, said, states.get(pk)) for pk, (key, said) in datasets.items()}

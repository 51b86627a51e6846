"""The look at each repository in the evening: when it is due, what was found, who has to do what. Pure: no Django."""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

from alyx.core.status import Status
from datasets.rules.bandwidth import passes, said
from transfers.rules.errors import ErrorCode, policy
from transfers.rules.schedule import CATCH_UP, Night, instant, night_of

RESERVE = 0.1
"""Part of the free space that a night is not to use up."""
TOGETHER_AT_MOST = 3
"""So many repositories may begin to fill one place at the same moment; Globus runs three tasks of an identity at once."""


class Check(NamedTuple):
    """One thing that was looked at."""

    name: str
    status: Status
    said: str = ""


@dataclass(frozen=True, slots=True)
class Load:
    """Files and their bytes; `unknown` of the files have no known size."""

    files: int = 0
    size_bytes: int = 0
    unknown: int = 0
    largest: int = field(default=0, compare=False)

    def __add__(self, other: "Load") -> "Load":
        return Load(
            self.files + other.files,
            self.size_bytes + other.size_bytes,
            self.unknown + other.unknown,
            max(self.largest, other.largest),
        )


@dataclass(frozen=True, slots=True)
class Tonight:
    """What has to pass a place with hours of its own while tonight's windows are open, and what may.

    `spans`: (limit in bytes a second, seconds) one after the other. `never`: others with which it shares no hour tonight.
    `in_one_go`: how many bytes pass at most between two hours at which nothing may; None: no limit.
    """

    comes: Load
    leaves: Load
    spans: tuple[tuple[int | None, float], ...]
    never: tuple[str, ...] = ()
    in_one_go: int | None = None

    @property
    def need(self) -> int:
        """Bytes that have to pass: what comes is written and then read back for its proof, what leaves is read once."""
        return 2 * self.comes.size_bytes + self.leaves.size_bytes


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look found. `problem` None: reached, and the right disk. `free_bytes` None: the place does not say.

    `comes`: what tonight brings here. `together`: how many others begin at the same moment to fill what this one fills.
    `tonight`: what its hours let pass; None: they limit nothing.
    """

    is_filled: bool
    problem: ErrorCode | None = None
    detail: str = ""
    free_bytes: int | None = None
    read_only: bool = False
    comes: Load = Load()
    together: int = 0
    tonight: Tonight | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the repository is ready; `problem`: why not; `what`: the reason and what to do; `who`: whose turn it is."""

    status: Status
    problem: ErrorCode | None
    what: str
    who: str
    checks: tuple[Check, ...]
    detail: str = ""

    @property
    def stops_the_place(self) -> bool:
        """Whether it cannot be used as a whole. Too little room for tonight is no reason: what fits is still moved."""
        problem = self.problem
        return problem is not None and problem is not ErrorCode.NO_SPACE and policy(problem).blocks_repository

    @property
    def needs_somebody(self) -> bool:
        """Whether the night will not do its work here unless somebody acts."""
        return self.status in {Status.FAILED, Status.CRITICAL}


_C = ErrorCode
_CHAIN: tuple[tuple[str, frozenset[ErrorCode]], ...] = (
    ("credential", frozenset({_C.AUTH_FAILED})),
    ("consent", frozenset({_C.CONSENT_REQUIRED})),
    ("not paused", frozenset({_C.PAUSED})),
    ("right disk", frozenset({_C.CANARY_MISSING, _C.CANARY_WRONG})),
)
"""What is seen one after the other once a place answers. What failed hides what comes after it."""


def preflight_due(now: datetime, at: time, zone: tzinfo) -> date | None:
    """The local date whose evening look is due at the aware instant `now`: the latest that has begun, unless its time
    passed more than CATCH_UP ago (the server was down all night: the next evening comes)."""
    today = now.astimezone(zone).date()
    for day in (today, today - timedelta(days=1)):
        due = instant(day, at, zone)
        if due <= now:
            return day if now - due < CATCH_UP else None
    return None


def next_night(now: datetime, start: time, end: time, zone: tzinfo) -> Night:
    """The night that is open at `now`, else the next one."""
    today = now.astimezone(zone).date()
    nights = (night_of(today + timedelta(days=day), start, end, zone) for day in range(-1, 3))
    return next(night for night in nights if night.ends_at > now)


def judge(seen: Seen) -> Verdict:
    """Put together what was found."""
    checks = (*_reached(seen), *_writable(seen), _room(seen), _beginning(seen), *_hours(seen.tonight))
    worst = max((check.status for check in checks), key=list(Status).index)
    who = "whoever runs the repository" if seen.is_filled else "the lab"
    if seen.problem is not None:
        said = f" ({seen.detail})" if seen.detail else ""
        return Verdict(worst, seen.problem, f"{policy(seen.problem).sentence}{said}", who, checks, seen.detail)
    said = next((check.said for check in checks if check.status is worst), "")
    match worst:
        case Status.FAILED:
            code = ErrorCode.READ_ONLY if seen.is_filled and seen.read_only else ErrorCode.NO_SPACE
            return Verdict(worst, code, f"{policy(code).sentence} ({said})", who, checks)
        case Status.WARNING:
            return Verdict(worst, None, f"Ready for tonight, but {said}.", who, checks)
    return Verdict(Status.FINE, None, "Ready for tonight.", "nobody", checks)


def not_ours() -> Verdict:
    """Of a place that nothing of ours reaches: its own people look after it."""
    return Verdict(
        Status.NEUTRAL,
        None,
        "Nothing of ours reaches this repository: the night neither reads nor fills it.",
        "nobody",
        (),
    )


def _reached(seen: Seen) -> list[Check]:
    in_chain = {code: name for name, codes in _CHAIN for code in codes}
    failing = in_chain.get(seen.problem) if seen.problem is not None else None
    answers = seen.problem is None or failing is not None
    checks = [Check("answers", Status.FINE if answers else Status.FAILED, "" if answers else "no")]
    hidden = not answers
    for name, codes in _CHAIN:
        if name == failing:
            wrong_disk = ErrorCode.CANARY_WRONG in codes
            checks.append(Check(name, Status.CRITICAL if wrong_disk else Status.FAILED, "no"))
            hidden = True
        else:
            checks.append(Check(name, Status.NEUTRAL, "not seen") if hidden else Check(name, Status.FINE))
    return checks


def _writable(seen: Seen) -> list[Check]:
    if not seen.is_filled:
        return []
    if seen.problem is not None:
        return [Check("writable", Status.NEUTRAL, "not seen")]
    return [
        Check("writable", Status.FAILED, "it accepts no writing") if seen.read_only else Check("writable", Status.FINE)
    ]


def _room(seen: Seen) -> Check:
    if not seen.is_filled:
        return Check("room", Status.NEUTRAL, "nothing comes here")
    if seen.free_bytes is None:
        return Check("room", Status.NEUTRAL, "the place does not say how much is free")
    need, free = seen.comes.size_bytes, seen.free_bytes
    if need > free:
        return Check("room", Status.FAILED, f"{need} bytes come tonight, {free} are free: {need - free} too few")
    if need > free * (1 - RESERVE):
        return Check("room", Status.WARNING, f"after tonight's {need} bytes less than a tenth of {free} stays free")
    return Check("room", Status.FINE)


def _beginning(seen: Seen) -> Check:
    if seen.together > TOGETHER_AT_MOST:
        said = f"{seen.together} others begin at the same moment to fill the same place: move some by minutes"
        return Check("begins apart", Status.WARNING, said)
    return Check("begins apart", Status.FINE)


def _hours(tonight: Tonight | None) -> list[Check]:
    """An estimate: jobs that are begun go on after the windows have closed, and small files cost more than their bytes."""
    if tonight is None:
        return []
    if tonight.never:
        others = " and ".join(tonight.never)
        return [
            Check(
                "hours",
                Status.WARNING,
                f"tonight it shares no hour with {others} at which anything may be moved: change one of them",
            )
        ]
    if tonight.in_one_go is not None and tonight.comes.largest > tonight.in_one_go:
        text = (
            f"a file of {tonight.comes.largest} bytes comes, and between two closed hours at most {tonight.in_one_go} pass, so that it can"
            " never be read back: give it more bandwidth or longer hours"
        )
        return [Check("hours", Status.WARNING, text)]
    may, need = passes(tonight.spans), tonight.need
    if may is None or need <= may:
        return [Check("hours", Status.FINE)]
    formula = " + ".join(f"{said(limit)} x {seconds / 3600:.1f} h" for limit, seconds in tonight.spans)
    text = (
        f"tonight's hours let {may} bytes pass ({formula}), and {need} have to (2 x {tonight.comes.size_bytes} to come, which are"
        f" read back, + {tonight.leaves.size_bytes} to leave): the rest follows in the next nights, or give it more bandwidth"
    )
    return [Check("hours", Status.WARNING, text)]

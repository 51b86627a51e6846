"""When there is something to tell about an animal, and in which words. Pure: a day's numbers in, sentences out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from alyx.core.status import Status
from subjects.rules.day import Day
from subjects.rules.surgery import score_of
from subjects.rules.water import DUE_AFTER, is_water_due

ALARMING = {Status.FAILED, Status.CRITICAL}
_WORDS = {
    Status.WARNING: "is close to its minimum weight",
    Status.FAILED: "is below its minimum weight",
    Status.CRITICAL: "is critically light",
}
_ADVICE = {
    Status.WARNING: "Watch it: weigh it again tomorrow, and give all of its water.",
    Status.FAILED: "Give all of its water and a supplement, and decide whether it goes on.",
    Status.CRITICAL: "See it now: give water and food, end the restriction or call the veterinarian.",
}


@dataclass(frozen=True)
class Sentence:
    """Something to tell: the title is a mail's subject, the text says what happened and what to do."""

    title: str
    text: str
    status: Status


def underweight(name: str, day: Day) -> Sentence | None:
    """After a weighing: a warning, or an alert below the minimum."""
    if day.status not in _WORDS or day.percentage is None or day.weight_g is None:
        return None
    when = f"on {day.weighed_at_wall:%Y-%m-%d %H:%M}" if day.weighed_at_wall else "when last weighed"
    weighed = f"{day.weight_g:.1f} g {when}: {day.percentage:.1f} % of the expected {_grams(day.expected_g)}"
    text = f"{weighed} (minimum {_grams(day.min_g)}).\n{_ADVICE[day.status]}"
    if is_due(day):
        text += f" Still to give today: {_mL(day)}."
    return Sentence(f"{name} {_WORDS[day.status]}", text, day.status)


def is_due(day: Day) -> bool:
    """Whether water is still to give: not on the first day, not on an *ad lib* day, not for less than what is shown."""
    if not day.is_restricted or day.is_adlib or day.is_first_day or day.remaining_ml is None:
        return False
    return round(day.remaining_ml, 2) > 0


def supplement_due(name: str, day: Day, *, is_reward_known: bool = True) -> Sentence | None:
    """After training: what the reward left to give."""
    if not is_due(day):
        return None
    text = f"Its session is over. {_given(day)}"
    if not is_reward_known:
        text += "\nNo reward of this session has been recorded: what it drank there is not in these numbers."
    return Sentence(f"{name}: {_mL(day)} still to give", text, Status.WARNING)


def water_due(
    name: str, day: Day, *, last_given_at: datetime | None, restricted_at: datetime | None, now: datetime
) -> Sentence | None:
    """Nothing to drink for 23 hours, counted from the restriction's start when there was none since."""
    waited = is_water_due(day, last_given_at=last_given_at, restricted_at=restricted_at, now=now)
    if not waited or not is_due(day):
        return None
    last = (
        f"Last given on {last_given_at:%Y-%m-%d %H:%M} UTC." if last_given_at else "None since the restriction began."
    )
    text = f"No water for {DUE_AFTER / timedelta(hours=1):.0f} h or more. {last} {_given(day)}"
    return Sentence(f"{name}: {_mL(day)} still to give", text, Status.WARNING)


def still_due(name: str, day: Day, *, was_trained: bool) -> Sentence | None:
    """In the evening of a day on which it was trained."""
    if not was_trained or not is_due(day):
        return None
    text = f"It was trained on {day.day}, and its supplement is still due. {_given(day)}"
    return Sentence(f"{name}: {_mL(day)} still to give", text, Status.WARNING)


def not_weighed(name: str, day: Day) -> Sentence | None:
    """In the evening: restricted, not weighed this day, not on the first day."""
    if not day.is_weighing_missing:
        return None
    last = f"Last weighed on {day.weighed_at_wall:%Y-%m-%d %H:%M}." if day.weighed_at_wall else "It was never weighed."
    text = f"Restricted, and not weighed on {day.day}. {last}\nWeigh it now, or end the restriction."
    return Sentence(f"{name} was not weighed on {day.day}", text, Status.WARNING)


_SCORED = {
    Status.WARNING: "is to be watched after its surgery",
    Status.CRITICAL: "is unwell after its surgery",
}
_CARE = {
    Status.WARNING: "Look at it again today, and think of more analgesia.",
    Status.CRITICAL: "See it now: relieve its pain, call the veterinarian, or end it.",
}


def checked(
    name: str, sheet: Sequence[Mapping[str, Any]], scores: Mapping[str, Any], done: datetime
) -> Sentence | None:
    """After a check: an animal that did not score well, with the items that say so."""
    score = score_of(sheet, scores)
    if score.status not in _SCORED:
        return None
    items = [f"{item['key']} {scores[item['key']]} of {item['highest']}" for item in sheet if scores.get(item["key"])]
    text = f"Check of {done:%Y-%m-%d %H:%M}: {score.words} ({', '.join(items)}).\n{_CARE[score.status]}"
    return Sentence(f"{name} {_SCORED[score.status]}: {score.words}", text, score.status)


def not_checked(name: str, due_on: date, day: date) -> Sentence:
    """In the evening: a check after surgery that was due by this day and was not made."""
    text = (
        f"The check after its surgery was due on {due_on} and is not recorded.\nLook at the animal now, and record it."
    )
    return Sentence(f"{name} was not checked after its surgery ({day})", text, Status.WARNING)


def _given(day: Day) -> str:
    parts = f"{day.reward_ml:.2f} mL as reward, {day.supplement_ml:.2f} mL besides"
    return (
        f"{_number(day.expected_ml)} mL expected on {day.day}, given so far: {parts}.\nGive {_mL(day)}, and record it."
    )


def _mL(day: Day) -> str:  # noqa: N802  (the unit's own capital)
    return f"{_number(day.remaining_ml)} mL"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _grams(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} g"


# When a lab's checks are due, by its own clock. A wall clock that jumps over the hour is past it; one that comes twice
# finds the date done.


def morning_of(wall: datetime, at: time) -> date | None:
    """The date whose morning digest is due; late ones until midnight, after that the next one says it better."""
    return wall.date() if wall.time() >= at else None


def evening_of(wall: datetime, evening: time, morning: time) -> date | None:
    """The date whose evening check is due; one that was missed is made up for until the next morning."""
    if wall.time() >= evening:
        return wall.date()
    return wall.date() - timedelta(days=1) if wall.time() < min(morning, evening) else None


@dataclass(frozen=True)
class Animal:
    """An animal in a digest."""

    name: str
    day: Day


@dataclass(frozen=True)
class Morning:
    """What one person is to know in the morning."""

    lab: str
    on: date
    animals: Sequence[Animal] = field(default_factory=tuple)
    flags: int = 0
    mails: int = 0


def digest(morning: Morning) -> Sentence | None:
    """The morning's mail; None when nothing waits."""
    light = [one for one in morning.animals if one.day.status in ALARMING]
    to_weigh = [one for one in morning.animals if one.day.is_weighing_missing]
    to_water = [one for one in morning.animals if is_due(one.day)]
    unknown = [one for one in morning.animals if _is_unknown(one.day)]
    blocks = [
        _block("Below their minimum weight", [_light(one) for one in light]),
        _block("To weigh", [_last(one) for one in to_weigh]),
        _block("Water to give", [f"{one.name}: {_mL(one.day)}" for one in to_water]),
        _block("Water not available", [_why(one) for one in unknown]),
        [f"{_count(morning.flags, 'record')} to review in the inbox."] if morning.flags else [],
        [f"{_count(morning.mails, 'mail')} that failed or may not have arrived: see Notifications."] if morning.mails else [],
    ]  # fmt: skip
    lines = ["\n".join(block) for block in blocks if block]
    if not lines:
        return None
    status = max(
        (one.day.status for one in light), key=lambda status: status == Status.CRITICAL, default=Status.NEUTRAL
    )
    counts = [(len(light), "underweight"), (len(to_weigh), "to weigh"), (len(to_water), "to water"),
              (morning.flags, "to review"), (morning.mails, "mails in doubt")]  # fmt: skip
    short = ", ".join(f"{count} {word}" for count, word in counts if count) or f"{len(unknown)} without numbers"
    return Sentence(f"{morning.lab}, {morning.on}: {short}", "\n\n".join(lines), status)


def _block(title: str, lines: Sequence[str]) -> list[str]:
    return [f"{title} ({len(lines)}):", *(f"  {line}" for line in lines)] if lines else []


def _light(one: Animal) -> str:
    share = f"{one.day.percentage:.1f} %" if one.day.percentage is not None else "–"
    return (
        f"{one.name}: {share}, {one.day.status.value if one.day.status == Status.CRITICAL else 'below'}{_when(one.day)}"
    )


def _last(one: Animal) -> str:
    return f"{one.name}{_when(one.day) or ', never weighed'}"


def _when(day: Day) -> str:
    return f", weighed {day.weighed_at_wall:%Y-%m-%d %H:%M}" if day.weighed_at_wall else ""


def _why(one: Animal) -> str:
    return f"{one.name}: {one.day.why_not.get('expected_ml') or one.day.why_not.get('remaining_ml') or 'no numbers'}"


def _is_unknown(day: Day) -> bool:
    return day.is_restricted and not day.is_adlib and day.remaining_ml is None


def _count(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"

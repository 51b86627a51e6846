"""Why something waits for the hours of its places, and until when, in words. Pure: no Django."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from datasets.rules.bandwidth import Hours, all_open_at, said
from transfers.rules.routing import APART


class Place(Protocol):
    """A repository, as far as its hours go."""

    name: str
    kind: str
    timezone: str

    @property
    def hours(self) -> Hours:
        """What may be moved from and to it, and when."""


@dataclass(frozen=True)
class Hold:
    """What waits for the hours of `places` goes on at `until`; None: never, as the settings stand."""

    places: tuple[str, ...]
    until: datetime | None
    says: str
    who: str
    """Who has to act."""


def hold_of(places: Sequence[Place], now: datetime) -> Hold | None:
    """Why nothing can be moved between these places now; None: something can."""
    closed = [place for place in places if place.hours.limit_at(now) == 0]
    if not closed:
        return None
    names = tuple(place.name for place in closed)
    why = f"nothing may be moved from or to {' and '.join(names)} at this hour (its bandwidth)"
    until = all_open_at([place.hours for place in places], now)
    if until is None:
        ends = " and ".join(place.name for place in places)
        text = f"{why}, and {ends} share no hour at which anything may be: change the bandwidth of one of them"
        return Hold(names, None, text, "the data manager")
    return Hold(names, until, f"waits until {wall(until, closed[0], now)}: {why}", "nobody")


def wall(at: datetime, place: Place, now: datetime) -> str:
    """By the clock of the place: the hour, and the day when it is not today."""
    zone = place.hours.zone
    local = at.astimezone(zone)
    day = "" if local.date() == now.astimezone(zone).date() else f"{local:%a %d %b} "
    return f"{day}{local:%H:%M} ({place.timezone})"


def standing_of(place: Place, now: datetime) -> str:
    """What a place lets pass now, and what changes next; "" where it has no hours."""
    hours = place.hours
    if not hours.stretches:
        return ""
    limit, change = hours.limit_at(now), hours.next_change(now)
    text = said(limit)
    if change is not None:
        text += f" until {wall(change, place, now)}, then {said(hours.limit_at(change))}"
    if place.kind in APART and any(one.limit for one in hours.stretches):
        text += "; Globus knows no limit of a task: only hours with “nothing” are kept, a limit is set at its endpoint"
    return text

"""When something in a surgery can have happened. Pure."""

from datetime import datetime, timedelta

SLACK = timedelta(seconds=60)
"""People say times by the minute."""


def implausible_moment(
    kind: str, at: datetime, *, started: datetime | None, tapped: datetime
) -> tuple[str, datetime] | None:
    """(what is doubted, the time that it contradicts) of the time of a line; `tapped` is when somebody said it. All are instants."""
    if at > tapped + SLACK:
        return "is in the future", tapped
    if kind != "start" and started is not None and at <= started - SLACK:
        return "is before the start of the surgery", started
    return None

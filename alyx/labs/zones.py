"""When a lab's time zone is corrected, the instants of what happened there follow; wall clocks stay as they were sent.

The apps above say what follows, by registering a function in their `AppConfig.ready`.
"""

from collections.abc import Callable

from alyx.labs.models import Lab

_followers: list[Callable[[Lab, str], None]] = []


def follows_zone(function: Callable[[Lab, str], None]) -> Callable[[Lab, str], None]:
    """Call this, in the transaction, after a lab's zone was changed, with the zone that it was."""
    if function not in _followers:
        _followers.append(function)
    return function


def zone_corrected(lab: Lab, was: str) -> None:
    """Let everything follow."""
    for function in _followers:
        function(lab, was)

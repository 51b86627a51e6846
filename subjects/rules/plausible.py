"""Weights and volumes that cannot be, or are worth a second look. Pure: each answers a sentence, or an empty text."""

import math
from datetime import datetime, timedelta

LEAST_G = 0.5
MOST_G = 100.0
MOST_G_OTHERS = 2000.0
"""Of animals that are no mice."""
MOST_ML = 20.0
MOST_ML_OTHERS = 200.0
JUMP = 0.08
"""A larger part of the weight is not gained or lost in 24 hours."""
JUMP_DAYS = 7
"""Over longer gaps nothing more is granted than over these."""
FAR = 0.10
"""A reference weight that differs from the last weighing by more is asked about."""
REFERENCE_DAYS = 7
"""A weighing older than this, when a restriction begins, is not its reference."""
AHEAD = timedelta(days=1)
"""Clocks of rigs may run ahead by this before we doubt them."""


def is_mouse(species: str) -> bool:
    """Whether the binomial is a mouse's, or nobody has said."""
    return not species or species.lower().startswith("mus ") or "mouse" in species.lower()


def weight_is_absurd(weight_g: float, species: str = "") -> str:
    """Why this can be no animal's weight."""
    most = MOST_G if is_mouse(species) else MOST_G_OTHERS
    if weight_g <= 0:
        return f"a weight of {weight_g:g} g is none"
    if not LEAST_G <= weight_g <= most:
        return f"{weight_g:g} g is no weight of {'a mouse' if is_mouse(species) else species}"
    return ""


def weight_jumps(weight_g: float, at: datetime, previous_g: float | None, previous_at: datetime | None) -> str:
    """Why the change since the last weighing is worth a second look."""
    if previous_g is None or previous_at is None or previous_g <= 0 or weight_g <= 0:
        return ""
    days = min(max(abs(at - previous_at) / timedelta(days=1), 1.0), float(JUMP_DAYS))
    change = weight_g / previous_g - 1
    if abs(change) <= JUMP * days + 1e-9:
        return ""
    return (
        f"{change:+.0%} since {previous_g:g} g on {previous_at:%Y-%m-%d %H:%M}: more than {JUMP:.0%} in 24 hours;"
        " the wrong animal, or a slip?"
    )


def volume_is_absurd(volume_ml: float, species: str = "") -> str:
    """Why this can be no volume an animal drank."""
    most = MOST_ML if is_mouse(species) else MOST_ML_OTHERS
    if volume_ml < 0:
        return f"{volume_ml:g} mL is less than nothing"
    if volume_ml > most:
        return f"nobody drinks {volume_ml:g} mL at once"
    return ""


def reference_is_far(reference_g: float, last_g: float | None) -> str:
    """Why a reference weight does not fit the last weighing."""
    if last_g is None or last_g <= 0 or abs(reference_g / last_g - 1) <= FAR + 1e-9:
        return ""
    return f"the reference weight {reference_g:g} g is {reference_g / last_g - 1:+.0%} from the last weighing, {last_g:g} g"


def is_finite(value: float) -> bool:
    """Whether it can be stored."""
    return math.isfinite(value)

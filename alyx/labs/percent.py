"""Parts of a whole, as people type them. Pure."""

import math

DEFAULT_FLOOR = 0.75
"""Below this part of the expected weight an animal is in a critical state, unless its lab says otherwise."""


def fraction(value: float) -> float:
    """A fraction; above 1 it was typed as a percentage. Raises ValueError for what is neither."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value} is not a number")
    number = number / 100 if number > 1 else number
    if not 0 <= number <= 1:
        raise ValueError(f"{value:g} is neither a fraction from 0 to 1 nor a percentage up to 100")
    return number

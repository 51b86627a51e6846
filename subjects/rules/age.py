"""How old an animal is."""

from datetime import date


def age_weeks(born: date | None, died: date | None, today: date) -> int:
    """Whole weeks from birth to death, or to today for the living; 0 when it is not known or makes no sense."""
    if born is None:
        return 0
    return max(0, ((died or today) - born).days // 7)

"""The quality-control scale of ALF and ONE; one scale, several owners."""

from django.db import models


class QC(models.IntegerChoices):
    """Worst last, so that "at most WARNING" is a comparison."""

    NOT_SET = 0, "NOT_SET"
    PASS = 10, "PASS"
    WARNING = 30, "WARNING"
    FAIL = 40, "FAIL"
    CRITICAL = 50, "CRITICAL"

    @classmethod
    def parse(cls, value: object) -> "QC":
        """A member from its name (any case) or number.

        Raises ValueError naming the allowed names.
        """
        if isinstance(value, str) and value.strip().upper() in cls.__members__:
            return cls[value.strip().upper()]
        try:
            return cls(int(str(value)))
        except ValueError:
            raise ValueError(f"{value!r} is not a QC value; use one of {', '.join(cls.__members__)}") from None

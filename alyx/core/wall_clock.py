"""A column for the wall clock of a lab: naive, as the rig sent it. The zone and the instant stand beside it."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django import forms
from django.db import models
from django.utils import timezone

if TYPE_CHECKING:
    DateTimeField = models.DateTimeField[Any, Any]
else:
    DateTimeField = models.DateTimeField


class WallClockFormField(forms.DateTimeField):
    """A form field whose values stay naive."""

    def prepare_value(self, value: Any) -> Any:
        """Show the wall clock as it is."""
        return value

    def to_python(self, value: Any) -> datetime | None:
        """Parse without shifting."""
        parsed = super().to_python(value)
        return timezone.make_naive(parsed) if parsed is not None and timezone.is_aware(parsed) else parsed


class WallClockInput(forms.DateTimeInput):
    """The browser's own box for a date and a time, to the second."""

    input_type = "datetime-local"
    supports_microseconds = False

    def __init__(self) -> None:
        super().__init__(attrs={"step": "1"}, format="%Y-%m-%dT%H:%M:%S")


class WallClockField(DateTimeField):
    """`timestamp without time zone`; Python sees naive datetimes with microseconds."""

    description = "Wall clock of a lab"

    def db_type(self, connection: Any) -> str:
        """The column's type."""
        return "timestamp without time zone"

    def get_prep_value(self, value: Any) -> Any:
        """Naive only; an aware value is a mistake of ours."""
        if isinstance(value, datetime) and value.tzinfo is not None:
            raise ValueError("a wall clock has no zone; derive it with alyx.core.clock.utc_to_wall")
        return value

    def formfield(self, **kwargs: Any) -> Any:
        """A field that does not shift."""
        return super().formfield(**{"form_class": WallClockFormField, **kwargs})

"""When the timetable was last heard."""

from django.db import models

from alyx.core.clock import AlyxNow


class Pulse(models.Model):
    """One row for each thing that is to happen again and again: `tick`, `morning`. Not audited: it is a clock hand."""

    name = models.CharField(max_length=16, primary_key=True)
    at = models.DateTimeField(db_default=AlyxNow())

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return f"{self.name} {self.at:%Y-%m-%d %H:%M:%S}"

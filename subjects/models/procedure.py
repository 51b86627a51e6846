"""What is done to an animal."""

from django.db import models

from alyx.core.audit import audited
from alyx.core.json_column import JSONColumn
from alyx.core.records import Record


@audited()
class ProcedureType(Record):
    """A kind of procedure, from the controlled vocabulary."""

    name = models.CharField(max_length=255, unique=True)
    description = models.TextField(blank=True)
    json = JSONColumn(null=True, blank=True)

    class Meta(Record.Meta):
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

"""The brain: regions of the Allen CCF as a tree, and the coordinate systems that positions are given in."""

from django.db import models

from alyx.core.audit import audited
from alyx.core.json_column import JSONColumn
from alyx.core.records import Record


@audited()
class BrainRegion(Record):
    """A region of the structure tree. `first` and `last` number the tree in depth-first order: all below lie between them."""

    id = models.BigIntegerField(primary_key=True)  # type: ignore[assignment]
    acronym = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=255)
    description = models.TextField(null=True, blank=True)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    ontology = models.CharField(max_length=64, blank=True, default="")
    first = models.PositiveIntegerField(default=0, editable=False)
    last = models.PositiveIntegerField(default=0, editable=False)

    class Meta(Record.Meta):
        ordering = ["first", "id"]
        indexes = [models.Index(fields=["first", "last"], name="region_in_tree_order")]

    def __str__(self) -> str:
        return self.acronym


@audited()
class CoordinateSystem(Record):
    """What positions are relative to."""

    name = models.CharField(max_length=255, unique=True)
    description = models.TextField(blank=True, default="")
    json = JSONColumn(null=True, blank=True)

    class Meta(Record.Meta):
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

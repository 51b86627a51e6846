"""REST for brain regions: read, and described."""

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers

from alyx.core.errors import NotFound
from alyx.core.rest.views import ChangeableEndpoint, Endpoint, ListEndpoint
from sessions.api.filters import REGION_FILTERS
from sessions.api.query_fields import BRAIN_REGIONS
from sessions.models import BrainRegion
from sessions.queries.atlas import region_records
from sessions.services.atlas import describe_region


class BrainRegionRecord(serializers.Serializer[Any]):
    """A region of the brain. Only the description is ours to change."""

    id = serializers.IntegerField(read_only=True)
    acronym = serializers.CharField(read_only=True)
    name = serializers.CharField(read_only=True)
    description = serializers.CharField(required=False, allow_null=True, allow_blank=True, trim_whitespace=False)
    parent = serializers.IntegerField(read_only=True, allow_null=True)  # type: ignore[assignment]
    related_descriptions = serializers.ListField(child=serializers.DictField(), read_only=True)

    class Meta:
        ref_name = "BrainRegion"


class _Regions(Endpoint):
    serializer_class = BrainRegionRecord
    queryset = BrainRegion.objects.order_by("first", "id")

    def records(self, rows: Sequence[Any]) -> list[Any]:
        """Regions."""
        return region_records(rows)


class BrainRegionList(_Regions, ListEndpoint):
    """`/brain-regions`."""

    query_fields = BRAIN_REGIONS
    filters = REGION_FILTERS


class BrainRegionDetail(_Regions, ChangeableEndpoint):
    """`/brain-regions/{id}`."""

    lookup_field = "id"

    def found(self) -> BrainRegion:
        """The region in the path, by its number."""
        word = self.kwargs["id"]
        key = int(word) if word.lstrip("-").isdecimal() and len(word) < 20 else None
        found = self.get_queryset().filter(pk=key).first() if key is not None else None
        if found is None:
            raise NotFound(f"there is no brain region {word[:80]!r}")
        region: BrainRegion = found
        return region

    def record(self, row: Any) -> dict[str, Any]:
        """A region."""
        return region_records([row])[0]

    def sent(self, *, partial: bool) -> dict[str, Any]:
        """The description checked; the rest as sent, to be refused when it differs."""
        fixed: dict[str, Any] = {
            name: self.body()[name] for name in ("id", "acronym", "name", "parent") if name in self.body()
        }
        return {**fixed, **super().sent(partial=partial)}

    def change(self, row: Any, sent: dict[str, Any]) -> BrainRegion:
        """Apply what was sent."""
        return describe_region(actor=self.actor, region=row, changes=sent)

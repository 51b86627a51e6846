"""Fields of request bodies beyond those of REST framework."""

import math
import uuid
from datetime import datetime
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from alyx.core.qc import QC


class TextField(serializers.CharField):
    """Text, empty allowed; null means empty; numbers become text. Not trimmed."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"allow_blank": True, "trim_whitespace": False, "max_length": 255, **kwargs})

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Null is the empty text, unless null is a value of its own here."""
        return super().run_validation("" if data is None and not self.allow_null else data)


class _TextIsNullable(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """The document says of every TextField that it may be null: it may be sent so, and some are answered so."""

    target_class = TextField
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        """As without this, and nullable."""
        plain = auto_schema._map_serializer_field(self.target, direction, bypass_extensions=True)  # noqa: SLF001
        return {**plain, "nullable": True}


class NamesField(serializers.ListField):
    """A list of names. One name alone is a list of one; null is none; null items are left out (the client had none)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=serializers.CharField(max_length=255), **kwargs)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Unfold what clients send, then check each name."""
        if data is None:
            data = []
        elif isinstance(data, str):
            data = [data]
        elif isinstance(data, list):
            data = [item for item in data if item is not None and item != ""]
        return super().run_validation(data)


@extend_schema_field(OpenApiTypes.DATETIME)
class MomentField(serializers.Field[datetime, Any, str, Any]):
    """An ISO 8601 time: naive (the lab's wall clock), with an offset, or with Z. A date alone is its midnight."""

    def to_internal_value(self, data: Any) -> datetime:
        """Naive or aware, as sent. Raises ValidationError."""
        try:
            moment = datetime.fromisoformat(str(data).strip())
            moment.astimezone  # noqa: B018
        except ValueError:
            raise serializers.ValidationError(f"{str(data)[:80]!r} is not a time such as 2024-03-01T10:00:00") from None
        if not 1000 <= moment.year <= 9998:
            raise serializers.ValidationError(f"the year {moment.year} cannot be stored")
        return moment

    def to_representation(self, value: datetime) -> str:
        """Not used: records are written by hand."""
        return value.isoformat()


@extend_schema_field(OpenApiTypes.STR)
class QCField(serializers.Field[QC, Any, str, Any]):
    """A QC name (or its number)."""

    def to_internal_value(self, data: Any) -> QC:
        """Raises ValidationError naming the allowed names."""
        if data is None:
            return QC.NOT_SET
        try:
            return QC.parse(data)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from None

    def to_representation(self, value: QC) -> str:
        """Its name."""
        return QC(value).name


@extend_schema_field(OpenApiTypes.STR)
class KeyField(serializers.Field[uuid.UUID, Any, str, Any]):
    """The UUID of another record, alone or at the end of its URL."""

    def to_internal_value(self, data: Any) -> uuid.UUID:
        """Raises ValidationError."""
        try:
            return uuid.UUID(str(data).rstrip("/")[-36:])
        except ValueError:
            raise serializers.ValidationError(
                f"{str(data)[:80]!r} is neither a UUID nor a URL that ends in one"
            ) from None

    def to_representation(self, value: uuid.UUID) -> str:
        """Not used: records are written by hand."""
        return str(value)


class NumberField(serializers.FloatField):
    """A finite number."""

    def to_internal_value(self, data: Any) -> float:
        """Raises ValidationError for NaN and infinities, which JSON and our answers cannot hold."""
        value = super().to_internal_value(data)
        if not math.isfinite(value):
            raise serializers.ValidationError("NaN and infinity cannot be stored")
        return value


@extend_schema_field(OpenApiTypes.ANY)
class JsonField(serializers.JSONField):
    """Any JSON; replaced as a whole."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"allow_null": True, **kwargs})

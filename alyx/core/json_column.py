"""A JSON column that gives back exactly what was stored: key order, 1.0 beside 1, 1e5 as a float.

PostgreSQL's `jsonb` keeps none of these, and its `json` type cannot be compared, which the audit triggers need. So the
text itself is stored. To search inside it, annotate `as_jsonb("json")` and filter on that.
"""

import json
import math
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Cast
from django.forms import JSONField as JSONFormField

MAX_DEPTH = 64

if TYPE_CHECKING:
    TextField = models.TextField[Any, Any]
else:
    TextField = models.TextField


def check_json(value: object, depth: int = 0) -> None:
    """Refuse what JSON in PostgreSQL cannot hold: NaN, infinities, NUL, lone surrogates, absurd depth.

    Raises ValueError with a sentence.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"JSON nested more than {MAX_DEPTH} deep cannot be stored")
    if isinstance(value, str):
        check_text(value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("NaN and infinity cannot be stored; send null")
    elif isinstance(value, dict):
        for key, item in value.items():
            check_text(str(key))
            check_json(item, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            check_json(item, depth + 1)


def check_text(text: str) -> None:
    """Refuse text that PostgreSQL cannot hold. Raises ValueError with a sentence."""
    if "\x00" in text:
        raise ValueError("text with a NUL character cannot be stored")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("text with a lone surrogate cannot be stored") from None


class JSONColumn(TextField):
    """JSON kept verbatim as text; Python sees the decoded value, null is None."""

    description = "JSON kept verbatim"

    def from_db_value(self, value: str | None, expression: object, connection: object) -> Any:
        """Decode what the database holds."""
        return None if value is None else json.loads(value)

    def to_python(self, value: Any) -> Any:
        """Python values pass as they are."""
        return value

    def get_prep_value(self, value: Any) -> Any:
        """Encode for the database. Raises ValueError for what cannot be stored."""
        if value is None or hasattr(value, "as_sql"):
            return value
        check_json(value)
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))

    def validate(self, value: Any, model_instance: models.Model | None) -> None:
        """Forms and `full_clean` ask here first."""
        try:
            check_json(value)
        except ValueError as error:
            raise ValidationError(str(error)) from None

    def value_to_string(self, obj: models.Model) -> Any:
        """For serializers (fixtures)."""
        return self.value_from_object(obj)

    def formfield(self, **kwargs: Any) -> Any:
        """A text area that checks its JSON."""
        return models.Field.formfield(
            self, form_class=JSONFormField, required=False, **{k: v for k, v in kwargs.items() if k != "form_class"}
        )


def as_jsonb(name: str) -> Cast:
    """An expression to annotate, so that `name` can be searched by JSON path."""
    return Cast(name, models.JSONField())

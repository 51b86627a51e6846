"""What is stored in a JSON column comes back exactly as it was sent, or is refused with a sentence."""

import json
import math
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from alyx.core.json_column import MAX_DEPTH, as_jsonb, check_json
from alyx.labs.models import Lab
from tests.factories import a_lab
from tests.ground.tables import sql

TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def stored(value: Any) -> Any:
    lab = a_lab(json=value)
    return Lab.objects.get(pk=lab.pk).json


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text",
    [
        '{"b":1,"a":2}',
        "[1.0,1,1e5,100000.0]".replace("1e5", "100000.0"),
        '{"µ":"héllo 🐭","":null}',
        '{"big":123456789012345678901234567890}',
        "[true,false,null]",
        '"plain text"',
    ],
)
def test_order_numbers_and_letters_come_back_as_sent(text: str) -> None:
    assert json.dumps(stored(json.loads(text)), ensure_ascii=False, separators=(",", ":")) == text


@pytest.mark.django_db
def test_a_float_stays_a_float_and_an_integer_an_integer() -> None:
    assert [type(number) for number in stored([1.0, 1, 1e5, -0.0])] == [float, int, float, float]


@given(JSON)
def test_whatever_can_be_stored_decodes_to_the_same(value: Any) -> None:
    field: Any = Lab._meta.get_field("json")
    text = field.get_prep_value(value)
    assert value is None or json.dumps(field.from_db_value(text, None, None)) == json.dumps(value)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (math.nan, "NaN"),
        ({"deep": [math.inf]}, "NaN and infinity"),
        ("a\x00b", "NUL"),
        ({"a\x00": 1}, "NUL"),
        (["\ud800"], "surrogate"),
        ({"\udfff": 1}, "surrogate"),
        (nested(MAX_DEPTH + 1), "nested"),
    ],
)
def test_what_cannot_be_stored_is_refused_with_a_sentence(value: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        a_lab(json=value)
    with pytest.raises(ValidationError, match=sentence):
        Lab(name="x", json=value).clean_fields()


def test_depth_is_bounded_before_the_interpreter_is() -> None:
    check_json(nested(MAX_DEPTH))
    with pytest.raises(ValueError, match="nested"):
        check_json(nested(MAX_DEPTH + 500))


@pytest.mark.django_db
def test_null_is_sql_null_and_json_can_be_searched() -> None:
    none, some = a_lab(json=None), a_lab(json={"rig": {"name": "A"}})
    assert sql("SELECT json IS NULL FROM labs_lab WHERE id = %s", none.pk) == [(True,)]
    found = Lab.objects.annotate(tree=as_jsonb("json")).filter(tree__rig__name="A")
    assert list(found) == [some]


@pytest.mark.django_db
def test_a_form_shows_and_reads_json() -> None:
    field: Any = Lab._meta.get_field("json").formfield()
    assert field.clean('{"b": 1.0, "a": 2}') == {"b": 1.0, "a": 2}
    with pytest.raises(ValidationError):
        field.clean("{not json")

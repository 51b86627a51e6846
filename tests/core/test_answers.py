"""How answers and errors read on the wire."""

import json
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import DataError, OperationalError
from rest_framework.exceptions import ValidationError

from alyx.core.errors import Conflict, Invalid
from alyx.core.rest.errors import exception_handler
from alyx.core.rest.rendering import encode_json


def test_times_are_naive_with_their_microseconds() -> None:
    value = {
        "wall": datetime(2024, 3, 1, 10, 0, 0, 1),
        "round": datetime(2024, 3, 1, 10),
        "instant": datetime(2024, 3, 1, 10, tzinfo=UTC),
        "day": date(2024, 3, 1),
    }
    assert json.loads(encode_json(value)) == {
        "wall": "2024-03-01T10:00:00.000001",
        "round": "2024-03-01T10:00:00",
        "instant": "2024-03-01T10:00:00",
        "day": "2024-03-01",
    }


def test_numbers_beyond_64_bits_and_keys_survive() -> None:
    assert json.loads(encode_json({"n": 2**70, "id": UUID(int=1), "at": datetime(2024, 3, 1)}))["n"] == 2**70


@pytest.mark.parametrize(
    ("error", "status", "fields"),
    [
        (Invalid.of("number", "too large"), 400, {"number": ["too large"]}),
        (Conflict("somebody was faster"), 409, {}),
        (ValidationError({"users": {"0": ["Not a valid string."]}}), 400, {"users": ["0: Not a valid string."]}),
        (ValidationError(["wrong"]), 400, {"non_field_errors": ["wrong"]}),
        (DataError("out of range"), 400, {}),
        (OperationalError("gone"), 503, {}),
    ],
)
def test_errors_have_a_detail_a_status_and_fields_as_lists(
    error: Exception, status: int, fields: dict[str, Any]
) -> None:
    answer = exception_handler(error, {})
    assert answer is not None
    assert answer.status_code == status
    assert answer.data["status_code"] == status
    assert answer.data["detail"]
    assert answer.data["errors"] == fields
    assert {name: answer.data[name] for name in fields} == fields


def test_a_mistake_of_ours_is_left_to_the_500() -> None:
    assert exception_handler(KeyError("x"), {}) is None

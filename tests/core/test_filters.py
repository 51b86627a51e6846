"""Reading the values of query parameters."""

from datetime import date

import pytest

from alyx.core.rest.filters import as_day, as_uuid, whole_number


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-03-01", date(2024, 3, 1)),
        ("2024-03-01T10:00:00", date(2024, 3, 1)),
        ("1677-09-22", date(1677, 9, 22)),
        ("0001-01-01", date.min),
        ("0000-01-01", date.min),
        ("-9999-01-01", date.min),
        ("99999-12-31", date.max),
    ],
)
def test_dates_beyond_the_calendar_are_its_ends(text: str, day: date) -> None:
    assert as_day(text) == day


@pytest.mark.parametrize("text", ["", "soon", "2024-13-01", "2024-02-30", "12-2024-01", "2024"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a date"):
        as_day(text)


def test_a_key_may_stand_at_the_end_of_a_url() -> None:
    key = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
    assert str(as_uuid(f"http://x/sessions/{key}")) == key
    with pytest.raises(ValueError, match="not a UUID"):
        as_uuid("x" * 36)


def test_numbers_may_have_leading_zeros() -> None:
    assert whole_number("001") == 1
    with pytest.raises(ValueError, match="whole number"):
        whole_number("1.5")

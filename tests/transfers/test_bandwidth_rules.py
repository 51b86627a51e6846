"""What is written about bandwidth is understood, holds by the wall clock of its place on every day of the year, and is never
exceeded by more than one burst."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.rules.bandwidth import DAY, Hours, Stretch, all_open_at, in_one_go, parse, passes, said, spans, written
from transfers.rules.pacing import ALLOWANCE_S, LEAST_PIECE, MOMENT_S, Bucket, piece_at, share_of

MB = 1_000_000
PARIS, NEW_YORK = ZoneInfo("Europe/Paris"), ZoneInfo("America/New_York")
ODD_ZONES = ["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca", "UTC"]


# --- what people write ---------------------------------------------------------------------------------------------------


def test_a_setting_has_one_spelling_for_one_meaning() -> None:
    text = "18:00–24:00  closed\r\n  8:00 to 18:00 20mb/s ;00:00-08:00 Unlimited"
    assert written(parse(text)) == "00:00-08:00 no limit\n08:00-18:00 20 MB/s\n18:00-24:00 nothing"
    assert parse("") == ()
    assert [said(limit) for limit in (None, 0, 1500, 20 * MB, 1_250_000_000, 1_000_001_000)] == [
        "no limit",
        "nothing",
        "1.5 kB/s",
        "20 MB/s",
        "1.25 GB/s",
        "1000.001 MB/s",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("by day slowly", "line 1 ('by day slowly') is not understood: write 08:00-18:00 20 MB/s"),
        ("08:00-18:00 20 MB/s\n25:00-06:00 nothing", "line 2: 25:00 is no time of day"),
        ("08:61-18:00 nothing", "line 1: 08:61 is no time of day"),
        ("08:00-18:00 20", "line 1: '20' is no limit: write such as 20 MB/s"),
        ("08:00-18:00 -3 MB/s", "line 1: '-3 MB/s' is no limit"),
        ("08:00-18:00 0.5 kB/s", "less than 1 kB/s: write nothing"),
        ("08:00-18:00 20 MB/s\n17:00-20:00 nothing", "lines 1 and 2 both say what holds at 17:00"),
        ("22:00-06:00 nothing\n05:30-07:00 1 MB/s", "lines 1 and 2 both say what holds at 05:30"),
        ("08:00-08:00 nothing", "at no hour of the day anything could be moved"),
        ("00:00-12:00 nothing\n12:00-24:00 0", "at no hour of the day anything could be moved"),
        ("\n".join(f"{hour:02d}:{minute:02d}-{hour:02d}:{minute + 1:02d} 1 MB/s" for hour in range(13) for minute in (0, 5)),
         "26 lines are too many"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_named_with_the_fix(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        parse(text)
    assert says in str(refused.value)


@given(text=st.text(max_size=60) | st.from_regex(r"\d{1,2}:\d{2}-\d{1,2}:\d{2} \d{1,9} [kMG]B/s", fullmatch=True))
def test_whatever_is_written_is_understood_or_refused_with_a_sentence(text: str) -> None:
    try:
        found = parse(text)
    except ValueError as refused:
        found, sentence = (), str(refused)
        assert "line" in sentence or "hour" in sentence
    assert parse(written(found)) == found


# --- hours ---------------------------------------------------------------------------------------------------------------

CLOSED_BY_DAY = Hours(parse("08:00-18:00 nothing"), PARIS)
AT_NIGHT = Hours(parse("22:00-02:30 2 MB/s"), PARIS)


def test_a_stretch_crosses_midnight_and_holds_by_the_clock_of_its_place() -> None:
    assert CLOSED_BY_DAY.limit_at(datetime(2026, 7, 1, 5, 59, tzinfo=UTC)) is None
    assert CLOSED_BY_DAY.limit_at(datetime(2026, 7, 1, 6, 0, tzinfo=UTC)) == 0
    assert CLOSED_BY_DAY.opens_at(datetime(2026, 7, 1, 9, tzinfo=UTC)) == datetime(2026, 7, 1, 16, tzinfo=UTC)
    assert CLOSED_BY_DAY.opens_at(datetime(2026, 1, 1, 9, tzinfo=UTC)) == datetime(2026, 1, 1, 17, tzinfo=UTC)
    midnight = datetime(2026, 7, 1, 0, 0, tzinfo=PARIS)
    assert AT_NIGHT.limit_at(midnight) == 2 * MB
    assert AT_NIGHT.limit_at(midnight + timedelta(hours=2, minutes=30)) is None


def test_an_hour_that_comes_twice_has_its_limit_twice_and_a_missing_one_never() -> None:
    autumn = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)  # 02:00 in Paris, for the first time
    limits = [AT_NIGHT.limit_at(autumn + timedelta(minutes=30 * n)) for n in range(4)]
    assert limits == [2 * MB, None, 2 * MB, None], "02:00, 02:30, 02:00 again, 02:30 again"
    assert AT_NIGHT.next_change(autumn + timedelta(minutes=45)) == autumn + timedelta(hours=1)
    assert AT_NIGHT.next_change(autumn + timedelta(minutes=75)) == autumn + timedelta(minutes=90)
    before = datetime(2026, 3, 29, 0, 59, tzinfo=UTC)  # 01:59 in Paris; the next minute is 03:00
    assert AT_NIGHT.limit_at(before) == 2 * MB
    assert AT_NIGHT.next_change(before) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)


stretches = st.tuples(st.integers(0, DAY - 1), st.integers(0, DAY), st.sampled_from([None, 0, MB])).map(
    lambda told: (Stretch(*told),)
)


@settings(max_examples=40)
@given(
    found=stretches,
    zone=st.sampled_from(ODD_ZONES),
    at=st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
    near=st.sampled_from(
        [None, datetime(2026, 3, 29, 0, 30), datetime(2026, 10, 25, 0, 10), datetime(2026, 4, 4, 14, 5)]
    ),
)
def test_the_next_change_is_the_first_minute_at_which_another_limit_holds(
    found: tuple[Stretch, ...], zone: str, at: datetime, near: datetime | None
) -> None:
    hours = Hours(found, ZoneInfo(zone))
    now = (near or at).replace(second=0, microsecond=0, tzinfo=UTC)
    walked = (now + timedelta(minutes=n) for n in range(1, DAY + 61))
    first = next((one for one in walked if hours.limit_at(one) != hours.limit_at(now)), None)
    change = hours.next_change(now)
    assert change == first if first is not None else change is None or change > now + timedelta(minutes=DAY)
    assert change is None or hours.limit_at(change) != hours.limit_at(now)


def test_two_places_wait_for_an_hour_that_both_have_or_are_said_to_have_none() -> None:
    morning = datetime(2026, 7, 1, 8, tzinfo=UTC)  # 10:00 in Paris, 04:00 in New York
    other = Hours(parse("10:00-20:00 nothing"), NEW_YORK)
    assert all_open_at([CLOSED_BY_DAY, other], morning) == datetime(2026, 7, 2, 0, tzinfo=UTC)
    never = [Hours(parse("08:00-18:00 nothing"), PARIS), Hours(parse("18:00-08:00 nothing"), PARIS)]
    assert all_open_at(never, morning) is None


def test_what_a_night_lets_pass_counts_the_hours_of_a_long_and_a_short_night() -> None:
    hours = Hours(parse("00:00-06:00 1 MB/s\n06:00-24:00 nothing"), PARIS)

    def night(month: int, day: int) -> int | None:
        start = datetime(2026, month, day, 0, tzinfo=PARIS).astimezone(UTC)
        return passes(spans([hours], start, datetime(2026, month, day, 8, tzinfo=PARIS).astimezone(UTC)))

    assert (night(7, 1), night(3, 29), night(10, 25)) == (6 * 3600 * MB, 5 * 3600 * MB, 7 * 3600 * MB)
    open_later = Hours(parse("00:00-06:00 1 MB/s"), PARIS)
    start = datetime(2026, 7, 1, 2, tzinfo=PARIS)
    assert passes(spans([open_later], start, start + timedelta(hours=5))) is None
    assert passes(spans([open_later, hours], start, start + timedelta(hours=5))) == 4 * 3600 * MB


def test_what_passes_between_two_closures_is_the_longest_run_of_open_hours() -> None:
    now = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert in_one_go(Hours(parse("08:00-18:00 nothing\n18:00-08:00 1 MB/s"), PARIS), now) == 14 * 3600 * MB
    assert in_one_go(Hours(parse("08:00-18:00 nothing\n18:00-20:00 1 MB/s"), PARIS), now) is None, (
        "the rest has no limit"
    )
    assert in_one_go(Hours(parse("08:00-18:00 1 MB/s"), PARIS), now) is None


# --- pacing --------------------------------------------------------------------------------------------------------------


@given(
    rate=st.floats(1_000, 1e9),
    sizes=st.lists(st.integers(1, 16 << 20), min_size=1, max_size=60),
    idles=st.lists(st.floats(0, 20), min_size=60, max_size=60),
    patience=st.floats(0.3, 1),
)
def test_in_no_interval_more_passes_than_the_limit_and_one_burst(
    rate: float, sizes: list[int], idles: list[float], patience: float
) -> None:
    bucket, now, log = Bucket(rate), 0.0, list[tuple[float, int]]()
    for size, idle in zip(sizes, idles, strict=False):
        now += idle
        while wait := bucket.take(size, now):
            now += max(MOMENT_S, wait * patience)  # some ask too early
        log.append((now, size))
    for first in range(len(log)):
        passed = 0
        for at, size in log[first:]:
            passed += size
            allowed = rate * (at - log[first][0] + ALLOWANCE_S) + size
            assert passed <= allowed * (1 + 1e-9) + 1


def test_another_limit_holds_for_what_waits_already() -> None:
    bucket = Bucket(1_000.0)
    assert bucket.take(1_000_000, 0.0) == 0
    assert bucket.take(1, 0.0) == pytest.approx(1_000 - ALLOWANCE_S)
    bucket.change(1_000_000.0, 1.0)
    assert bucket.take(1, 1.0) < 1
    bucket.change(None, 1.0)
    assert bucket.take(1 << 40, 1.0) == 0
    bucket.change(0, 1.0)
    assert bucket.take(1, 1e9) > 0


def test_jobs_share_a_limit_and_pieces_follow_it() -> None:
    assert share_of(None, 5) is None
    assert share_of(9 * MB, 3) == 3 * MB
    assert piece_at(None, 64 << 20) == 64 << 20
    assert piece_at(2 * MB, 64 << 20) == MB
    assert piece_at(1_000, 64 << 20) == LEAST_PIECE

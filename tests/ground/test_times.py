"""One clock, the database's; wall clocks stay as they were sent."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from alyx.core import clock
from alyx.core.wall_clock import WallClockField, WallClockFormField
from alyx.labs.models import Lab, User
from sessions.models import Session
from subjects.models import Source, Subject
from tests.factories import a_lab, a_session, a_subject, a_user
from tests.ground.tables import sql

LONDON, BERLIN = "Europe/London", "Europe/Berlin"
IN_THE_GAP = datetime(2026, 3, 29, 1, 30, 0, 123456)
"""London's clocks jump from 01:00 to 02:00 that night."""


@pytest.mark.django_db
def test_updated_at_is_true_for_sql() -> None:
    subject = a_subject()
    sql("UPDATE subjects_subject SET created_at = '2020-01-01', updated_at = '2020-01-01' WHERE id = %s", subject.pk)
    subject.refresh_from_db()
    assert (subject.created_at.year, subject.updated_at > datetime(2026, 1, 1, tzinfo=UTC)) == (2020, True)


@pytest.mark.django_db
def test_updated_at_is_true_for_bulk_updates_and_stays_when_nothing_changes() -> None:
    subject = a_subject()
    before = subject.updated_at
    Subject.objects.filter(pk=subject.pk).update(nickname=subject.nickname)
    assert Subject.objects.get(pk=subject.pk).updated_at == before
    Subject.objects.filter(pk=subject.pk).update(description="grey")
    assert Subject.objects.get(pk=subject.pk).updated_at > before


@pytest.mark.django_db
def test_a_row_is_dated_by_the_database_however_it_is_made() -> None:
    Source.objects.bulk_create([Source(name="bulk")])
    sql("INSERT INTO subjects_source (id, name, description) VALUES (gen_random_uuid(), 'sql', '')")
    now = clock.now()
    for source in Source.objects.filter(name__in=["bulk", "sql"]):
        assert now - timedelta(minutes=1) < source.created_at <= now


@pytest.mark.django_db
@pytest.mark.parametrize("wall", [IN_THE_GAP, datetime(2026, 10, 25, 1, 30), datetime(2026, 7, 1, 23, 59, 59, 999999)])
def test_a_wall_clock_comes_back_as_sent_even_in_the_spring_gap(wall: datetime) -> None:
    session = a_session(a_subject(a_lab(timezone=LONDON)), start=wall)
    session.refresh_from_db()
    assert session.started_wall == wall
    assert session.started_wall.tzinfo is None
    assert list(Session.objects.filter(started_wall=wall)) == [session]
    for zone in ("America/New_York", "Asia/Tokyo"):  # whatever zone the connection is in
        sql(f"SET LOCAL TIME ZONE '{zone}'")
        assert Session.objects.get(pk=session.pk).started_wall == wall
    sql("SET LOCAL TIME ZONE 'UTC'")


@pytest.mark.django_db
def test_the_column_has_no_zone() -> None:
    kinds = sql(
        "SELECT data_type FROM information_schema.columns "
        "WHERE table_name = 'lab_sessions_session' AND column_name IN ('started_wall', 'ended_wall')"
    )
    assert {kind for (kind,) in kinds} == {"timestamp without time zone"}


def test_a_wall_clock_with_a_zone_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no zone"):
        WallClockField().get_prep_value(datetime(2026, 1, 1, tzinfo=UTC))


def test_a_form_does_not_shift_a_wall_clock() -> None:
    field = WallClockField().formfield()
    assert isinstance(field, WallClockFormField)
    cleaned = field.clean("2026-03-29 01:30:00")
    assert cleaned == datetime(2026, 3, 29, 1, 30)
    assert field.prepare_value(IN_THE_GAP) is IN_THE_GAP


def test_an_instant_in_the_gap_is_read_with_the_offset_before_it() -> None:
    assert clock.wall_to_utc(IN_THE_GAP, LONDON) == IN_THE_GAP.replace(tzinfo=UTC)


def test_of_two_occurrences_the_first_is_meant() -> None:
    assert clock.wall_to_utc(datetime(2026, 10, 25, 1, 30), LONDON) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1)),
    st.sampled_from([LONDON, BERLIN, "Asia/Kolkata", "America/New_York"]),
)
def test_an_instant_has_one_wall_clock_and_comes_back(instant: datetime, zone: str) -> None:
    at = instant.replace(tzinfo=UTC)
    wall = clock.utc_to_wall(at, zone)
    assert clock.wall_to_utc(wall, zone) in {
        at,
        at - timedelta(hours=1),
    }  # the second of two occurrences reads as the first


@pytest.mark.django_db(transaction=True)
def test_the_clock_is_moved_for_every_process_and_every_row() -> None:
    month = timedelta(days=30)
    try:
        clock.set_offset(month)
        real = datetime.now(UTC)  # noqa: TID251 (compared with the real time)
        assert abs(clock.now() - real - month) < timedelta(minutes=1)
        assert abs(a_lab().created_at - real - month) < timedelta(minutes=1)
        assert abs(_another_process() - real - month) < timedelta(minutes=1)
    finally:
        clock.set_offset(timedelta())
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)  # noqa: TID251


def _another_process() -> datetime:
    settings: dict[str, Any] = connection.get_connection_params()
    wanted = {name: settings[name] for name in ("dbname", "user", "host", "port", "password") if settings.get(name)}
    code = "import psycopg, sys; print(psycopg.connect(sys.argv[1]).execute('SELECT alyx_now()').fetchone()[0].timestamp())"
    dsn = psycopg.conninfo.make_conninfo(**wanted)
    done = subprocess.run([sys.executable, "-c", code, dsn], capture_output=True, text=True, check=True)
    return datetime.fromtimestamp(float(done.stdout), UTC)


@pytest.mark.django_db
def test_there_is_one_clock_row() -> None:
    assert sql("SELECT count(*) FROM alyx_clock") == [(1,)]
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.connection.execute("INSERT INTO alyx_clock DEFAULT VALUES")


@pytest.mark.django_db
def test_people_and_labs_keep_the_database_time_too() -> None:
    lab = a_lab()
    assert Lab.objects.get(pk=lab.pk).updated_at == lab.created_at
    assert User.objects.filter(pk=a_user().pk, date_joined__isnull=False).exists()

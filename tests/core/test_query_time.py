"""A search that no index serves is given up in time, and says how to ask for less; writing is not cut."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction

from sessions.models import Session
from tests.factories.people import a_superuser
from tests.factories.records import MORNING, a_session, a_subject
from tests.factories.rest import Rest

pytestmark = pytest.mark.django_db

TABLE = Session._meta.db_table
LONG, MANY = 3_000_000, 200
"""Letters of a narrative, and how many have one: a search reads 600 MB, some seconds."""


@pytest.fixture
def rest(settings: Any) -> Rest:
    """A bound that only the search of these tests reaches."""
    settings.ALYX_QUERY_SECONDS = 0.3
    return Rest(a_superuser())


def in_force() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        return str(cursor.fetchone()[0])


def given_up(rest: Rest, **asked: Any) -> Any:
    """What a search says that must not come to its end; the test's own transaction goes on."""
    with transaction.atomic():
        answer = rest.get("sessions", **asked)
        transaction.set_rollback(True)
    assert answer.status_code == 400, answer.content
    return answer.json()


def test_a_search_through_everything_is_given_up_and_says_how_to_narrow_it(rest: Rest) -> None:
    animal = a_subject(nickname="talked-about")
    for number in range(MANY):
        a_session(animal, start=MORNING + timedelta(days=number))
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {TABLE} SET narrative = repeat('straw ', %s)", [LONG // 6])
    quiet = a_session(narrative="needle")
    said = given_up(rest, narrative="needle", limit=5)
    assert list(said["errors"]) == ["narrative"]
    assert "0.3 s" in said["detail"]
    assert "date_range" in said["detail"]
    assert said["narrow_by"][:2] == ["id", "subject"]
    assert list(given_up(rest, django="narrative__icontains,needle")["errors"]) == ["django"]
    found = rest.found("sessions", narrative="needle", id=quiet.pk)
    assert [row["id"] for row in found] == [str(quiet.pk)]


def test_a_slow_write_is_not_cut(rest: Rest) -> None:
    session: Session = a_session()
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION pg_temp.late() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_sleep(0.6); RETURN NEW; END';"
            f"CREATE TRIGGER late BEFORE UPDATE ON {TABLE} FOR EACH ROW EXECUTE FUNCTION pg_temp.late()"
        )
    assert rest.patch(f"sessions/{session.pk}", {"narrative": "kept"}).status_code == 200
    session.refresh_from_db()
    assert session.narrative == "kept"


def test_the_bound_ends_with_the_call(rest: Rest) -> None:
    before = in_force()
    assert rest.get("sessions").status_code == 200
    assert in_force() == before


def test_without_a_database_the_answer_is_a_503() -> None:
    answers: list[Any] = []

    def ask() -> None:
        mine = connections["default"]
        options = {name: value for name, value in mine.settings_dict["OPTIONS"].items() if name != "pool"}
        mine.settings_dict = {**mine.settings_dict, "PORT": "1", "OPTIONS": options}  # nobody listens there
        answers.append(Rest(key="0" * 64).get("sessions"))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(20)
    assert [answer.status_code for answer in answers] == [503], answers
    assert answers[0].json()["status_code"] == 503

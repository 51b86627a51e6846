"""Pages of sessions."""

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

from alyx.core.json_sql import plain, records, text, value, wire_time
from sessions.models import Session

_LIGHT = {
    "id": plain("s.id"),
    "subject": text("b.nickname"),
    "start_time": wire_time("s.started_wall"),
    "number": value("s.number"),
    "lab": text("l.name"),
    "projects": """(SELECT coalesce(json_agg(p.name ORDER BY p.name)::text, '[]') FROM lab_sessions_session_projects link
        JOIN labs_project p ON p.id = link.project_id WHERE link.session_id = s.id)""",
    "url": plain("%s::text", "'/sessions/'", "s.id"),
    "task_protocol": text("s.task_protocol"),
}
_RECORDS = f"SELECT {records(_LIGHT, 's.started_wall DESC, s.id')}, count(*)"
_NAMED = "s JOIN subjects_subject b ON b.id = s.subject_id JOIN labs_lab l ON l.id = s.lab_id"
_COLUMNS = ("id", "subject_id", "lab_id", "started_wall", "number", "task_protocol")


def newest_first(rows: QuerySet[Session]) -> QuerySet[Session]:
    """The order of the lists."""
    return rows.order_by("-started_wall", "id")


def light_page(rows: QuerySet[Session], base_url: str) -> tuple[str, int]:
    """The JSON array of the light records of a page, and how many they are; one statement."""
    try:
        page, parameters = rows.values(*_COLUMNS).query.sql_with_params()
    except EmptyResultSet:
        return "[]", 0
    with connection.cursor() as cursor:
        cursor.execute(f"{_RECORDS} FROM ({page}) {_NAMED}", (base_url, *parameters))
        made, length = cursor.fetchone()
    return str(made), int(length)

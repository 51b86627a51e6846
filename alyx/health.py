"""`GET /healthz`: 200 when the database answers and worker and beat were heard lately, else 503; it says which."""

from django.conf import settings
from django.db import Error, connection
from django.http import HttpRequest, HttpResponseNotAllowed, JsonResponse
from django.http.response import HttpResponseBase
from psycopg_pool import PoolTimeout

from alyx.runtime.heartbeat import Heartbeat


def healthz(request: HttpRequest) -> HttpResponseBase:
    """Open to everybody; tells nothing but well or not."""
    if request.method not in {"GET", "HEAD"}:
        return HttpResponseNotAllowed(["GET", "HEAD"])
    folder = settings.INSTANCE.path("heartbeat")
    well = {"database": _database_answers()} | {role: Heartbeat(role, folder).lives() for role in ("worker", "beat")}
    answer = JsonResponse(
        {part: "ok" if is_well else "not heard" for part, is_well in well.items()},
        status=200 if all(well.values()) else 503,
    )
    answer["Cache-Control"] = "no-store"
    vars(answer)["_has_been_logged"] = True  # Django would log an error for each 503 while we start
    return answer


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (Error, PoolTimeout):
        return False
    return True

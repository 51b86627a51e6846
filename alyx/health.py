"""`GET /healthz`: 200 when the database answers, worker and beat were heard lately, and what is to happen each minute and each
morning happened, else 503; it says which."""

import time
from datetime import timedelta

from django.conf import settings
from django.db import Error, connection
from django.http import HttpRequest, HttpResponseNotAllowed, JsonResponse
from django.http.response import HttpResponseBase
from psycopg_pool import PoolTimeout

from alyx.core import clock
from alyx.runtime.heartbeat import Heartbeat
from transfers.services.alarms import alarms

_STARTED = time.monotonic()


def healthz(request: HttpRequest) -> HttpResponseBase:
    """Open to everybody; tells nothing but well or not."""
    if request.method not in {"GET", "HEAD"}:
        return HttpResponseNotAllowed(["GET", "HEAD"])
    folder = settings.INSTANCE.path("heartbeat")
    well = {"database": _database_answers()} | {role: Heartbeat(role, folder).lives() for role in ("worker", "beat")}
    well |= _rounds_made() if well["database"] else {}
    answer = JsonResponse(
        {part: "ok" if is_well else "not heard" for part, is_well in well.items()},
        status=200 if all(well.values()) else 503,
    )
    answer["Cache-Control"] = "no-store"
    vars(answer)["_has_been_logged"] = True  # Django would log an error for each 503 while we start
    return answer


def _rounds_made() -> dict[str, bool]:
    """What of the tick, the mornings' round and the mails is overdue; a server that just started has some minutes' grace."""
    served = timedelta(seconds=time.monotonic() - _STARTED)
    try:
        overdue = {alarm.code for alarm in alarms(since=clock.now() - served)}
    except (Error, PoolTimeout):
        return {}  # a schema that is being made
    return dict.fromkeys(sorted(overdue), False)


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (Error, PoolTimeout):
        return False
    return True

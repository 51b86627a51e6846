"""The registry's jobs. The timetable only ticks; whether there is work is decided by rows."""

from typing import Any

from alyx.core.tasks import job
from datasets.exports.cache_tables import Scope, build, scopes


@job(name="datasets.tasks.refresh_cache_tables")
def refresh_cache_tables() -> None:
    """Make anew those cache tables that would say something else now. Another builder's are left to it."""
    for scope in scopes():
        build(scope, wait=False)


@job(name="datasets.tasks.build_cache_tables")
def build_cache_tables(of: dict[str, Any]) -> None:
    """Make the tables of a scope (`Scope.message`), which somebody waits for."""
    if (scope := Scope.from_message(of)) is not None:
        build(scope, wait=False)

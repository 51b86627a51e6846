"""Values as the wire has them."""

from datetime import datetime

from alyx.core.clock import server_zone


def server_time(at: datetime | None) -> str | None:
    """A time the server made: naive ISO 8601 in the server's zone."""
    return at.astimezone(server_zone()).replace(tzinfo=None).isoformat() if at else None

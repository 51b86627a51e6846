"""Sessions follow the correction of their lab's time zone."""

from alyx.core.clock import wall_to_utc
from alyx.labs.models import Lab
from alyx.labs.zones import follows_zone
from sessions.models import Session

BATCH = 1000


@follows_zone
def correct_instants(lab: Lab, was: str) -> None:
    """Derive the instants of the lab's sessions anew; wall clocks and path dates stay."""
    batch: list[Session] = []
    for session in Session.objects.filter(lab=lab).only("id", "started_wall", "ended_wall").order_by("pk"):
        session.zone = lab.timezone
        session.started_at = wall_to_utc(session.started_wall, lab.timezone)
        session.ended_at = wall_to_utc(session.ended_wall, lab.timezone) if session.ended_wall else None
        batch.append(session)
    Session.objects.bulk_update(batch, ["zone", "started_at", "ended_at"], batch_size=BATCH)

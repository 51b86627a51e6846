"""Watched rigs: how long each may be silent, and since when it is."""

from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString

from alyx.core import clock
from alyx.core.admin_shown import ago, badge
from alyx.core.status import Status
from alyx.labs.admin import LabPage
from alyx.labs.models import RigWatch
from alyx.labs.permissions import Right
from alyx.labs.rigs import since


@admin.register(RigWatch)
class RigWatchPage(LabPage):
    """Rigs that are expected to be heard of."""

    lab_path = "location.lab"
    right = Right.MANAGE
    list_display = ["location", "lab", "user", "seen", "silent_after_hours", "standing"]
    list_select_related = ["location__lab", "user"]
    list_filter = ["is_watched", "location__lab"]
    search_fields = ["location__name", "user__username"]
    autocomplete_fields = ["location", "user"]
    fields = ["location", "user", "silent_after_hours", "is_watched", "seen", "standing"]
    readonly_fields = ["seen", "standing"]
    labels = {
        "user": "Its account: each call that writes is a sign of life",
        "silent_after_hours": "Tell heads and data managers after this many hours of silence",
    }

    @admin.display(description="lab", ordering="location__lab__name")
    def lab(self, watch: RigWatch) -> str:
        """Whose rig it is."""
        return str(watch.location.lab or "–")

    @admin.display(description="last heard of", ordering="last_seen_at")
    def seen(self, watch: RigWatch) -> Any:
        """To the minute."""
        return ago(watch.last_seen_at)

    @admin.display(description="now")
    def standing(self, watch: RigWatch) -> str | SafeString:
        """Whether somebody has been told."""
        if watch.created_at is None or not watch.is_watched:
            return "not watched"
        if watch.alarmed_at is not None and watch.alarmed_at >= since(watch):
            return badge(
                Status.WARNING, f"silent, told {clock.utc_to_wall(watch.alarmed_at, 'UTC'):%Y-%m-%d %H:%M} UTC"
            )
        return badge(
            Status.FINE if watch.last_seen_at else Status.NEUTRAL, "heard of" if watch.last_seen_at else "not yet"
        )

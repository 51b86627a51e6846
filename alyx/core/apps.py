"""The ground everybody stands on."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """Ids, clock, errors, audit, notes, flags, doors."""

    name = "alyx.core"
    label = "core"
    verbose_name = "Review and notes"

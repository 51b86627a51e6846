"""The ground everybody stands on."""

from django.apps import AppConfig

from alyx.core import trigger_registry

trigger_registry.install()  # apps are known before any model is made


class CoreConfig(AppConfig):
    """Ids, clock, errors, audit, notes, flags, doors."""

    name = "alyx.core"
    label = "core"
    verbose_name = "Review and notes"

    def ready(self) -> None:
        """The journal's own kinds."""
        from alyx.core.journal import deciding  # noqa: PLC0415  (models are there only now)

        deciding.declare()

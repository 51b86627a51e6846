"""People, labs, memberships, locations, projects."""

from django.apps import AppConfig


class LabsConfig(AppConfig):
    """Everything above refers to these."""

    name = "alyx.labs"
    label = "labs"
    verbose_name = "People and labs"

    def ready(self) -> None:
        """Who reads what."""
        from alyx.labs import reading  # noqa: F401, PLC0415  (models are there only now)

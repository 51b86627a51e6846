"""The registry of files and copies."""

from django.apps import AppConfig


class DatasetsConfig(AppConfig):
    """What files exist, what they hash to, where copies are supposed to be."""

    name = "datasets"
    verbose_name = "Data registry"

    def ready(self) -> None:
        """Who reads what."""
        from datasets import reading  # noqa: F401, PLC0415  (models are there only now)

"""The registry of files and copies."""

from django.apps import AppConfig


class DatasetsConfig(AppConfig):
    """What files exist, what they hash to, where copies are supposed to be."""

    name = "datasets"
    verbose_name = "Data registry"

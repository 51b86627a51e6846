"""The animal."""

from django.apps import AppConfig


class SubjectsConfig(AppConfig):
    """Colony, genotype, housing, procedures, weight and water, death."""

    name = "subjects"
    verbose_name = "Animals"

"""The animal."""

from django.apps import AppConfig


class SubjectsConfig(AppConfig):
    """Colony, genotype, housing, procedures, weight and water, death."""

    name = "subjects"
    verbose_name = "Animals"

    def ready(self) -> None:
        """What happened to animals follows their lab's time zone; who reads what; what tablets' entries do."""
        from subjects import reading  # noqa: F401, PLC0415  (models are there only now)
        from subjects.bench import entries  # noqa: F401, PLC0415
        from subjects.services import zone  # noqa: F401, PLC0415

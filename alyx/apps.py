"""The house itself as an app: its templates and static files come first, its checks and its Celery app are known everywhere."""

from django.apps import AppConfig


class House(AppConfig):
    """Has no tables; `alyx.core` and `alyx.labs` are apps of their own."""

    name = "alyx"
    label = "house"
    verbose_name = "Settings"

    def ready(self) -> None:
        """Jobs sent by any process go to our broker."""
        import alyx.celery  # noqa: PLC0415  (models must be known first)
        import alyx.checks  # noqa: F401, PLC0415

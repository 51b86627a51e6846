"""What was recorded."""

from django.apps import AppConfig


class SessionsConfig(AppConfig):
    """Labelled so that it does not clash with django.contrib.sessions."""

    name = "sessions"
    label = "lab_sessions"
    verbose_name = "Recordings"

    def ready(self) -> None:
        """Sessions follow their lab's time zone; who reads what."""
        from sessions import reading  # noqa: F401, PLC0415  (models are there only now)
        from sessions.bench import entries  # noqa: F401, PLC0415
        from sessions.services import zone  # noqa: F401, PLC0415

"""What was recorded."""

from django.apps import AppConfig


class SessionsConfig(AppConfig):
    """Labelled so that it does not clash with django.contrib.sessions."""

    name = "sessions"
    label = "lab_sessions"
    verbose_name = "Recordings"

"""How bytes move, and the proof that they did."""

from django.apps import AppConfig


class TransfersConfig(AppConfig):
    """Windows, jobs, items, attempts, events."""

    name = "transfers"
    verbose_name = "Transfers"

"""How bytes move, and the proof that they did."""

from django.apps import AppConfig


class TransfersConfig(AppConfig):
    """Windows, jobs, items, attempts, events."""

    name = "transfers"
    verbose_name = "Transfers"

    def ready(self) -> None:
        """Who reads what, and where the bytes of buckets are read."""
        from datasets.api.serving import ADDRESSES  # noqa: PLC0415  (models are there only now)
        from datasets.models import RepositoryKind  # noqa: PLC0415
        from transfers import reading  # noqa: F401, PLC0415
        from transfers.services.addresses import address_of  # noqa: PLC0415

        ADDRESSES[RepositoryKind.S3] = address_of

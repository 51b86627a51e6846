"""Load the vocabularies shipped with the code: dataset types, formats, procedures, probe models, brain regions …"""

from typing import Any

from django.core.management.base import BaseCommand

from alyx.core.audit import acting
from datasets.services.vocabularies import load_vocabularies


class Command(BaseCommand):
    """Adds what is missing; changes nothing that is there, except an empty description. May run any number of times."""

    help = __doc__ or ""

    def handle(self, *args: Any, **options: Any) -> None:
        """Load, and say what happened to each vocabulary."""
        with acting(path="command load_vocabularies", reason="shipped vocabulary"):
            outcomes = load_vocabularies()
        for outcome in outcomes:
            self.stdout.write(str(outcome))
            for sentence in outcome.kept:
                self.stdout.write(f"  kept: {sentence}")

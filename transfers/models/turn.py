"""Who reads copies at a place whose bandwidth is limited."""

from django.db import models

from datasets.models import Repository


class ReadingTurn(models.Model):
    """One row for each such place, at most: one reader at a time, for as long as it says so. Not audited: it is a clock hand."""

    repository = models.OneToOneField(Repository, on_delete=models.CASCADE, primary_key=True, related_name="+")
    owner = models.CharField(max_length=64)
    until = models.DateTimeField(help_text="it lapses by itself: a killed reader leaves nothing")

    class Meta:
        ordering = ["repository"]

    def __str__(self) -> str:
        return f"{self.owner} until {self.until:%Y-%m-%d %H:%M:%S}"

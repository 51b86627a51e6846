"""Reading copies back on demand, to see whether they are still what the registry says."""

from collections.abc import Callable
from typing import Any

from django.db.models import Exists, OuterRef

from datasets.models import Dataset, FileRecord, Repository
from datasets.rules.copies import CopyState
from transfers.models import TransferItem
from transfers.rules.lifecycle import IN_FLIGHT
from transfers.services.looking import BATCH, Looked, look_at

VERIFIABLE = (CopyState.CLAIMED, CopyState.VERIFIED, CopyState.SUSPECT, CopyState.ANNOUNCED)


def verify_copies(
    *,
    actor: Any,
    repository: Repository | None = None,
    dataset: Dataset | None = None,
    fraction: float = 1.0,
    say: Callable[[int, int], None] = lambda done, of: None,
) -> Looked:
    """Read the copies of a repository, or of a dataset, or both, and register what is found: good ones VERIFIED with a
    new date, others SUSPECT (and MISSING or CORRUPT by a second look a day later).

    `fraction` in (0, 1]: those least recently proved come first. `say` is told how many of how many are read, batch by batch.
    Raises nothing: what cannot be seen is reported.
    """
    in_flight = TransferItem.objects.filter(copy=OuterRef("pk"), state__in=sorted(IN_FLIGHT))
    rows = FileRecord.objects.shown().filter(~Exists(in_flight), state__in=VERIFIABLE)
    if repository is not None:
        rows = rows.filter(repository=repository)
    if dataset is not None:
        rows = rows.filter(dataset=dataset)
    if fraction < 1:
        wanted = max(1, round(rows.count() * fraction))
        oldest = rows.order_by("verified_at", "pk").values_list("pk", flat=True)[:wanted]
        rows = rows.filter(pk__in=list(oldest))
    total, done = rows.count(), -BATCH

    def go_on() -> bool:
        nonlocal done
        done += BATCH
        say(min(max(done, 0), total), total)
        return True

    looked = look_at(actor=actor, rows=rows, go_on=go_on)
    say(looked.total, total)
    return looked

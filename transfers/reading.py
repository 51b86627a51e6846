"""Who reads what of the engine: files on their way as the datasets they are of; jobs and nights name only repositories."""

from django.db.models import Q

from alyx.core.reading import Reach, declare, everybody, of_lab, through, within
from datasets.models import Dataset, Repository
from transfers.models import (
    Attempt,
    Decision,
    Event,
    FoundFile,
    IntakePolicy,
    NightWindow,
    Preflight,
    Pulse,
    ReadingTurn,
    Scan,
    TransferItem,
    TransferJob,
)


def _found(reach: Reach, at: str) -> Q:
    """Of the caller's labs; of no lab we know: at their repositories."""
    places = Repository.objects.filter(labs__in=reach.labs).values("pk")
    return Q(**{f"{at}lab__in": reach.labs}) | Q(**{f"{at}lab__isnull": True, f"{at}repository__in": places})


def _happened(reach: Reach, at: str) -> Q:
    """To windows and jobs: everybody's. To items: as the items are read."""
    items = within(TransferItem, reach).values("pk")
    return ~Q(**{f"{at}kind": "item"}) | Q(**{f"{at}subject_id__in": items})


declare(
    {
        **dict.fromkeys([TransferJob, NightWindow, Preflight, Scan, IntakePolicy, Pulse, ReadingTurn], everybody),
        TransferItem: through("dataset", Dataset),
        Decision: of_lab(),
        Attempt: through("item", TransferItem),
        FoundFile: _found,
        Event: _happened,
    }
)

"""Who reads what of the engine: files on their way as the datasets they are of; jobs and nights name only repositories."""

from alyx.core.reading import declare, everybody, through
from datasets.models import Dataset
from transfers.models import Attempt, NightWindow, Preflight, TransferItem, TransferJob

declare(
    {
        **dict.fromkeys([TransferJob, NightWindow, Preflight], everybody),
        TransferItem: through("dataset", Dataset),
        Attempt: through("item", TransferItem),
    }
)

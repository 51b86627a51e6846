"""Who reads what of the engine: files on their way as the datasets they are of; jobs and nights name only repositories."""

from alyx.core.reading import declare, everybody, of_lab, through
from datasets.models import Dataset
from transfers.models import Attempt, FoundFile, IntakePolicy, NightWindow, Preflight, Scan, TransferItem, TransferJob

declare(
    {
        **dict.fromkeys([TransferJob, NightWindow, Preflight, Scan, IntakePolicy], everybody),
        TransferItem: through("dataset", Dataset),
        Attempt: through("item", TransferItem),
        FoundFile: of_lab(of_none=True),
    }
)

"""Where a copy that lies elsewhere can be read, by whoever may read it."""

from datasets.models import FileRecord
from transfers.backends.base import BackendFailure
from transfers.rules.errors import policy
from transfers.services.places import READABLE_STATES, backend_for

SECONDS = 3600
"""How long an address holds that was made for one reader."""


def address_of(copy: FileRecord, method: str = "GET") -> str:
    """An address from which the copy can be read by `method` (GET or HEAD) without further login, for an hour.

    Asks only the machine's own keys, not the place. Raises LookupError, which says why there is none.
    """
    place = copy.repository
    if place.state not in READABLE_STATES:
        message = f"{place.name}, which has it, is {place.state}"
        raise LookupError(message)
    try:
        return backend_for(place).address(copy.stored_path, SECONDS, method)
    except BackendFailure as failure:
        raise LookupError(policy(failure.code).sentence) from failure

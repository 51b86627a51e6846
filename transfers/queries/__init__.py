"""What people ask the engine: how things stand, why a file is where it is, what the night did."""

from transfers.queries.explaining import Explanation, explain, explain_all
from transfers.queries.status import (
    PENDING_AT_MOST,
    Status,
    arrivals,
    pending_paths,
    proved,
    status,
    waits_of,
    what_follows,
)

__all__ = [
    "PENDING_AT_MOST",
    "Explanation",
    "Status",
    "arrivals",
    "explain",
    "explain_all",
    "pending_paths",
    "proved",
    "status",
    "waits_of",
    "what_follows",
]

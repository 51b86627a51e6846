"""Names that a destination cannot store: said when they are planned, not found out by the service's refusal each night."""

from django.db.models import F, Func, IntegerField

from alyx.core.transitions import transition
from datasets.models import Repository
from transfers.models import TransferItem
from transfers.rules.errors import ErrorCode, policy
from transfers.rules.lifecycle import ItemState
from transfers.services.places import backend_for, reachable


class _Bytes(Func):
    """How many bytes a text has in UTF-8."""

    function = "octet_length"
    output_field = IntegerField()


def refuse_long_names() -> int:
    """Planned items whose path is longer than their destination allows wait for a person, with the figures; how many."""
    refused = 0
    planned = TransferItem.objects.filter(state=ItemState.PLANNED)
    for place in Repository.objects.filter(pk__in=planned.values("destination")):
        if not reachable(place):
            continue
        limit = backend_for(place).limits().path_bytes
        sized = planned.filter(destination=place).annotate(path_bytes=_Bytes(F("copy__stored_path")))
        long = list(sized.filter(path_bytes__gt=limit).values_list("pk", flat=True))
        if not long:
            continue
        said = f"{policy(ErrorCode.NAME_TOO_LONG).sentence} ({place.name} stores paths of {limit} bytes at most)"
        refused += transition(
            TransferItem.objects.filter(pk__in=long),
            sources=[ItemState.PLANNED],
            to=ItemState.NEEDS_HUMAN,
            last_error_code=ErrorCode.NAME_TOO_LONG,
            last_error=said,
        )
    return refused

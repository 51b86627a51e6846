"""Photos of a surgery, taken back at the table by whoever operates."""

from typing import Any
from uuid import UUID

from django.contrib.contenttypes.models import ContentType
from django.db import transaction

from alyx.core.changes import locked, store
from alyx.core.models import Note
from alyx.core.notes import withdraw_note
from subjects.models import Surgery
from subjects.services.surgery_bench import open_at_bench


@transaction.atomic
def take_photo(*, actor: Any, surgery_id: UUID, key: UUID) -> bool:
    """The photo (or note) of the surgery is shown no more; its picture stays for the history. False: it was not shown.

    Raises Forbidden, NotFound.
    """
    surgery = open_at_bench(actor, surgery_id)
    note = _notes(surgery).filter(pk=key, withdrawn_at__isnull=True).first()
    if note is None:
        return False
    withdraw_note(actor=actor, note=note, may_others=True)
    return True


@transaction.atomic
def show_photo(*, actor: Any, surgery_id: UUID, key: UUID) -> None:
    """It is shown again. Raises Forbidden, NotFound."""
    surgery = open_at_bench(actor, surgery_id)
    store(locked(_notes(surgery), key), {"withdrawn_at": None})


def _notes(surgery: Surgery) -> Any:
    return Note.objects.filter(content_type=ContentType.objects.get_for_model(Surgery), object_id=surgery.pk)

"""Taking back: gone from every answer, bytes and history kept. Only a new registration brings a path back, as a new
dataset with a new id."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction

from alyx.core.changes import locked
from alyx.core.clock import AlyxNow
from alyx.core.transitions import transition
from datasets.models import Dataset, FileRecord
from datasets.permissions import authorise_dataset
from datasets.rules.copies import Cause, CopyState, sources_of
from datasets.rules.defaults import current_default
from datasets.services.files import WITHDRAWN
from datasets.services.protection import refuse_protected
from sessions.models import Session
from sessions.services import session as session_services


@transaction.atomic
def withdraw_dataset(*, actor: Any, dataset: Dataset) -> None:
    """`DELETE datasets/<id>`, with its copies; another revision becomes the default if it was that. Raises Forbidden,
    DatasetProtected."""
    if dataset.session_id:  # first, as registrations do
        list(Session.objects.filter(pk=dataset.session_id).select_for_update(no_key=True))
    dataset = locked(Dataset.objects.shown().select_related("session__lab"), dataset.pk)
    authorise_dataset(actor, dataset, act="withdraw datasets")
    refuse_protected([dataset], act="withdrawing")
    _withdraw([dataset.pk])
    if dataset.is_default:
        _next_default(dataset)


@transaction.atomic
def withdraw_session(*, actor: Any, session: Session) -> None:
    """`DELETE sessions/<id>`: the session, its notes, its datasets and their copies. Raises Forbidden, DatasetProtected."""
    session_services.withdraw_session(actor=actor, session=session)
    datasets = list(Dataset.objects.shown().filter(session=session).order_by("pk").select_for_update(no_key=True))
    refuse_protected(datasets, act="withdrawing the session")
    _withdraw([dataset.pk for dataset in datasets])


def _withdraw(datasets: Sequence[UUID]) -> None:
    copies = FileRecord.objects.filter(dataset__in=datasets)
    list(copies.order_by("pk").select_for_update(no_key=True).values_list("pk"))
    columns = {name: value for name, value in WITHDRAWN.items() if name != "state"}
    transition(copies, sources=sources_of(CopyState.WITHDRAWN, Cause.WITHDRAWAL), to=CopyState.WITHDRAWN, **columns)
    Dataset.objects.filter(pk__in=datasets).update(withdrawn_at=AlyxNow())


def _next_default(dataset: Dataset) -> None:
    same = Dataset.objects.shown().filter(
        session=dataset.session_id,
        content_type=dataset.content_type_id,
        object_id=dataset.object_id,
        collection=dataset.collection,
        name=dataset.name,
    )
    rows = {row.revision.name if row.revision else "": row for row in same.select_related("revision")}
    if rows:
        chosen = rows[current_default({name: row.is_default for name, row in rows.items()})]
        Dataset.objects.filter(pk=chosen.pk, is_default=False).update(is_default=True)

"""`/sync-file-status`: what is missing on servers, and asking for it."""

from typing import Any

import pytest

from alyx.labs.models import Role
from datasets.models import FileRecord, RepositoryRole
from datasets.rules.copies import CopyState
from tests.factories.copies import a_copy
from tests.factories.people import a_lab, a_member, a_superuser, a_user
from tests.factories.records import a_dataset, a_repository, a_session, a_subject
from tests.factories.rest import Rest
from transfers.models import TransferItem
from transfers.tasks import plan

pytestmark = pytest.mark.django_db


def test_what_servers_lack_is_listed_once_and_planned_when_asked(django_capture_on_commit_callbacks: Any) -> None:
    lab = a_lab("cortexlab")
    session = a_session(a_subject(lab, "M1"))
    rig, central = a_repository(lab), a_repository(lab, role=RepositoryRole.CENTRAL)
    mirror = a_repository(lab, role=RepositoryRole.MIRROR)
    there, gone, missing, withdrawn = (a_dataset(session) for _ in range(4))
    for dataset in (there, gone, missing, withdrawn):
        a_copy(dataset, rig)
    for dataset, state in ((there, "verified"), (gone, "missing"), (missing, "expected"), (withdrawn, "expected")):
        a_copy(dataset, central, state=state)
    a_copy(missing, mirror, state=CopyState.EXPECTED)
    a_copy(gone, a_repository(lab), state=CopyState.EXPECTED)  # a lab's own place is no server
    withdrawn.withdrawn_at = withdrawn.created_at
    withdrawn.save(update_fields=["withdrawn_at"])
    paths = sorted(FileRecord.objects.get(dataset=one, repository=central).relative_path for one in (gone, missing))
    manager = Rest(a_member(lab, Role.DATA_MANAGER))
    answer = manager.get("sync-file-status")
    assert (answer.status_code, answer.json()) == (200, paths)
    with django_capture_on_commit_callbacks() as nudges:
        asked = manager.post("sync-file-status")
    assert (asked.status_code, asked.json()["labs"], len(nudges)) == (200, ["cortexlab"], 2)
    assert not TransferItem.objects.exists()
    plan.apply(args=([str(lab.pk)],), throw=True)
    made = set(TransferItem.objects.values_list("dataset", "destination"))
    assert {(gone.pk, central.pk), (missing.pk, central.pk), (missing.pk, mirror.pk)} <= made
    assert withdrawn.pk not in {dataset for dataset, _ in made}
    assert manager.get("sync-file-status").json() != []


def test_only_who_manages_data_asks_for_transfers() -> None:
    a_lab("one")
    assert Rest(a_member(a_lab("two"), Role.EXPERIMENTER)).post("sync-file-status").status_code == 403
    assert Rest(a_user()).post("sync-file-status").status_code == 403
    assert Rest(a_superuser()).post("sync-file-status").json()["labs"] == ["one", "two"]
    assert Rest(a_user()).get("sync-file-status").json() == []

"""Three labs in one dump: all is taken in, twice, and ONE's questions get right answers."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from pytest_django import DjangoDbBlocker

from alyx.core.models import Note, ReviewFlag
from alyx.labs.models import Lab, User
from alyx.labs.tokens import issue_token
from datasets.imports.report import OUTCOMES, Report
from datasets.models import ContentVersion, Dataset, FileRecord, Repository
from sessions.models import BrainRegion, Channel, Session, Task
from tests.imports.big_dump import Size, write_dump
from tests.imports.dumps import take

pytestmark = pytest.mark.django_db
SIZE = Size(sessions=24, files=8, channels=4, tasks=3)


class Taken:
    """Both imports, and what the file had."""

    counts: dict[str, int]
    first: Report
    second: Report


@pytest.fixture(scope="module")
def taken(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Taken]:
    """Import twice, in batches that cut sessions apart."""
    path, taken = tmp_path_factory.mktemp("dump") / "dump.json.gz", Taken()
    taken.counts = write_dump(path, SIZE)
    with django_db_blocker.unblock(), transaction.atomic():
        taken.first = take(path, size=150)
        taken.second = take(path)
        yield taken
        transaction.set_rollback(True)


def asked(path: str, **query: Any) -> Any:
    """What the API answers to an administrator."""
    root = User.objects.filter(username="root").first() or User.objects.create_superuser("root")
    answer = Client(headers={"Authorization": f"Token {issue_token(actor=root, user=root).key}"}).get(path, query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_all_is_taken_in_and_accounted_for(taken: Taken) -> None:
    assert {label: tally.read for label, tally in taken.first.models.items()} == taken.counts
    assert 200 <= taken.counts["data.dataset"] <= 300
    for label, tally in taken.first.models.items():
        assert tally.read == sum(getattr(tally, name) for name in OUTCOMES), label
        assert not tally.left_out, (label, tally.left_out)
    refused = {label: dict(tally.reasons) for label, tally in taken.first.models.items() if tally.refused}
    assert refused == {"data.filerecord": {"its dataset is neither in the file nor here": SIZE.defects["lost dataset"]}}
    assert taken.first.models["data.filerecord"].remapped == SIZE.defects["copy-twice"] > 0
    assert (Dataset.objects.count(), Session.objects.count()) == (taken.counts["data.dataset"], SIZE.sessions)


def test_the_second_time_nothing_happens(taken: Taken) -> None:
    for label, tally in taken.second.models.items():
        assert (tally.created, tally.differs, tally.flagged) == (0, 0, {}), label
        assert tally.remapped == taken.first.models[label].remapped
        assert tally.refused == taken.first.models[label].refused


def test_defects_are_flagged_for_the_people_of_their_lab(taken: Taken) -> None:
    flags = ReviewFlag.objects.exclude(rule="broken-reference").values_list("rule", "lab_id")
    found = {rule: sum(1 for one, _ in flags if one == rule) for rule, _ in flags}
    assert found == {name: number for name, number in SIZE.defects.items() if name != "lost dataset"}
    assert {lab for _, lab in flags} <= set(Lab.objects.values_list("pk", flat=True))


def test_copies_are_claims_and_no_proofs(taken: Taken) -> None:
    assert set(FileRecord.objects.values_list("state", flat=True)) == {"claimed", "expected"}
    assert not FileRecord.objects.filter(evidence_level__gt=0).exists()
    assert set(Dataset.objects.values_list("hash_state", flat=True)) == {"attested", "pending"}
    assert ContentVersion.objects.count() == Dataset.objects.count()
    central = FileRecord.objects.filter(repository__role="central").select_related("dataset").first()
    assert central is not None
    assert str(central.dataset_id) in central.stored_path
    assert str(central.dataset_id) not in central.relative_path


def test_each_lab_has_its_repositories(taken: Taken) -> None:
    for repository in Repository.objects.prefetch_related("labs"):
        assert [lab.name for lab in repository.labs.all()] == [
            repository.name.removeprefix("flatiron_").removesuffix("_SR")
        ]


def test_the_tree_of_regions_is_numbered_with_what_came(taken: Taken) -> None:
    root, own = BrainRegion.objects.get(pk=997), BrainRegion.objects.get(pk=900000001)
    assert own.parent_id == 567
    assert root.first < own.first <= own.last <= root.last
    assert Channel.objects.filter(brain_region=own).exists()


def test_what_one_asks_about_a_session(taken: Taken) -> None:
    session = Session.objects.filter(lab__name="hausserlab").first()
    assert session is not None
    detail = asked(f"/sessions/{session.pk}")
    assert detail["lab"] == "hausserlab"
    shown = [one for one in detail["data_dataset_session_related"] if one["name"] == "_ibl_trials.table.pqt"]
    assert shown
    assert all(one["data_url"].startswith("https://ibl.flatironinstitute.org/hausserlab/Subjects/") for one in shown)
    assert [one["text"] for one in detail["notes"]] == [Note.objects.get(object_id=session.pk).text]
    assert [one["name"] for one in detail["probe_insertion"]] == ["probe00"]
    records = asked("/datasets", session=str(session.pk), limit=250)["results"]
    assert {record["data_repository"] for one in records for record in one["file_records"]} == {
        "hausserlab_SR",
        "flatiron_hausserlab",
    }
    spikes = asked("/datasets", name="spikes.times.npy", session=str(session.pk))["results"]
    assert len(spikes) == 1
    ours = Dataset.objects.get(session=session, name="spikes.times.npy")
    assert (spikes[0]["hash"], spikes[0]["file_size"]) == (ours.md5, ours.size_bytes)
    on_server = next(one for one in spikes[0]["file_records"] if one["data_repository"].startswith("flatiron"))
    assert on_server["exists"] is True
    assert on_server["data_url"].endswith(f"alf/probe00/pykilosort/spikes.times.{ours.pk}.npy")


def test_what_one_asks_of_tasks_and_aggregates(taken: Taken) -> None:
    last = Task.objects.filter(name="Step2").first()
    assert last is not None
    answer = asked(f"/tasks/{last.pk}")
    assert (answer["status"], len(answer["parents"])) == ("Complete", 1)
    assert answer["data_repository"].endswith("_SR")
    assert Dataset.objects.filter(session=None).count() == SIZE.subjects
    assert asked("/datasets", name="_ibl_subjectTraining.table.pqt")["count"] == SIZE.subjects

"""The shipped vocabularies: their files, and loading them into a database that may have its own."""

import csv
from io import StringIO
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from datasets.models import DataFormat, DatasetType
from datasets.services.vocabularies import SHIPPED, Vocabulary, load_vocabularies, read_rows
from subjects.models import ProcedureType

SPIKE_TIMES = UUID("1427b6ba-6535-4f8f-9058-e3df63f0261e")
TABLES = len(SHIPPED) + 1
"""With the brain regions."""


def loaded() -> str:
    out = StringIO()
    call_command("load_vocabularies", stdout=out)
    return out.getvalue()


@pytest.mark.parametrize("vocabulary", SHIPPED, ids=lambda vocabulary: vocabulary.name)
def test_shipped_rows_are_unique_and_described(vocabulary: Vocabulary) -> None:
    rows = read_rows(vocabulary.path)
    assert all(row.get("description", "needs none").strip() for row in rows)
    for key in ("id", *vocabulary.unique):
        values = [row[key] for row in rows]
        assert len(set(values)) == len(values)


def test_patterns_are_lower_case_and_never_null() -> None:
    for row in read_rows(SHIPPED[0].path):
        assert row["filename_pattern"] == row["filename_pattern"].lower().strip()


def test_files_end_lines_as_the_others_do() -> None:
    for vocabulary in SHIPPED:
        text = vocabulary.path.read_text(encoding="utf-8")
        assert "\r" not in text
        assert len(list(csv.reader(text.splitlines()))) == text.count("\n")


@pytest.mark.django_db
def test_loading_brings_every_row_with_the_key_clients_know() -> None:
    assert "189 read, 189 created" in loaded()
    assert DatasetType.objects.get(pk=SPIKE_TIMES).filename_pattern == "*spikes.times*.npy"
    assert DatasetType.objects.get(name="mpci.times").filename_pattern == ""
    assert DataFormat.objects.get(name="npy").pk == UUID("e7b3d18f-5f58-4eea-994b-0e1f6ff87c2c")
    assert ProcedureType.objects.get(name="Histology").pk == UUID("ecc88a87-684f-442b-bfb6-bb8574c2f70e")


@pytest.mark.django_db
def test_loading_twice_changes_nothing_and_asks_once_per_table() -> None:
    loaded()
    before = list(DatasetType.objects.order_by("id").values())
    with CaptureQueriesContext(
        connection,
    ) as queries:
        outcomes = load_vocabularies()
    assert [(outcome.created, outcome.filled, outcome.kept) for outcome in outcomes] == [(0, 0, [])] * TABLES
    assert [outcome.unchanged for outcome in outcomes] == [outcome.read for outcome in outcomes]
    assert len([query for query in queries if "SELECT" in query["sql"]]) == TABLES
    assert list(DatasetType.objects.order_by("id").values()) == before


@pytest.mark.django_db
def test_a_row_that_somebody_edited_stays_and_is_reported() -> None:
    loaded()
    DatasetType.objects.filter(pk=SPIKE_TIMES).update(description="ours", filename_pattern="*our.spikes*")
    assert "has another filename_pattern, description here" in loaded()
    row = DatasetType.objects.get(pk=SPIKE_TIMES)
    assert (row.description, row.filename_pattern) == ("ours", "*our.spikes*")


@pytest.mark.django_db
def test_an_empty_description_is_filled() -> None:
    loaded()
    DatasetType.objects.filter(pk=SPIKE_TIMES).update(description="")
    assert "1 descriptions filled" in loaded()
    assert "seconds" in DatasetType.objects.get(pk=SPIKE_TIMES).description


@pytest.mark.django_db
def test_a_name_that_another_row_bears_stays_with_it_and_is_reported() -> None:
    ours = DatasetType.objects.create(id=uuid4(), name="spikes.times", filename_pattern="*spikes.times*")
    npy = DataFormat.objects.create(name="numpy array", file_extension=".npy")
    report = loaded()
    assert f'"spikes.times" ({SPIKE_TIMES}) is here already as "spikes.times" ({ours.pk})' in report
    assert f'is here already as "numpy array" ({npy.pk})' in report
    assert not DatasetType.objects.filter(pk=SPIKE_TIMES).exists()
    assert DatasetType.objects.get(pk=ours.pk).filename_pattern == "*spikes.times*"

"""What a page of 250 costs: `python -m benchmarks.lists [--sessions 2000] [--files 20]`.

In a scratch database of 2,000 sessions with 20 datasets each (40,000): the lists of datasets, files and sessions by our endpoints,
beside the plain way, a ModelSerializer over rows that are joined and prefetched. Printed: statements, CPU of the Python process, wall,
and the ratio to the plain way.
"""

import argparse
import os
from functools import partial
from typing import Any

from benchmarks import world
from benchmarks.planner import scratch_database


def naive_datasets(limit: int) -> bytes:
    """The plain way to a page of datasets: joined, prefetched, one serializer object per row."""
    import json

    from rest_framework import serializers

    from datasets.models import Dataset, FileRecord

    class Copies(serializers.ModelSerializer[Any]):
        data_repository = serializers.CharField(source="repository.name")
        data_repository_path = serializers.CharField(source="repository.globus_path")
        data_url = serializers.SerializerMethodField()

        class Meta:
            model = FileRecord
            fields = ["id", "data_repository", "data_repository_path", "relative_path", "data_url", "exists"]

        def get_data_url(self, copy: Any) -> str | None:
            return f"{copy.repository.data_url}{copy.stored_path}" if copy.repository.data_url else None

    class Rows(serializers.ModelSerializer[Any]):
        created_by: Any = serializers.SlugRelatedField(slug_field="username", read_only=True)
        dataset_type: Any = serializers.SlugRelatedField(slug_field="name", read_only=True)
        data_format: Any = serializers.SlugRelatedField(slug_field="name", read_only=True)
        tags: Any = serializers.SlugRelatedField(slug_field="name", many=True, read_only=True)
        experiment_number = serializers.IntegerField(source="session.number")
        file_records = Copies(many=True)

        class Meta:
            model = Dataset
            fields = [
                "id", "name", "created_by", "created_at", "dataset_type", "data_format", "collection", "session", "size_bytes",
                "md5", "software_version", "experiment_number", "file_records", "updated_at", "revision", "is_default", "tags",
                "qc", "json",
            ]  # fmt: skip

    Dataset.objects.shown().count()
    rows = Dataset.objects.shown().select_related("session", "created_by", "dataset_type", "data_format", "revision")
    page = rows.prefetch_related("tags", "file_records__repository").order_by("-created_at", "id")[:limit]
    return json.dumps(Rows(page, many=True).data, default=str).encode()


def best(act: Any, rounds: int) -> world.Cost:
    """The best of several calls, and its statements."""
    statements = world.queries(act)
    fastest = min((world.cost(lambda: _Answer(act()), 200) for _ in range(rounds)), key=lambda one: one.wall_ms)
    return fastest._replace(queries=statements)


class _Answer:
    """Anything as an answer."""

    def __init__(self, given: Any) -> None:
        self.status_code = getattr(given, "status_code", 200)
        self.content = getattr(given, "content", given)


def main() -> None:
    """Run in a database that is dropped afterwards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=2000)
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "alyx.settings"
    with scratch_database():
        client = world.prepare()
        from django.db import connection

        for path in world.sessions(asked.sessions):
            client.post("/register-file", world.body(path, asked.files), content_type="application/json")
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        plain = best(partial(naive_datasets, 250), asked.rounds)
        print(f"{'page of 250':<34}{'SQL':>5}{'CPU ms':>9}{'wall ms':>9}{'× plain':>9}")
        print(
            f"{'datasets, ModelSerializer':<34}{plain.queries:>5}{plain.cpu_ms:>9.1f}{plain.wall_ms:>9.1f}{1.0:>9.1f}"
        )
        for name, query in {
            "datasets": "datasets",
            "datasets?exists=False": "datasets?exists=False",
            "datasets?django=session__lab…": "datasets?django=session__lab__name,benchlab",
            "files": "files",
            "sessions": "sessions",
            "sessions?lab=": "sessions?lab=benchlab",
            "sessions?dataset_types=": "sessions?dataset_types=kind1.attr",
        }.items():
            one = best(partial(client.get, f"/{query}"), asked.rounds)
            ratio = plain.wall_ms / one.wall_ms
            print(f"{name:<34}{one.queries:>5}{one.cpu_ms:>9.1f}{one.wall_ms:>9.1f}{ratio:>9.1f}")


if __name__ == "__main__":
    main()

"""Who downloaded what how often, and what users of datasets have to be told."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from alyx.core.changes import locked, store
from alyx.core.errors import Forbidden, Invalid
from alyx.core.rest.names import all_by_name, by_name
from alyx.labs.models import Lab, Project, User
from alyx.labs.permissions import Right, authorise, authorise_anywhere, may
from datasets.models import DataNotice, Dataset, Download

AT_MOST = 10_000
"""Datasets in one call."""

_COUNT = """
INSERT INTO datasets_download (id, user_id, dataset_id, count)
SELECT gen_random_uuid(), %(user)s, wanted.id, 1 FROM unnest(%(datasets)s::uuid[]) AS wanted(id) ORDER BY wanted.id
ON CONFLICT (user_id, dataset_id) DO UPDATE SET count = datasets_download.count + 1
"""


@transaction.atomic
def count_downloads(
    *, actor: Any, datasets: Sequence[UUID], user: str = "", projects: Sequence[str] = ()
) -> list[Download]:
    """One more download of each dataset by the caller (a superuser counts for others); one row per user and dataset.

    Calls at the same time each count. `projects`, for which it was, are kept in the row's JSON. Rows in the order of
    `datasets`. Raises Invalid, Forbidden.
    """
    who = by_name(User.objects.all(), user, field="user", what="user", column="username") if user else actor
    if who.pk != actor.pk and not actor.is_superuser:
        raise Forbidden(f"{actor} may not count downloads of {who}: that is for superusers")
    wanted = _datasets(datasets)
    names = sorted(one.name for one in all_by_name(Project.objects.all(), projects, field="projects", what="project"))
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"user": who.pk, "datasets": [one.pk for one in wanted]})
    rows = {row.dataset_id: row for row in Download.objects.filter(user=who, dataset__in=wanted)}  # locked by the count
    if names:
        for row in rows.values():
            _name_projects(row, names)
    return [rows[one.pk] for one in wanted]


def _name_projects(row: Download, names: Sequence[str]) -> None:
    known = row.json if isinstance(row.json, dict) else {}
    have = known.get("projects")
    merged = sorted({*names, *(have if isinstance(have, list) else [])}, key=str)
    if merged != have:
        store(row, {"json": {**known, "projects": merged}})


@transaction.atomic
def change_download(*, actor: Any, download: Download, changes: Mapping[str, Any]) -> Download:
    """Change the count or the JSON of one's own row. Raises Forbidden."""
    download = locked(Download.objects.all(), download.pk)
    if download.user_id != actor.pk and not actor.is_superuser:
        raise Forbidden("only who downloaded, and superusers, may change this")
    store(download, {name: changes[name] for name in ("count", "json") if name in changes})
    return download


@transaction.atomic
def post_notice(*, actor: Any, values: Mapping[str, Any]) -> DataNotice:
    """A new notice about datasets. Whoever writes in their labs may. Raises Invalid, Forbidden."""
    datasets = _datasets(values.get("datasets", ()), may_be_none=True)
    _authorise(actor, datasets)
    columns = _columns(values)
    columns.setdefault("created_by", actor)
    _check_days(columns.get("from_on"), columns.get("to_on"))
    notice: DataNotice = DataNotice.objects.create(**columns)
    notice.datasets.set(datasets)
    return notice


@transaction.atomic
def change_notice(*, actor: Any, notice: DataNotice, changes: Mapping[str, Any]) -> DataNotice:
    """Change what is sent. Raises Invalid, Forbidden."""
    notice = locked(DataNotice.objects.all(), notice.pk)
    _authorise_change(actor, notice)
    columns = _columns(changes)
    _check_days(columns.get("from_on", notice.from_on), columns.get("to_on", notice.to_on))
    if "datasets" in changes:
        datasets = _datasets(changes["datasets"], may_be_none=True)
        _authorise(actor, datasets)
        notice.datasets.set(datasets)
    store(notice, columns)
    return notice


@transaction.atomic
def take_back_notice(*, actor: Any, notice: DataNotice) -> None:
    """Remove a notice; the history keeps it. Raises Forbidden, NotFound."""
    notice = locked(DataNotice.objects.all(), notice.pk)
    _authorise_change(actor, notice)
    notice.delete()


def _columns(sent: Mapping[str, Any]) -> dict[str, Any]:
    columns = {name: value for name, value in sent.items() if name != "datasets"}
    if name := columns.pop("created_by", ""):
        columns["created_by"] = by_name(User.objects.all(), name, field="created_by", what="user", column="username")
    return columns


def _check_days(first: Any, last: Any) -> None:
    if first and last and last < first:
        raise Invalid.of("affected_date_end", f"it ends ({last}) before it begins ({first})")


def _datasets(keys: Sequence[UUID], *, may_be_none: bool = False) -> list[Dataset]:
    """Those shown, in their order, in the order of their keys for locks. Raises Invalid naming the first that is not there."""
    wanted = list(dict.fromkeys(keys))
    if not wanted and not may_be_none:
        raise Invalid.of("datasets", "name at least one dataset by its id")
    if len(wanted) > AT_MOST:
        raise Invalid.of("datasets", f"at most {AT_MOST} in one call")
    found = {row.pk: row for row in Dataset.objects.shown().filter(pk__in=wanted)}
    for key in wanted:
        if key not in found:
            raise Invalid.of("datasets", f"there is no dataset {key}")
    return [found[key] for key in wanted]


def _authorise(actor: Any, datasets: Sequence[Dataset]) -> None:
    labs = Lab.objects.filter(pk__in=_labs(Dataset.objects.filter(pk__in=[one.pk for one in datasets])))
    for lab in labs:
        authorise(actor, lab, act="post notices about datasets", to=Right.ANNOTATE)
    if not labs:
        authorise_anywhere(actor, act="post notices about datasets", to=Right.ANNOTATE)


def _authorise_change(actor: Any, notice: DataNotice) -> None:
    """Its author, and who manages every lab that it is about."""
    if notice.created_by_id == actor.pk or actor.is_superuser:
        return
    labs = list(_labs(notice.datasets.all()))
    if not labs or not all(may(actor, lab, Right.MANAGE) for lab in labs):
        raise Forbidden("a notice is changed by its author, and by who manages the data of the labs that it is about")


def _labs(datasets: Any) -> Any:
    return datasets.filter(session__isnull=False).order_by().values_list("session__lab", flat=True).distinct()

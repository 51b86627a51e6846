"""The rows of the clients' cache tables, from SQL straight into Arrow.

PostgreSQL packs the datasets of a session into one row of byte strings, a column each; here they become Arrow buffers
without a Python object per dataset. What is in memory at a time is a batch, however large the registry.
"""

# ruff: noqa: S608  (only constants of ours are put into the SQL; values are parameters)

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import psycopg
import pyarrow as pa
from django.db import connection

from datasets.queries import EXISTING, SERVERS

BATCH = 32_768
"""Rows of a record batch, which is a row group of the file too."""
QC_NAMES = ("NOT_SET", "PASS", "WARNING", "FAIL", "CRITICAL")
"""In their order."""

# ---- what is listed

_WITHIN = (
    "(s.lab_id = ANY(%(labs)s) OR EXISTS (SELECT FROM lab_sessions_session_projects w"
    " WHERE w.session_id = s.id AND w.project_id = ANY(%(projects)s))"
    " OR (NOT EXISTS (SELECT FROM lab_sessions_session_projects w WHERE w.session_id = s.id)"
    " AND EXISTS (SELECT FROM subjects_subject_projects w WHERE w.subject_id = s.subject_id AND w.project_id = ANY(%(projects)s))))"
)
_TAGGED = "EXISTS (SELECT 1 FROM datasets_dataset_tags dt WHERE dt.dataset_id = d.id AND dt.tag_id = %(tag)s)"
CONDITIONS = {
    "all": "true",
    "within": _WITHIN,
    "public": "EXISTS (SELECT 1 FROM datasets_dataset_tags dt JOIN datasets_tag g ON g.id = dt.tag_id"
    " WHERE dt.dataset_id = d.id AND g.public)",
    "tag": _TAGGED,
    "tag within": f"{_TAGGED} AND {_WITHIN}",
}
"""Which datasets a set of tables is about; `within` some labs and projects."""
_WHOLE = {"all": "true", "within": _WITHIN}
"""Sessions are listed even without data where no tag asks for some."""

_DATASETS = f"""
SELECT d.session_id AS eid, d.id, d.size_bytes, d.md5, d.is_default,
       CASE d.qc WHEN 10 THEN 1 WHEN 30 THEN 2 WHEN 40 THEN 3 WHEN 50 THEN 4 ELSE 0 END AS qc,
       concat(nullif(d.collection, '') || '/', '#' || v.name || '#/', d.name) AS path
FROM datasets_dataset d
JOIN lab_sessions_session s ON s.id = d.session_id AND s.withdrawn_at IS NULL
LEFT JOIN datasets_revision v ON v.id = d.revision_id
WHERE d.withdrawn_at IS NULL AND {{condition}} AND EXISTS (
    SELECT 1 FROM datasets_filerecord f JOIN datasets_repository p ON p.id = f.repository_id
    WHERE f.dataset_id = d.id AND f.content_version = d.content_version
      AND f.state IN ({EXISTING}) AND p.role IN ({SERVERS}))
"""
_SESSIONS = """
SELECT s.id::text AS id, l.name AS lab, b.nickname AS subject, s.path_date - date '1970-01-01' AS day, s.number,
       s.task_protocol, coalesce((SELECT string_agg(p.name, ',' ORDER BY p.name) FROM lab_sessions_session_projects sp
           JOIN labs_project p ON p.id = sp.project_id WHERE sp.session_id = s.id), '') AS projects
FROM lab_sessions_session s JOIN labs_lab l ON l.id = s.lab_id JOIN subjects_subject b ON b.id = s.subject_id
WHERE s.withdrawn_at IS NULL AND {sessions}
"""
_INSERTIONS = """
SELECT i.session_id::text AS eid, i.id::text AS id, i.name, coalesce(m.part_number, '') AS model, i.serial,
       i.chronic_insertion_id::text AS chronic_insertion
FROM lab_sessions_probeinsertion i JOIN lab_sessions_session s ON s.id = i.session_id
LEFT JOIN subjects_probemodel m ON m.id = i.model_id
WHERE i.withdrawn_at IS NULL AND s.withdrawn_at IS NULL AND {sessions}
"""
_PACKED = """
SELECT uuid_send(eid), count(*), string_agg(uuid_send(id), ''::bytea),
       string_agg(int8send(coalesce(size_bytes, -1)), ''::bytea),
       string_agg(CASE WHEN md5 = '' THEN {no_md5} ELSE decode(md5, 'hex') END, ''::bytea),
       string_agg(int2send((qc * 4 + is_default::int * 2 + (md5 <> '')::int)::int2), ''::bytea),
       string_agg(convert_to(path, 'UTF8'), ''::bytea), string_agg(int4send(octet_length(path)), ''::bytea)
FROM ({rows} ORDER BY eid, id) AS row GROUP BY eid ORDER BY eid
""".replace("{no_md5}", f"'\\x{'00' * 16}'::bytea")
_FINGERPRINT = "SELECT count(*), coalesce(bit_xor(hash_record_extended(row, 0)), 0) FROM ({rows}) AS row"

# ---- the tables' columns

_QC = pa.dictionary(pa.int8(), pa.string(), ordered=True)


class Table(NamedTuple):
    """One table: its index, its columns in order, and the SQL of its rows."""

    name: str
    key: tuple[str, ...]
    columns: Mapping[str, Any]
    sql: str
    order: str

    @property
    def unique_columns(self) -> list[str]:
        """Columns where a dictionary of values would be as long as the column."""
        return [name for name in ("id", "hash", "file_size") if name in self.columns]

    def rows(self, condition: str) -> str:
        """The SQL of the rows, in no order."""
        listed = _DATASETS.format(condition=CONDITIONS[condition])
        sessions = _WHOLE.get(condition, f"s.id IN (SELECT l.eid FROM ({listed}) AS l)")
        return self.sql.format(condition=CONDITIONS[condition], sessions=sessions)

    def schema(self, metadata: Mapping[str, Any]) -> pa.Schema:
        """The columns with what ONE reads (`one_metadata`) and what gives pandas the index and nullable integers."""
        fields = [pa.field(name, kind) for name, kind in self.columns.items()]
        described = {"one_metadata": json.dumps(metadata), "pandas": json.dumps(self._for_pandas())}
        return pa.schema(fields, metadata=described)

    def _for_pandas(self) -> dict[str, Any]:
        names = {"name": None, "field_name": None, "metadata": {"encoding": "UTF-8"}}
        return {
            "index_columns": list(self.key),
            "column_indexes": [{**names, "pandas_type": "unicode", "numpy_type": "object"}],
            "columns": [{"name": name, "field_name": name, **_PANDAS[kind]} for name, kind in self.columns.items()],
            "creator": {"library": "pyarrow", "version": pa.__version__},
            "pandas_version": "2.0.0",
        }


_PANDAS: dict[Any, dict[str, Any]] = {
    pa.string(): {"pandas_type": "unicode", "numpy_type": "object", "metadata": None},
    pa.date32(): {"pandas_type": "date", "numpy_type": "object", "metadata": None},
    pa.uint16(): {"pandas_type": "uint16", "numpy_type": "uint16", "metadata": None},
    pa.uint64(): {"pandas_type": "uint64", "numpy_type": "UInt64", "metadata": None},
    pa.bool_(): {"pandas_type": "bool", "numpy_type": "bool", "metadata": None},
    _QC: {
        "pandas_type": "categorical",
        "numpy_type": "int8",
        "metadata": {"num_categories": len(QC_NAMES), "ordered": True},
    },
}

SESSIONS = Table(
    "sessions",
    ("id",),
    {
        "id": pa.string(),
        "lab": pa.string(),
        "subject": pa.string(),
        "date": pa.date32(),
        "number": pa.uint16(),
        "task_protocol": pa.string(),
        "projects": pa.string(),
    },
    _SESSIONS,
    "s.id",
)
DATASETS = Table(
    "datasets",
    ("eid", "id"),
    {
        "eid": pa.string(),
        "id": pa.string(),
        "rel_path": pa.string(),
        "file_size": pa.uint64(),
        "hash": pa.string(),
        "exists": pa.bool_(),
        "qc": _QC,
        "default_revision": pa.bool_(),
    },
    _DATASETS,
    "eid, id",
)
INSERTIONS = Table(
    "insertions",
    ("eid", "id"),
    dict.fromkeys(("eid", "id", "name", "model", "serial", "chronic_insertion"), pa.string()),
    _INSERTIONS,
    "i.session_id, i.id",
)
TABLES = (SESSIONS, DATASETS, INSERTIONS)

# ---- reading

Parameters = Mapping[str, Any]


def _stream(sql: str, parameters: Parameters) -> Iterator[tuple[Any, ...]]:
    """Rows as they come, in PostgreSQL's binary form; none is kept, and PostgreSQL may use several processes."""
    with psycopg.Cursor(connection.connection) as cursor:
        yield from cursor.stream(sql, parameters, binary=True)


def fingerprint(condition: str, parameters: Parameters) -> str:
    """A digest of the rows that the tables would have now, made inside PostgreSQL without sorting or sending them."""
    parts = []
    for table in TABLES:
        with connection.cursor() as cursor:
            cursor.execute(_FINGERPRINT.format(rows=table.rows(condition)), parameters)
            parts += cursor.fetchone()
    return " ".join(map(str, parts))


def batches(table: Table, condition: str, parameters: Parameters) -> Iterator[Sequence[Any]]:
    """The arrays of the table's columns, some ten thousand rows at a time, in the order of its index."""
    if table is DATASETS:
        yield from _datasets(_stream(_PACKED.replace("{rows}", table.rows(condition)), parameters))
        return
    kinds = list(table.columns.values())
    for rows in _some(_stream(f"{table.rows(condition)} ORDER BY {table.order}", parameters)):
        yield [
            pa.array(values, pa.int32()).cast(kind) if kind == pa.date32() else pa.array(values, kind)
            for values, kind in zip(zip(*rows, strict=True), kinds, strict=True)
        ]


def _some(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    kept: list[tuple[Any, ...]] = []
    for row in rows:
        kept.append(row)
        if len(kept) == BATCH // 4:  # Python objects: a smaller batch
            yield kept
            kept = []
    if kept:
        yield kept


def _datasets(sessions: Iterable[tuple[Any, ...]]) -> Iterator[Sequence[Any]]:
    kept: list[tuple[Any, ...]] = []
    count = 0
    for session in sessions:
        kept.append(session)
        count += session[1]
        if count >= BATCH:
            yield _unpacked(kept)
            kept, count = [], 0
    if kept:
        yield _unpacked(kept)


def _unpacked(sessions: list[tuple[Any, ...]]) -> Sequence[Any]:
    eids, counts, ids, sizes, digests, flags, paths, lengths = zip(*sessions, strict=True)
    flag = np.frombuffer(b"".join(flags), ">i2").astype(np.int16)
    size = np.frombuffer(b"".join(sizes), ">i8").astype(np.int64)
    qc = pa.DictionaryArray.from_arrays(pa.array((flag >> 2).astype(np.int8)), pa.array(QC_NAMES), ordered=True)
    return [
        _uuid_texts(b"".join(eids)).take(pa.array(np.repeat(np.arange(len(counts)), counts))),
        _uuid_texts(b"".join(ids)),
        _texts(b"".join(paths), np.frombuffer(b"".join(lengths), ">i4")),
        pa.array(np.maximum(size, 0).astype(np.uint64), mask=size < 0),
        _digests(b"".join(digests), (flag & 1).astype(bool)),
        pa.array(np.ones(len(flag), bool)),
        qc,
        pa.array((flag & 2).astype(bool)),
    ]


def _texts(text: bytes, lengths: Any, known: Any = None) -> Any:
    """A column of texts that stand one after another; `known` (booleans) tells which are not null."""
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    valid = None if known is None else pa.py_buffer(np.packbits(known, bitorder="little").tobytes())
    return pa.Array.from_buffers(pa.string(), len(lengths), [valid, pa.py_buffer(offsets), pa.py_buffer(text)])


def _hex(raw: bytes) -> Any:
    """Bytes → a table of 32 hexadecimal digits for every 16 of them."""
    return np.frombuffer(raw.hex().encode(), np.uint8).reshape(-1, 32)


def _uuid_texts(raw: bytes) -> Any:
    digits = _hex(raw)
    text = np.full((len(digits), 36), ord("-"), np.uint8)
    for begin, end, at in ((0, 8, 0), (8, 12, 9), (12, 16, 14), (16, 20, 19), (20, 32, 24)):
        text[:, at : at + end - begin] = digits[:, begin:end]
    return _texts(text.tobytes(), np.full(len(digits), 36))


def _digests(raw: bytes, known: Any) -> Any:
    digits = _hex(raw)[known]
    return _texts(digits.tobytes(), np.where(known, 32, 0), known)

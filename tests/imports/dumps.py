"""Dumps for tests: written as Django writes them."""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from datasets.imports.report import Report
from datasets.imports.running import import_dump

REAL = Path(__file__).parent.parent / "data" / "alyx_dump_anon.json.gz"
SPACE = UUID("5ef2c5b8-6a0e-4a8e-9b3f-2f6b1f1f0c11")
LAB, USER = "lab", "ann"

Object = dict[str, Any]


def key(name: str) -> str:
    """A key that is the same for the same name."""
    return str(uuid5(SPACE, name))


def one(model: str, name: str, /, **fields: Any) -> Object:
    """An object of a dump; `name` stands for its key."""
    return {"model": model, "pk": key(name), "fields": fields}


def a_lab(name: str = LAB, zone: str = "Europe/London", **fields: Any) -> Object:
    """A lab."""
    return one("misc.lab", name, name=name, timezone=zone, **fields)


def a_user(name: str = USER, /, **fields: Any) -> Object:
    """A user with a password, which must not come with him."""
    known = {"password": "pbkdf2$secret", "is_active": True, "is_staff": True, "date_joined": "2020-07-01T12:00:00"}
    return one("misc.labmember", name, **{"username": name, **known, **fields})


def a_mouse(name: str = "M1", /, lab: str | None = LAB, **fields: Any) -> Object:
    """An animal; its key is that of its nickname unless `nickname` says another."""
    return one("subjects.subject", name, **{"nickname": name, "lab": lab and key(lab), "sex": "F", **fields})


def write(folder: Path, objects: Iterable[Any], name: str = "dump.json") -> Path:
    """The file; packed when its name says so."""
    path, text = folder / name, json.dumps(list(objects))
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def take(path: Path, *, server: str = "Europe/London", **options: Any) -> Report:
    """Import it."""
    return import_dump(path, server=ZoneInfo(server), **options)


def real_objects() -> dict[str, dict[str, Object]]:
    """The real dump: model → key → fields."""
    with gzip.open(REAL) as file:
        found: dict[str, dict[str, Object]] = defaultdict(dict)
        for row in json.load(file):
            found[row["model"]][row["pk"]] = row["fields"]
    return found

"""What a tablet may say of a part, a drug, an event, and of a site that is planned. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from subjects.rules.surgery_fields import BEYOND_BELIEF, Unfit, key
from subjects.rules.template import PARTS, ROUTES, Check, at_least_0, long_text, one_of, positive, short_text

MOST_PLANNED = 200
UNIT_AT_MOST = 16
TARGET_AT_MOST = 64


def _key(value: Any) -> str | None:
    try:
        key(value)
    except Unfit:
        return "the key of a record"
    return None


def _unit(value: Any) -> str | None:
    return short_text(value) or (None if len(value) <= UNIT_AT_MOST else f"a unit of {UNIT_AT_MOST} characters at most")


def _target(value: Any) -> str | None:
    return short_text(value) or (
        None if len(value) <= TARGET_AT_MOST else f"an acronym of {TARGET_AT_MOST} letters at most"
    )


def _what(value: Any) -> str | None:
    return short_text(value) or (None if value.strip() else "a name of what happened")


_MORE: dict[str, dict[str, Check]] = {
    "headplate": {},
    "craniotomy": {},
    "injection": {"virus_batch": _key, "lot": short_text},
    "implant": {"probe_model": _key, "serial": short_text},
    "perfusion": {},
}
SAID: dict[str, dict[str, Check]] = {
    **{
        kind: {
            **{name: _target if name == "target" else check for name, check in columns.items()},
            **_MORE[kind],
            "narrative": long_text,
        }
        for kind, columns in PARTS.items()
    },
    "drug": {
        "drug": _key,
        "route": one_of(*ROUTES),
        "dose_mg_per_kg": positive,
        "dose_percent": positive,
        "weight_g": positive,
        "concentration_mg_per_ml": positive,
        "volume_ml": at_least_0,
        "lot": short_text,
        "narrative": long_text,
    },
    "event": {"what": _what, "value": at_least_0, "unit": _unit},
}
"""Kind → column → what its value must be; null empties it where that is possible."""
NUMBERS = ("_mm", "_nl", "_min", "_ua", "_deg", "_ml", "_mg_per_kg", "_percent", "_g")
"""How columns that hold numbers end."""
_NEVER_EMPTY = {"drug": {"drug"}, "event": {"what"}}


def part_faults(kind: Any, values: Any) -> dict[str, str]:
    """Column → a sentence; empty when the values can be stored."""
    known = SAID.get(kind) if isinstance(kind, str) else None
    if known is None:
        return {"part": f"{kind!r} is no part of a surgery; parts are {', '.join(SAID)}"}
    if not isinstance(values, Mapping):
        return {"values": "must be an object with the columns of the part"}
    faults: dict[str, str] = {}
    for name, value in values.items():
        if name not in known:
            faults[str(name)] = f"{name}: a {kind} has no such column; it may have {', '.join(known)}"
        elif value is None:
            if name in _NEVER_EMPTY.get(kind, ()):
                faults[name] = f"{name}: cannot be empty"
        elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) > BEYOND_BELIEF:
            faults[name] = f"{name}: no surgery has such a number"
        elif (not_a := known[name](value)) is not None:
            faults[name] = f"{name}: {value!r} is not {not_a}"
    return faults


def plan_faults(plan: Iterable[Any]) -> dict[str, str]:
    """Where → a sentence, for a list of `{id, part, …columns}`."""
    faults: dict[str, str] = {}
    seen: set[str] = set()
    items = list(plan)
    if len(items) > MOST_PLANNED:
        return {"plan": f"plan: has {len(items)} sites; {MOST_PLANNED} at most"}
    for at, item in enumerate(items):
        where = f"plan[{at}]"
        if not isinstance(item, Mapping):
            faults[where] = f"{where}: must be an object with id and part"
            continue
        if _key(item.get("id")):
            faults[f"{where}.id"] = f"{where}.id: {item.get('id')!r} is not the key of a record"
        elif str(item["id"]) in seen:
            faults[f"{where}.id"] = f"{where}.id: is there twice"
        seen.add(str(item.get("id")))
        if not isinstance(item.get("part"), str) or item["part"] not in PARTS:
            faults[f"{where}.part"] = f"{where}.part: must be one of {', '.join(PARTS)}"
            continue
        values = {name: value for name, value in item.items() if name not in {"id", "part"}}
        faults |= {f"{where}.{name}": f"{where}.{words}" for name, words in part_faults(item["part"], values).items()}
    return faults

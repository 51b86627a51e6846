"""What the content of a surgery template may be. Every fault is a sentence that names its key."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from subjects.rules.surgery import MOST_DAYS_AFTER, POST_OP_DAYS, SCORE_SHEET

OUTCOMES = ("a", "r", "n")
ROUTES = ("SC", "IP", "IM", "IV", "PO", "topical", "inhaled", "other")
REFERENCES = ("bregma", "lambda", "dura", "skull")

Check = Callable[[Any], str | None]
"""A value → what it is not, or None."""


def short_text(value: Any) -> str | None:
    """A text of 255 characters at most."""
    return None if isinstance(value, str) and len(value) <= 255 and "\x00" not in value else "a text"


def _name(value: Any) -> str | None:
    return short_text(value) or (None if value.strip() else "a name")


def _number(value: Any) -> str | None:
    fine = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return None if fine else "a number"


def long_text(value: Any) -> str | None:
    """A text of any length."""
    return None if isinstance(value, str) and "\x00" not in value else "a text"


def at_least_0(value: Any) -> str | None:
    """A number that is not negative."""
    return _number(value) or (None if value >= 0 else "a number from 0 on")


def positive(value: Any) -> str | None:
    """A number above 0."""
    return _number(value) or (None if value > 0 else "a number above 0")


def _truth(value: Any) -> str | None:
    return None if isinstance(value, bool) else "true or false"


def _day(value: Any) -> str | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return None if whole and 0 <= value <= MOST_DAYS_AFTER else f"a number of days from 0 to {MOST_DAYS_AFTER}"


def _highest(value: Any) -> str | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return None if whole and 1 <= value <= 10 else "a highest score from 1 to 10"


def one_of(*words: str) -> Check:
    """One of these words."""
    return lambda value: None if value in words else f"one of {', '.join(words)}"


_PLACE: dict[str, Check] = {
    "reference": one_of(*REFERENCES),
    "ap_mm": _number,
    "ml_mm": _number,
    "dv_mm": _number,
    "target": short_text,
}
PARTS: dict[str, dict[str, Check]] = {
    "headplate": {
        "headframe_type": short_text,
        "part_number": short_text,
        "well_type": short_text,
        "cement": short_text,
    },
    "craniotomy": {
        **_PLACE,
        "shape": one_of("circle", "square", "rectangle", "other"),
        "size_mm": positive,
        "second_size_mm": positive,
        "dura_removed": _truth,
        "cover": short_text,
    },
    "injection": {
        **_PLACE,
        "material": short_text,
        "type": one_of("P", "I", "O"),
        "volume_nl": positive,
        "rate_nl_per_min": positive,
        "duration_min": positive,
        "current_ua": _number,
        "angle_deg": _number,
    },
    "implant": {
        **_PLACE,
        "kind": one_of("probe", "fibre", "cannula", "other"),
        "name": short_text,
        "depth_mm": _number,
        "pitch_deg": _number,
        "yaw_deg": _number,
        "roll_deg": _number,
    },
    "perfusion": {"fixative": short_text, "volume_ml": positive, "specimen": short_text},
}
"""What a part is → the values a template may set."""
_DRUG: dict[str, Check] = {
    "drug": _name,
    "concentration_mg_per_ml": positive,
    "dose_mg_per_kg": positive,
    "dose_percent": positive,
    "route": one_of(*ROUTES),
    "repeat_h": positive,
}
_ITEM: dict[str, Check] = {"key": _name, "question": _name, "highest": _highest}
KEYS = (
    "procedures",
    "drugs",
    "parts",
    "implant_weight_g",
    "location",
    "outcome_type",
    "anaesthetic",
    "narrative",
    "events",
    "post_op_days",
    "score_sheet",
)


def template_faults(content: Any) -> dict[str, str]:
    """Where (`drugs[0].route`) → a sentence naming it; empty when the content is well formed."""
    if not isinstance(content, Mapping):
        return {"content": "content: must be an object with keys such as procedures, drugs and parts"}
    faults = {
        str(key): f"{key}: a template has no such key; it has {', '.join(KEYS)}" for key in content if key not in KEYS
    }
    scalars: dict[str, Check] = {
        "implant_weight_g": at_least_0,
        "location": short_text,
        "outcome_type": one_of(*OUTCOMES),
        "anaesthetic": short_text,
        "narrative": long_text,
    }
    for key, check in scalars.items():
        _note(faults, key, content.get(key), check)
    for key, each in (("procedures", _name), ("events", _name), ("post_op_days", _day)):
        for at, value in _listed(faults, content, key):
            _note(faults, f"{key}[{at}]", value, each)
    for at, drug in _listed(faults, content, "drugs"):
        _fields(faults, f"drugs[{at}]", drug, _DRUG, needed=("drug",))
    for at, part in _listed(faults, content, "parts"):
        _part(faults, f"parts[{at}]", part)
    seen: set[Any] = set()
    for at, item in _listed(faults, content, "score_sheet"):
        where = f"score_sheet[{at}]"
        _fields(faults, where, item, _ITEM, needed=("key", "question", "highest"))
        if isinstance(item, Mapping) and isinstance(item.get("key"), str):
            if item["key"] in seen:
                faults[f"{where}.key"] = f"{where}.key: {item['key']!r} is there twice"
            seen.add(item["key"])
    return faults


def _listed(faults: dict[str, str], content: Mapping[str, Any], key: str) -> list[tuple[int, Any]]:
    value = content.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        faults[key] = f"{key}: must be a list"
        return []
    return list(enumerate(value))


def _note(faults: dict[str, str], where: str, value: Any, check: Check) -> None:
    if value is not None and (not_a := check(value)) is not None:
        faults[where] = f"{where}: {value!r} is not {not_a}"


def _fields(
    faults: dict[str, str], where: str, value: Any, checks: Mapping[str, Check], needed: tuple[str, ...] = ()
) -> None:
    if not isinstance(value, Mapping):
        faults[where] = f"{where}: must be an object with {', '.join(checks)}"
        return
    for key in needed:
        if value.get(key) is None:
            faults[f"{where}.{key}"] = f"{where}.{key}: is missing"
    for key, said in value.items():
        if key not in checks:
            faults[f"{where}.{key}"] = f"{where}.{key}: unknown; it may have {', '.join(checks)}"
        else:
            _note(faults, f"{where}.{key}", said, checks[key])


def _part(faults: dict[str, str], where: str, part: Any) -> None:
    which = part.get("part") if isinstance(part, Mapping) else None
    if not isinstance(which, str) or which not in PARTS:
        faults[f"{where}.part"] = f"{where}.part: must be one of {', '.join(PARTS)}"
        return
    _fields(faults, where, {key: value for key, value in part.items() if key != "part"}, PARTS[which])


def days_after(content: Mapping[str, Any]) -> list[int]:
    """The days after the end on which the animal is looked at; an empty list means none."""
    days = content.get("post_op_days")
    return list(POST_OP_DAYS) if days is None else list(days)


def sheet_of(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is asked at each check."""
    return [dict(item) for item in content.get("score_sheet") or SCORE_SHEET]

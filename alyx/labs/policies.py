"""How a lab judges weight and water: decided by its head, kept with history, mirrored in the lab's own columns.

A past day is judged by the policy of that day, so a change never rewrites what was shown before it.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import combinations
from typing import Any

from django.db import connection, transaction
from django.db.models import F

from alyx.core import clock
from alyx.core.changes import locked, store
from alyx.core.errors import Invalid
from alyx.core.flags import Doubt, raise_flags
from alyx.labs.models import Lab, PolicyWindow, WelfarePolicy
from alyx.labs.percent import fraction
from alyx.labs.permissions import Right, authorise

PARTS = ("reference_weight_pct", "zscore_weight_pct")
NUMBERS = (*PARTS, "floor")

_MIRROR = """
UPDATE labs_lab l SET reference_weight_pct = p.reference_weight_pct, zscore_weight_pct = p.zscore_weight_pct
FROM (
    SELECT DISTINCT ON (own.lab_id) own.lab_id, own.reference_weight_pct, own.zscore_weight_pct
    FROM labs_welfarepolicy own JOIN labs_lab its ON its.id = own.lab_id
    WHERE own.from_on IS NULL OR own.from_on <= (alyx_now() AT TIME ZONE its.timezone)::date
    ORDER BY own.lab_id, own.from_on DESC NULLS LAST
) p
WHERE p.lab_id = l.id
  AND (l.reference_weight_pct, l.zscore_weight_pct) IS DISTINCT FROM (p.reference_weight_pct, p.zscore_weight_pct)
"""


@transaction.atomic
def set_policy(*, actor: Any, lab: Lab, values: Mapping[str, Any]) -> WelfarePolicy:
    """What holds in the lab from a day on; the policy of the same first day is changed.

    `values`: from_on (else today where the lab is; None: always), reference_weight_pct, zscore_weight_pct, floor (as
    fractions or percentages; what is not said stays as it was on that day), reason, windows (each a mapping with title,
    first_day and last_day or from_on and to_on, and the numbers that differ; they replace those there were).
    The first policy of a lab keeps what its columns said before. Raises Forbidden, Invalid; Doubtful in a form.
    """
    lab = locked(Lab.objects.all(), lab.pk)
    authorise(actor, lab, act="set the welfare policy", to=Right.HEAD)
    from_on: date | None = values["from_on"] if "from_on" in values else today_in(lab)
    numbers = {name: _part(values[name], name) for name in NUMBERS if values.get(name) is not None}
    windows = [_window(one) for one in values["windows"]] if values.get("windows") is not None else None
    _check_overlaps(windows or [])
    if from_on is not None and not lab.policies.exists():
        before = {name: _stored(getattr(lab, name)) for name in PARTS}
        WelfarePolicy.objects.create(lab=lab, reason="what the lab said before its first policy", **before)
    policy = lab.policies.filter(from_on=from_on).first()
    columns = {"decided_by": actor, **({"reason": values["reason"] or ""} if "reason" in values else {})}
    if policy is None:
        policy = WelfarePolicy.objects.create(
            lab=lab, from_on=from_on, **{**_held_on(lab, from_on), **numbers}, **columns
        )
    else:
        store(policy, {**numbers, **columns})
    if windows is not None:
        policy.windows.all().delete()
        PolicyWindow.objects.bulk_create([PolicyWindow(policy=policy, **one) for one in windows])
    if policy.reference_weight_pct + policy.zscore_weight_pct > 1:
        total = policy.reference_weight_pct + policy.zscore_weight_pct
        words = f"both parts together are {total:.0%}: no animal weighs more than it is expected to"
        doubt = Doubt(
            "policy-above-the-whole", words, {name: getattr(policy, name) for name in PARTS}, "correct a part"
        )
        raise_flags(WelfarePolicy, [(policy.pk, doubt)], lab_id=lab.pk)
    mirror_policies()
    return policy


def mirror_policies() -> int:
    """The columns of each lab that has a policy say what the one in force today says; how many labs changed.

    Called by a change and by the clock: a policy may begin on a day when nobody changes anything.
    """
    with connection.cursor() as cursor:
        cursor.execute(_MIRROR)
        return int(cursor.rowcount)


def today_in(lab: Lab) -> date:
    """Today's date where the lab is."""
    return clock.utc_to_wall(clock.now(), lab.timezone).date()


def change_parts(*, actor: Any, lab: Lab, parts: Mapping[str, float]) -> None:
    """New percentages of a lab, typed as columns of it: its policy from today on, if they say something new.

    Raises Forbidden, Invalid.
    """
    wanted = {name: _part(value, name) for name, value in parts.items()}
    if any(getattr(lab, name) != value for name, value in wanted.items()):
        set_policy(actor=actor, lab=lab, values=wanted)
        lab.refresh_from_db(fields=PARTS)


def as_parts(columns: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a lab, with its percentages as fractions. Raises Invalid."""
    return {name: _part(value, name) if name in PARTS else value for name, value in columns.items()}


def _part(value: Any, name: str) -> float:
    try:
        return fraction(value)
    except (TypeError, ValueError) as error:
        raise Invalid.of(name, str(error)) from None


def _stored(value: float) -> float:
    """What an old column says; nonsense there was never a threshold."""
    try:
        return fraction(value)
    except ValueError:
        return 0.0


def _held_on(lab: Lab, day: date | None) -> dict[str, float]:
    """The numbers before a policy begins: those of the policy before it, else the lab's columns."""
    earlier = lab.policies.filter(from_on__lt=day) | lab.policies.filter(from_on=None) if day else lab.policies.none()
    before = earlier.order_by(F("from_on").desc(nulls_last=True)).first()
    if before is not None:
        return {name: getattr(before, name) for name in NUMBERS}
    return {name: _stored(getattr(lab, name)) for name in PARTS}


def _window(said: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a window. Raises Invalid."""
    kinds = [("first_day", "last_day"), ("from_on", "to_on")]
    named = [kind for kind in kinds if all(said.get(name) is not None for name in kind)]
    title = str(said.get("title") or "").strip()
    if not title:
        raise Invalid.of("windows", "an exception has a title that says why")
    if len(named) != 1 or any(said.get(name) is not None for kind in kinds if kind not in named for name in kind):
        raise Invalid.of("windows", f"{title!r} needs either first_day and last_day, or from_on and to_on")
    first, last = named[0]
    if said[first] > said[last]:
        raise Invalid.of("windows", f"{title!r} ends before it begins")
    numbers = {name: _part(said[name], "windows") for name in NUMBERS if said.get(name) is not None}
    if not numbers:
        raise Invalid.of("windows", f"{title!r} changes no number")
    return {"title": title, first: said[first], last: said[last], **numbers}


def _check_overlaps(windows: Sequence[Mapping[str, Any]]) -> None:
    """On one day at most one window of a kind holds. Raises Invalid."""
    for first, last in (("first_day", "last_day"), ("from_on", "to_on")):
        alike = [one for one in windows if first in one]
        for one, other in combinations(alike, 2):
            if one[first] <= other[last] and other[first] <= one[last]:
                raise Invalid.of("windows", f"{one['title']!r} and {other['title']!r} overlap")

"""Who may do what to which animal: one table. Pure.

A person stands to an animal in one or more ways; an act is allowed when one of them is in its row.
"""

from enum import StrEnum


class Act(StrEnum):
    """What is done."""

    RECORD = "record"
    """Weigh, give water, move to a cage, note: whoever works in the lab may, or an animal goes without."""
    TREAT = "treat"
    """Operate, give drugs, restrict water, check after surgery."""
    MANAGE = "manage"
    """Change the animal's own record, its genotype, its responsible user; cull."""
    BREED = "breed"
    """Lines, pairs, litters, requests."""
    WITHDRAW = "withdraw"
    """Take out of every answer."""


class Stand(StrEnum):
    """How a person stands to an animal."""

    OWNER = "responsible user"
    DELEGATE = "delegate of the responsible user"
    STOCK_MANAGER = "stock manager of the lab"
    NOBODYS = "member, of an animal nobody is responsible for"
    EXPERIMENTER = "experimenter"
    RIG = "rig"
    DATA_MANAGER = "data manager"
    HEAD = "head of the lab"


_CLOSE = frozenset({Stand.OWNER, Stand.DELEGATE, Stand.NOBODYS, Stand.STOCK_MANAGER, Stand.HEAD, Stand.DATA_MANAGER})

TABLE: dict[Act, frozenset[Stand]] = {
    Act.RECORD: frozenset(Stand),
    Act.TREAT: _CLOSE | {Stand.EXPERIMENTER},
    Act.MANAGE: _CLOSE,
    Act.BREED: frozenset({Stand.STOCK_MANAGER, Stand.EXPERIMENTER, Stand.DATA_MANAGER, Stand.HEAD}),
    Act.WITHDRAW: frozenset({Stand.OWNER, Stand.DATA_MANAGER, Stand.HEAD}),
}


def stands(
    *,
    role: str | None,
    is_responsible: bool,
    is_delegate: bool,
    is_stock_manager: bool,
    has_responsible: bool,
    animal_is_stock: bool,
) -> set[Stand]:
    """How somebody with this role in the animal's lab stands to it. Without a writing role there: in no way at all.

    A stock manager's say is over breeding stock (animals of a stock manager) and animals of nobody.
    """
    by_role = {
        "experimenter": Stand.EXPERIMENTER,
        "rig": Stand.RIG,
        "data_manager": Stand.DATA_MANAGER,
        "head": Stand.HEAD,
    }
    if role not in by_role:
        return set()
    found = {by_role[role]}
    if role == "rig":
        return found
    if is_responsible:
        found.add(Stand.OWNER)
    if is_delegate:
        found.add(Stand.DELEGATE)
    if not has_responsible:
        found.add(Stand.NOBODYS)
    if is_stock_manager and (animal_is_stock or not has_responsible):
        found.add(Stand.STOCK_MANAGER)
    return found


def allowed(act: Act, ways: set[Stand]) -> bool:
    """Whether one of these ways is enough."""
    return bool(TABLE[act] & ways)


def needed(act: Act) -> str:
    """Which ways are enough, for people."""
    return ", ".join(sorted(str(way) for way in TABLE[act]))

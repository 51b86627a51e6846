"""Licences under which animals are used."""

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction

from alyx.core.changes import locked, store
from alyx.core.errors import Invalid
from alyx.core.rest.names import by_name
from alyx.labs.models import Lab, User
from alyx.labs.permissions import Right, authorise
from subjects.models import Licence

PLAIN = ("number", "title", "ethics_review_id", "from_on", "to_on")


@transaction.atomic
def create_licence(*, actor: Any, values: Mapping[str, Any]) -> Licence:
    """A new licence: `number`, `lab` (none: of every lab), `holder`, `title`, `ethics_review_id`, `from_on`, `to_on`.

    Raises Forbidden, Invalid (no number, a number the lab has already, an end before its beginning).
    """
    licence = Licence(**_columns({"number": "", **values}))
    authorise(actor, licence.lab, act="enter licences", to=Right.MANAGE)
    _check(licence)
    try:
        with transaction.atomic():
            licence.save(force_insert=True)
    except IntegrityError:
        raise _taken(licence) from None
    return licence


@transaction.atomic
def change_licence(*, actor: Any, licence: Licence, changes: Mapping[str, Any]) -> Licence:
    """Change what is sent. Raises Forbidden, Invalid, NotFound."""
    licence = locked(Licence.objects.select_related("lab"), licence.pk)
    authorise(actor, licence.lab, act="change licences", to=Right.MANAGE)
    columns = _columns(changes)
    if columns.get("lab", licence.lab) != licence.lab:
        authorise(actor, columns["lab"], act="enter licences", to=Right.MANAGE)
    try:
        with transaction.atomic():
            store(licence, columns)
    except IntegrityError:
        raise _taken(licence) from None
    _check(licence)
    return licence


def _columns(sent: Mapping[str, Any]) -> dict[str, Any]:
    columns = {name: sent[name] for name in PLAIN if name in sent}
    if "number" in columns:
        columns["number"] = (columns["number"] or "").strip()
    if "lab" in sent:
        columns["lab"] = by_name(Lab.objects.all(), sent["lab"], field="lab", what="lab") if sent["lab"] else None
    if "holder" in sent:
        people, name = User.objects.all(), sent["holder"]
        columns["holder"] = by_name(people, name, field="holder", what="user", column="username") if name else None
    return columns


def _check(licence: Licence) -> None:
    if not licence.number:
        raise Invalid.of("number", "a licence has a number")
    if licence.from_on and licence.to_on and licence.to_on < licence.from_on:
        raise Invalid.of("to_on", f"it ends {licence.to_on}, before it begins {licence.from_on}")


def _taken(licence: Licence) -> Invalid:
    where = f"lab {licence.lab.name}" if licence.lab else "no lab"
    return Invalid.of("number", f"{where} has a licence {licence.number!r} already")

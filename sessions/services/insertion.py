"""Making, changing and withdrawing probe insertions."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from alyx.core import clock
from alyx.core.changes import locked, store
from alyx.core.errors import Invalid
from sessions.models import ProbeInsertion, Session
from sessions.permissions import Right, authorise_session
from sessions.services.rows import implant_by_key, model_by_part, others, session_by_key
from subjects.models import Implant


def shown_insertions() -> QuerySet[ProbeInsertion]:
    """Those not withdrawn, of sessions not withdrawn."""
    return ProbeInsertion.objects.filter(withdrawn_at__isnull=True, session__withdrawn_at__isnull=True)


@transaction.atomic
def create_insertion(*, actor: Any, values: Mapping[str, Any]) -> ProbeInsertion:
    """A probe in a session; its serial number is that of the chronic insertion when it says none. `values` are wire fields.

    Raises Invalid (unknown session or model, a name the session has, serial numbers that do not agree), Forbidden.
    """
    if not values.get("session"):
        raise Invalid.of("session", "say in which session")
    session = session_by_key(values["session"])
    authorise_session(actor, session, act="register insertions", to=Right.PROBE)
    _refuse_taken(session, values["name"])
    columns = _columns(values)
    implant = columns.get("chronic_insertion")
    columns["serial"] = _agreed(columns.get("serial", ""), session, implant)
    made: ProbeInsertion = ProbeInsertion.objects.create(session=session, **columns)
    return made


@transaction.atomic
def change_insertion(*, actor: Any, insertion: ProbeInsertion, changes: Mapping[str, Any]) -> ProbeInsertion:
    """Change what is sent and nothing else. Raises Invalid, Forbidden, NotFound."""
    insertion = locked(shown_insertions().select_related("session__lab", "chronic_insertion"), insertion.pk)
    right = Right.ANNOTATE if set(changes) <= {"json"} else Right.PROBE  # QC and alignments live in the json
    authorise_session(actor, insertion.session, act="change insertions", to=right)
    columns = _columns(changes)
    session = insertion.session
    if changes.get("session") and changes["session"] != session.pk:
        session = columns["session"] = session_by_key(changes["session"])
        authorise_session(actor, session, act="register insertions", to=Right.PROBE)
    name = columns.get("name", insertion.name)
    if (session.pk, name) != (insertion.session_id, insertion.name):
        _refuse_taken(session_by_key(session.pk), name, but=insertion)
    if not columns.keys().isdisjoint({"serial", "chronic_insertion", "session"}):
        implant = columns.get("chronic_insertion", insertion.chronic_insertion)
        columns["serial"] = _agreed(columns.get("serial", insertion.serial), session, implant)
    store(insertion, columns)
    return insertion


@transaction.atomic
def withdraw_insertion(*, actor: Any, insertion: ProbeInsertion) -> None:
    """Out of every answer, with its trajectories and channels; its datasets are the session's and stay. Raises Forbidden,
    NotFound."""
    insertion = locked(shown_insertions().select_related("session__lab"), insertion.pk)
    authorise_session(actor, insertion.session, act="withdraw insertions")
    store(insertion, {"withdrawn_at": clock.now()})


def _columns(sent: Mapping[str, Any]) -> dict[str, Any]:
    """Our columns for what was sent, but for the session."""
    columns: dict[str, Any] = {name: sent[name] for name in ("name", "json") if name in sent}
    if "serial" in sent:
        columns["serial"] = sent["serial"].strip()
    if "model" in sent:
        columns["model"] = model_by_part(sent["model"])
    if "chronic_insertion" in sent:
        columns["chronic_insertion"] = implant_by_key(sent["chronic_insertion"])
    return columns


def _refuse_taken(session: Session, name: str, but: ProbeInsertion | None = None) -> None:
    """Raise Invalid when the (locked) session has an insertion of this name already."""
    taken = ProbeInsertion.objects.filter(session=session, name=name, withdrawn_at__isnull=True)
    there = others(taken, but).first()
    if there is not None:
        raise Invalid(
            f"session {session} has an insertion {name!r} already: {there.pk}",
            fields={"name": f"the fields session, name must make a unique set; {name!r} is insertion {there.pk}"},
        )


def _agreed(serial: str, session: Session, implant: Implant | None) -> str:
    """The serial number, when all agrees. Raises Invalid."""
    if implant is None:
        return serial
    if implant.subject_id != session.subject_id:
        raise Invalid.of("chronic_insertion", f"{implant.pk} is in another animal than session {session}")
    if serial and implant.serial and serial != implant.serial:
        raise Invalid.of("serial", f"{serial!r} is not that of the chronic insertion, {implant.serial!r}")
    return serial or implant.serial

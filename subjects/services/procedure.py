"""Kinds of procedures: a controlled vocabulary."""

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction

from alyx.core.errors import Invalid
from alyx.labs.permissions import MANAGING_ROLES, authorise_anywhere
from subjects.models import ProcedureType


@transaction.atomic
def create_procedure_type(*, actor: Any, values: Mapping[str, Any]) -> ProcedureType:
    """A new kind of procedure. Raises Forbidden, Invalid when the name is taken."""
    authorise_anywhere(actor, act="extend the vocabulary of procedures", roles=MANAGING_ROLES)
    try:
        with transaction.atomic():
            return ProcedureType.objects.create(**values)
    except IntegrityError:
        raise Invalid.of("name", f"there is a procedure named {values['name']!r} already") from None

"""A migration that makes many tables in a moment.

Django renders every related model anew after each operation; with audit triggers on each table, a hundred tables take minutes.
`Together` takes the operations that `makemigrations` wrote, applies them to the state at once, and then makes the tables, columns
and triggers from the final state. What it cannot do it refuses.
"""

from collections.abc import Sequence
from typing import Any

from django.db.migrations import operations as ops
from django.db.migrations.operations.base import Operation
from pgtrigger.migrations import AddTrigger, RemoveTrigger

ON_TABLES = (ops.AddField, ops.AddIndex, ops.AddConstraint, ops.RemoveConstraint, ops.RemoveIndex)
ON_OLD_ONLY = (ops.AlterField, ops.AlterModelOptions)


class Together(Operation):
    """The given operations, as one. Not reversible."""

    reversible = False

    def __init__(self, operations: Sequence[Operation]) -> None:
        self.operations = list(operations)

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Apply them to the state, rendering nothing in between."""
        state.__dict__.pop("apps", None)
        for operation in self.operations:
            operation.state_forwards(app_label, state)

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Old triggers off, new tables, changes of old tables, new triggers on."""
        made = {one.name_lower for one in self.operations if isinstance(one, ops.CreateModel)}
        self._run(RemoveTrigger, app_label, schema_editor, from_state, to_state)
        for operation in self.operations:
            if isinstance(operation, ops.CreateModel):
                operation.database_forwards(app_label, schema_editor, from_state, to_state)
            elif isinstance(operation, (*ON_TABLES, *ON_OLD_ONLY)):
                name = getattr(operation, "model_name_lower", None) or getattr(operation, "name_lower", "")
                if name not in made:
                    operation.database_forwards(app_label, schema_editor, from_state, to_state)
            elif not isinstance(operation, (AddTrigger, RemoveTrigger)):
                message = f"Together cannot do {operation!r}"
                raise TypeError(message)
        self._run(AddTrigger, app_label, schema_editor, from_state, to_state)

    def _run(self, kind: type[Operation], app_label: str, editor: Any, from_state: Any, to_state: Any) -> None:
        for operation in self.operations:
            if isinstance(operation, kind):
                operation.database_forwards(app_label, editor, from_state, to_state)

    def describe(self) -> str:
        """For the command's output."""
        return f"{len(self.operations)} operations together"

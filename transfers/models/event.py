"""The history of everything in the engine that has a state, written by triggers."""

import pgtrigger
from django.db import models

from alyx.core.audit import no_truncate
from alyx.core.clock import AlyxNow


class Event(models.Model):
    """One state change of a window, job or item: when, what, from, to, and the audit context it happened in."""

    seq = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(db_default=AlyxNow())
    kind = models.CharField(max_length=32, help_text="window, job or item")
    subject_id = models.UUIDField()
    old = models.CharField(max_length=16, blank=True, default="")
    new = models.CharField(max_length=16)
    data = models.JSONField(default=dict)
    context = models.JSONField(null=True, help_text="actor, request, path, reason")

    class Meta:
        ordering = ["seq"]
        indexes = [models.Index(fields=["subject_id", "seq"], name="events_of_a_subject")]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            no_truncate(),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.old} → {self.new}"


# EXECUTE plans each time: a plan kept from a change of one row would join thousands of rows one by one.
_INSERT = """
    EXECUTE $insert$
        INSERT INTO transfers_event (kind, subject_id, old, new, data, context)
        SELECT '{kind}', n.id, {old}, n.state, {data}, nullif(current_setting('pghistory.context_metadata', true), '')::jsonb
        FROM {rows}
    $insert$;
    RETURN NULL;
"""


def recorded_states(kind: str, data: str = "'{}'::jsonb") -> list[pgtrigger.Trigger]:
    """Triggers that record each state a row of this table takes. `data` is SQL over the new row `n`."""
    return [
        pgtrigger.Trigger(
            name="record_birth",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=pgtrigger.Insert,
            referencing=pgtrigger.Referencing(new="new_rows"),
            func=_INSERT.format(kind=kind, old="''", data=data, rows="new_rows n"),
        ),
        pgtrigger.Trigger(
            name="record_moves",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=pgtrigger.Update,
            referencing=pgtrigger.Referencing(old="old_rows", new="new_rows"),
            func=_INSERT.format(
                kind=kind,
                old="o.state",
                data=data,
                rows="new_rows n JOIN old_rows o ON o.id = n.id AND o.state <> n.state",
            ),
        ),
    ]

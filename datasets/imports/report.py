"""What an import did, model by model. Every object that was read is in exactly one count."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

SHOWN = 100
"""So many examples of each kind are kept for each model: a report is read by people."""

OUTCOMES = ("created", "unchanged", "differs", "remapped", "refused", "not_yet_supported")


@dataclass
class Tally:
    """One model."""

    read: int = 0
    created: int = 0
    unchanged: int = 0
    differs: int = 0
    remapped: int = 0
    refused: int = 0
    not_yet_supported: int = 0
    flagged: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    def note(self, kind: str, **facts: Any) -> None:
        """Keep an example."""
        kept = self.examples.setdefault(kind, [])
        if len(kept) < SHOWN:
            kept.append({name: str(value) for name, value in facts.items()})

    def refuse(self, key: Any, reason: str) -> None:
        """Count one that is not taken in."""
        self.refused += 1
        self.reasons[reason] += 1
        self.note("refused", key=key, reason=reason)

    def add(self, other: "Tally") -> None:
        """Take over what a batch counted."""
        self.read += other.read
        for name in OUTCOMES:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.flagged += other.flagged
        self.reasons += other.reasons
        self.left_out += other.left_out
        for kind, rows in other.examples.items():
            kept = self.examples.setdefault(kind, [])
            kept += rows[: SHOWN - len(kept)]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        counts = {name: getattr(self, name) for name in ("read", *OUTCOMES)}
        return {
            **counts,
            "flagged": dict(sorted(self.flagged.items())),
            "reasons": dict(self.reasons.most_common()),
            "fields_left_out": dict(sorted(self.left_out.items())),
            "examples": self.examples,
        }


@dataclass
class Report:
    """The whole import."""

    file: str
    dry_run: bool = False
    models: dict[str, Tally] = field(default_factory=dict)

    def of(self, label: str) -> Tally:
        """The model's tally."""
        return self.models.setdefault(label, Tally())

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "file": self.file,
            "dry_run": self.dry_run,
            "total": {name: sum(getattr(one, name) for one in self.models.values()) for name in ("read", *OUTCOMES)},
            "models": {label: tally.as_json() for label, tally in self.models.items()},
        }

    def lines(self) -> list[str]:
        """For people."""
        heads = ("read", "created", "unchanged", "differs", "remapped", "refused", "unsupported", "flags")
        wide = max([5, *map(len, self.models)])
        lines = [f"{'model':{wide}}" + "".join(f"{head:>12}" for head in heads)]
        for label, tally in self.models.items():
            counts = [getattr(tally, name) for name in ("read", *OUTCOMES)] + [sum(tally.flagged.values())]
            lines.append(f"{label:{wide}}" + "".join(f"{count:>12}" for count in counts))
        for label, tally in self.models.items():
            lines += _said(label, tally)
        if self.dry_run:
            lines.append("A dry run: nothing was changed.")
        return lines


def _said(label: str, tally: Tally) -> list[str]:
    lines = [f"{label}: flagged {count} × {rule}" for rule, count in tally.flagged.most_common()]
    lines += [f"{label}: refused {count}: {reason}" for reason, count in tally.reasons.most_common(SHOWN)]
    lines += [
        f"{label}: {count} × {name} has no place here yet and was left out"
        for name, count in tally.left_out.most_common()
    ]
    if tally.not_yet_supported:
        lines.append(f"{label}: {tally.not_yet_supported} not yet supported")
    lines += [
        f"{label}: {row['key']} is here as {row['ours']} ({row['name']}): used from now on{row['more']}"
        for row in tally.examples.get("remapped", [])[:20]
    ]
    lines += [
        f"{label}: {row['key']} differs, ours stays: {row['fields']}" for row in tally.examples.get("differs", [])[:20]
    ]
    return lines

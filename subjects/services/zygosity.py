"""Applying the rules of lines to the tests of animals: what follows is written, what was said stays, what contradicts is flagged."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.contrib.contenttypes.models import ContentType

from alyx.core.clock import AlyxNow
from alyx.core.flags import Doubt, raise_flags
from alyx.core.models import FlagState, ReviewFlag
from subjects.models import Allele, Basis, GenotypeTest, Line, Subject, Zygosity, ZygosityRule
from subjects.rules.genotype import Decision, Found, Rule, State, contradicts, decide

CONFLICT = "genotype-conflict"


def apply_rules_of_line(line: Line) -> None:
    """For every animal of the line."""
    apply_rules(Subject.objects.shown().filter(line=line).values_list("pk", flat=True))


def apply_rules(keys: Iterable[UUID]) -> None:
    """Bring the zygosities of these animals into step with their tests and the rules of their lines.

    For use in a transaction: it locks the animals. A constant number of statements.
    """
    wanted = list(keys)
    animals = list(Subject.objects.filter(pk__in=wanted).order_by("pk").select_for_update(no_key=True))
    rules = rules_of({animal.line_id for animal in animals if animal.line_id})
    tests = tests_of(wanted)
    known: dict[UUID, dict[str, Zygosity]] = {}
    for row in Zygosity.objects.filter(subject__in=wanted).select_related("allele"):
        known.setdefault(row.subject_id, {})[row.allele.nickname] = row
    steps = _Steps()
    for animal in animals:
        rows = known.get(animal.pk, {})
        decided = decide(tests.get(animal.pk, []), rules.get(animal.line_id, []) if animal.line_id else [], rows)
        for name, decision in decided.items():
            steps.take(animal, rows.get(name), decision)
    steps.write()
    _settle(animals, steps.doubts)


class _Steps:
    """What has to be written, gathered."""

    def __init__(self) -> None:
        self.new: list[tuple[Subject, str, State, str]] = []
        self.changed: list[Zygosity] = []
        self.gone: list[UUID] = []
        self.doubts: dict[UUID, list[Doubt]] = {}

    def take(self, animal: Subject, row: Zygosity | None, decision: Decision) -> None:
        """One allele of one animal."""
        state = decision.state
        if row is None:
            if state is not None:
                self.new.append((animal, decision.allele, state, decision.why))
        elif row.basis == Basis.TESTS and state is None:
            self.gone.append(row.pk)
        else:
            columns = {"state": state, "derived": state, "why": decision.why}
            self._set(row, columns if row.basis == Basis.TESTS else {"derived": state})
        if decision.is_conflict:
            facts = {"allele": decision.allele, "tests": list(decision.tests), "rules": list(decision.rules)}
            self._doubt(animal, f"{decision.allele}: {decision.why}", facts, "look at the tests and the rules")
        elif row is not None and row.basis != Basis.TESTS and contradicts(State(row.state), state):
            said, told = State(row.state).word, State(state or 0).word
            facts = {"allele": decision.allele, "zygosity": said, "basis": row.basis, "derived": told}
            text = f"{decision.allele} is said to be {said} ({row.get_basis_display()}), but {decision.why}"
            self._doubt(animal, text, facts, "correct a test, or let the tests decide")

    def _set(self, row: Zygosity, columns: Mapping[str, Any]) -> None:
        if any(getattr(row, name) != value for name, value in columns.items()):
            for name, value in columns.items():
                setattr(row, name, value)
            self.changed.append(row)

    def _doubt(self, animal: Subject, text: str, facts: Mapping[str, Any], fix: str) -> None:
        self.doubts.setdefault(animal.pk, []).append(Doubt(CONFLICT, text, facts, fix, ("zygosity",)))

    def write(self) -> None:
        """In one statement each."""
        Zygosity.objects.filter(pk__in=self.gone).delete()
        Zygosity.objects.bulk_update(self.changed, ["state", "derived", "why"], batch_size=2000)
        alleles = {
            row.nickname: row for row in Allele.objects.filter(nickname__in={name for _, name, _, _ in self.new})
        }
        Zygosity.objects.bulk_create(
            [
                Zygosity(subject=animal, allele=alleles[name], state=state, basis=Basis.TESTS, derived=state, why=why)
                for animal, name, state, why in self.new
            ],
            batch_size=2000,
        )


def _settle(animals: Sequence[Subject], doubts: Mapping[UUID, Sequence[Doubt]]) -> None:
    """Close what agrees again, open what does not; what somebody has dismissed stays dismissed."""
    kind = ContentType.objects.get_for_model(Subject)
    flags = ReviewFlag.objects.filter(content_type=kind, object_id__in=[one.pk for one in animals], rule=CONFLICT)
    standing = {(key, doubt.fingerprint) for key, found in doubts.items() for doubt in found}
    over: list[UUID] = []
    dismissed: set[tuple[UUID, str]] = set()
    told = flags.exclude(state=FlagState.RESOLVED).values_list("pk", "object_id", "fingerprint", "state")
    for flag, key, fingerprint, state in told:
        if state == FlagState.DISMISSED:
            dismissed.add((key, fingerprint))
        elif (key, fingerprint) not in standing:
            over.append(flag)
    ReviewFlag.objects.filter(pk__in=over, state=FlagState.OPEN).update(
        state=FlagState.RESOLVED, decided_at=AlyxNow(), decision="tests and zygosity have changed: it stands no more"
    )
    for lab in {one.lab_id for one in animals}:
        fresh = [
            (one.pk, doubt)
            for one in animals
            for doubt in doubts.get(one.pk, [])
            if one.lab_id == lab and (one.pk, doubt.fingerprint) not in dismissed
        ]
        raise_flags(Subject, fresh, lab_id=lab, standing=True)


def rules_of(lines: Iterable[UUID]) -> dict[UUID, list[Rule]]:
    """The rules of each line."""
    found: dict[UUID, list[Rule]] = {}
    rows = ZygosityRule.objects.filter(line__in=list(lines)).select_related("allele", "sequence0", "sequence1")
    for row in rows:
        needs = {Found(row.sequence0.name, bool(row.result0))}
        if row.sequence1 is not None:
            needs.add(Found(row.sequence1.name, bool(row.result1)))
        found.setdefault(row.line_id, []).append(Rule(row.allele.nickname, frozenset(needs), State(row.state)))
    return found


def tests_of(keys: Iterable[UUID]) -> dict[UUID, list[Found]]:
    """The results of each animal."""
    found: dict[UUID, list[Found]] = {}
    rows = GenotypeTest.objects.filter(subject__in=list(keys)).order_by()
    for key, name, result in rows.values_list("subject_id", "sequence__name", "result"):
        found.setdefault(key, []).append(Found(name, bool(result)))
    return found

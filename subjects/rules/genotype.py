"""What tests say about alleles, and what parents suggest. Pure, total, and independent of the order of rows.

A rule of a line reads: these results of one or two sequences mean this state of this allele. For an allele,
contradictory tests of a sequence that its rules use are a conflict; else, of the rules whose results were all found, those with
more sequences decide, and if they do not agree that is a conflict too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from itertools import product


class State(IntEnum):
    """What an animal carries of an allele. The numbers are those of the wire."""

    ABSENT = 0
    HETEROZYGOUS = 1
    HOMOZYGOUS = 2
    PRESENT = 3

    @property
    def word(self) -> str:
        """In words."""
        return self.name.lower()


CARRYING = frozenset({State.HETEROZYGOUS, State.HOMOZYGOUS})


@dataclass(frozen=True, order=True)
class Found:
    """A result: whether a sequence was found."""

    sequence: str
    present: bool

    def __str__(self) -> str:
        return f"{self.sequence} {'present' if self.present else 'absent'}"


@dataclass(frozen=True)
class Rule:
    """These results mean this state of this allele."""

    allele: str
    needs: frozenset[Found]
    state: State

    def __str__(self) -> str:
        return f"{' and '.join(map(str, sorted(self.needs)))} → {self.state.word}"


@dataclass(frozen=True)
class Decision:
    """What is known of an allele, and why. No state: not decided."""

    allele: str
    state: State | None
    why: str
    is_conflict: bool = False
    rules: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()


def decide(tests: Iterable[Found], rules: Iterable[Rule], alleles: Iterable[str] = ()) -> dict[str, Decision]:
    """Per allele (those of the rules, and those given besides): its state, or why it is not decided."""
    found = frozenset(tests)
    by_allele: dict[str, set[Rule]] = {allele: set() for allele in alleles}
    for rule in rules:
        by_allele.setdefault(rule.allele, set()).add(rule)
    return {allele: _decide(allele, found, by_allele[allele]) for allele in sorted(by_allele)}


def _decide(allele: str, found: frozenset[Found], rules: set[Rule]) -> Decision:
    usable = sorted((rule for rule in rules if rule.needs), key=_order)
    if not usable:
        return Decision(allele, None, f"the line has no rule for {allele}")
    used = sorted({need.sequence for rule in usable for need in rule.needs})
    tests = sorted(one for one in found if one.sequence in used)
    told = tuple(map(str, tests))
    twice = [name for name in used if {Found(name, True), Found(name, False)} <= found]
    if twice:
        why = f"{', '.join(twice)}: one test found it and another did not; repeat it or remove the wrong one"
        return Decision(allele, None, why, is_conflict=True, tests=told)
    fitting = [rule for rule in usable if rule.needs <= found]
    if not fitting:
        return Decision(allele, None, _missing(used, tests), tests=told)
    most = max(len(rule.needs) for rule in fitting)
    deciding = [rule for rule in fitting if len(rule.needs) == most]
    reasons = tuple(map(str, deciding))
    states = {rule.state for rule in deciding}
    if len(states) > 1:
        why = f"rules disagree: {'; '.join(reasons)}; correct the rules of the line"
        return Decision(allele, None, why, is_conflict=True, rules=reasons, tests=told)
    return Decision(allele, states.pop(), f"tests: {', '.join(told)}; rule: {'; '.join(reasons)}", False, reasons, told)


def _order(rule: Rule) -> tuple[int, list[Found], int]:
    return (-len(rule.needs), sorted(rule.needs), rule.state)


def _missing(used: Sequence[str], tests: Sequence[Found]) -> str:
    untested = [name for name in used if name not in {one.sequence for one in tests}]
    if untested:
        return f"no test yet of {', '.join(untested)}"
    return f"no rule for {', '.join(map(str, tests))}"


def contradicts(said: State, derived: State | None) -> bool:
    """Whether what was said and what the tests say cannot both be true: "present" is less said than het or hom, not against it."""
    if derived is None or said == derived:
        return False
    return not (State.PRESENT in (said, derived) and {said, derived} & CARRYING)


@dataclass(frozen=True)
class Suggestion:
    """What the parents let expect of an allele. `state` is what is certain, None when nothing is; nobody applies it but a person."""

    allele: str
    state: State | None
    chances: tuple[tuple[State, str], ...]
    why: str


_WORDS = {Fraction(1): "certain", Fraction(3, 4): "3 in 4", Fraction(1, 2): "1 in 2", Fraction(1, 4): "1 in 4"}
_MAY_BE: Mapping[State | None, tuple[State, ...]] = {
    State.ABSENT: (State.ABSENT,),
    State.HETEROZYGOUS: (State.HETEROZYGOUS,),
    State.HOMOZYGOUS: (State.HOMOZYGOUS,),
    State.PRESENT: (State.HETEROZYGOUS, State.HOMOZYGOUS),
    None: (State.ABSENT, State.HETEROZYGOUS, State.HOMOZYGOUS),
}
_PASSED_ON = {State.ABSENT: Fraction(0), State.HETEROZYGOUS: Fraction(1, 2), State.HOMOZYGOUS: Fraction(1)}


def infer(allele: str, father: State | None, mothers: Sequence[State | None]) -> Suggestion:
    """What pups of these parents carry, for an allele on an autosome. None: not known of that parent.

    With several mothers nobody knows whose pup it is, so only what holds for each is certain.
    """
    mothers = tuple(mothers) or (None,)
    crosses = sorted({cross for mother in mothers for cross in product(_MAY_BE[father], _MAY_BE[mother])})
    spreads = [_spread(*cross) for cross in crosses]
    possible = sorted({state for spread in spreads for state in spread})
    why = f"father {_said(father)}, {' or '.join(f'mother {said}' for said in sorted({_said(one) for one in mothers}))}"
    if len(spreads) == 1:
        chances = tuple((state, _WORDS[spreads[0][state]]) for state in possible)
    else:
        chances = tuple((state, "possible") for state in possible)
    if len(possible) == 1:
        return Suggestion(allele, possible[0], ((possible[0], "certain"),), f"{why}: {possible[0].word} is certain")
    told = ", ".join(f"{state.word} {chance}" for state, chance in chances)
    if set(possible) <= CARRYING:
        return Suggestion(allele, State.PRESENT, chances, f"{why}: {told}; it is present in any case")
    return Suggestion(allele, None, chances, f"{why}: {told}")


def _said(state: State | None) -> str:
    return "not known" if state is None else state.word


def _spread(one: State, other: State) -> dict[State, Fraction]:
    """The chance of each state of a pup; what cannot be is left out."""
    a, b = _PASSED_ON[one], _PASSED_ON[other]
    chances = {
        State.ABSENT: (1 - a) * (1 - b),
        State.HETEROZYGOUS: a * (1 - b) + b * (1 - a),
        State.HOMOZYGOUS: a * b,
    }
    return {state: chance for state, chance in chances.items() if chance}

"""How animals look: sex and age, genotype, weight and water of a day."""

from datetime import date
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from alyx.core import clock
from alyx.core.admin_shown import badge, page_now
from alyx.core.status import Status
from subjects.models import Subject, Zygosity, ZygosityState
from subjects.rules.age import age_weeks
from subjects.rules.genotype import State, contradicts

SHORT = {
    ZygosityState.ABSENT: "absent",
    ZygosityState.HETEROZYGOUS: "het",
    ZygosityState.HOMOZYGOUS: "hom",
    ZygosityState.PRESENT: "present",
}
WEIGHT_WORDS = {
    Status.FINE: "fine",
    Status.WARNING: "warning",
    Status.FAILED: "below",
    Status.CRITICAL: "critical",
    Status.NEUTRAL: "",
}


def today_of(subject: Subject) -> date:
    """The date in the animal's lab."""
    return clock.utc_to_wall(page_now(), subject.lab.timezone).date()


def age_of(subject: Subject) -> SafeString | str:
    """In weeks, to death or to today in its lab."""
    if subject.born_on is None:
        return "–"
    weeks = age_weeks(subject.born_on, subject.died_on, today_of(subject))
    return format_html('<span title="born {}">{} w</span>', subject.born_on, weeks)


def standing_of(subject: Subject) -> SafeString:
    """Alive or dead, and what is to be done with it."""
    if subject.died_on:
        return badge(Status.NEUTRAL, "dead", f"died {subject.died_on}")
    if subject.to_be_culled:
        return badge(Status.WARNING, "to be culled")
    return badge(Status.FINE, "alive", "to be genotyped" if subject.to_be_genotyped else "")


def in_conflict(zygosity: Zygosity) -> bool:
    """Whether what is said and what the tests say cannot both be true."""
    if zygosity.derived is None:
        return False
    return contradicts(State(zygosity.state), State(zygosity.derived))


def genotype_of(subject: Subject) -> SafeString | str:
    """What it carries, allele by allele (prefetched); marked where the tests say something else."""
    rows = subject.zygosities.all()
    if not rows:
        return "–"
    return format_html_join(" ", '<span class="allele">{} {}{}</span>', ((*_allele(row),) for row in rows))


def _allele(row: Zygosity) -> tuple[Any, ...]:
    derived = "" if row.derived is None else State(row.derived).word
    mark = badge(Status.WARNING, "conflict", f"the tests say {derived}") if in_conflict(row) else ""
    return (row.allele.nickname, format_html("<b>{}</b> ", SHORT[ZygosityState(row.state)]), mark)


def weight_of(day: Any) -> SafeString | str:
    """Per cent of the expected weight with its state; grams where there is nothing to compare with."""
    if day is None:
        return ""
    if day.percentage is None:
        return f"{day.weight_g:.1f} g" if day.weight_g is not None else ""
    hint = f"{day.weight_g:.1f} g of {day.expected_g:.1f} g expected" if day.expected_g is not None else ""
    return badge(day.status, f"{day.percentage:.0f} % {WEIGHT_WORDS[day.status]}".strip(), hint)


def water_of(day: Any) -> str:
    """What is still to be given today; nothing is said of animals that are not restricted."""
    if day is None or not day.is_restricted:
        return ""
    if day.remaining_ml is None:  # blank would read as: drinks freely
        why = day.why_not.get("remaining_ml", "")
        return "ad lib" if day.is_adlib else format_html('<span title="{}">not available</span>', why)
    return f"{max(0.0, day.remaining_ml):.2f} mL"

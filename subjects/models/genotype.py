"""What tests found in an animal, and what that means for its alleles."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from alyx.core.audit import audited
from alyx.core.json_column import JSONColumn
from alyx.core.records import Record
from subjects.models.colony import Allele, Line, Sequence
from subjects.models.subject import Subject


class TestResult(models.IntegerChoices):
    """As on the wire."""

    __test__ = False  # not a test of ours
    ABSENT = 0, "absent"
    PRESENT = 1, "present"


class ZygosityState(models.IntegerChoices):
    """As on the wire."""

    ABSENT = 0, "absent"
    HETEROZYGOUS = 1, "heterozygous"
    HOMOZYGOUS = 2, "homozygous"
    PRESENT = 3, "present"


class Basis(models.TextChoices):
    """How a zygosity is known."""

    TESTS = "tests", "by the rules, from tests"
    TYPED = "typed", "typed by a person"
    PARENTS = "parents", "accepted from the parents"
    IMPORTED = "imported", "imported"


@audited()
class GenotypeTest(Record):
    """One test of one sequence in one animal."""

    subject = models.ForeignKey(Subject, on_delete=models.PROTECT, related_name="genotype_tests")
    sequence = models.ForeignKey(Sequence, on_delete=models.PROTECT, related_name="tests")
    result = models.SmallIntegerField(choices=TestResult)
    tested_on = models.DateField(null=True, blank=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="genotype_tests"
    )
    name = models.CharField(max_length=255, blank=True, default="")
    json = JSONColumn(null=True, blank=True)

    class Meta(Record.Meta):
        ordering = ["subject", "sequence__name", "-created_at", "id"]

    def __str__(self) -> str:
        return f"{self.subject}: {self.sequence} {self.get_result_display()}"


@audited()
class Zygosity(Record):
    """What an animal carries of an allele.

    `derived` is what the rules make of the tests; where it differs from `state` the page shows a conflict, and nobody overwrites.
    """

    subject = models.ForeignKey(Subject, on_delete=models.PROTECT, related_name="zygosities")
    allele = models.ForeignKey(Allele, on_delete=models.PROTECT, related_name="zygosities")
    state = models.SmallIntegerField(choices=ZygosityState)
    basis = models.CharField(max_length=8, choices=Basis, default=Basis.TYPED)
    derived = models.SmallIntegerField(choices=ZygosityState, null=True, blank=True, editable=False)
    why = models.TextField(blank=True, default="", help_text="the rule and the tests, or the parents, it follows from")
    json = JSONColumn(null=True, blank=True)

    class Meta(Record.Meta):
        ordering = ["subject", "allele__nickname", "id"]
        verbose_name_plural = "zygosities"
        constraints = [models.UniqueConstraint(fields=["subject", "allele"], name="one_zygosity_per_allele")]

    def __str__(self) -> str:
        return f"{self.allele} {self.get_state_display()}"


@audited()
class ZygosityRule(Record):
    """In a line, these results of one or two sequences mean this zygosity of this allele."""

    line = models.ForeignKey(Line, on_delete=models.CASCADE, related_name="zygosity_rules")
    allele = models.ForeignKey(Allele, on_delete=models.PROTECT, related_name="zygosity_rules")
    sequence0 = models.ForeignKey(Sequence, on_delete=models.PROTECT, related_name="+")
    result0 = models.SmallIntegerField(choices=TestResult)
    sequence1 = models.ForeignKey(Sequence, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    result1 = models.SmallIntegerField(choices=TestResult, null=True, blank=True)
    state = models.SmallIntegerField(choices=ZygosityState)

    class Meta(Record.Meta):
        ordering = ["line", "allele__nickname", "sequence0__name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["line", "allele", "sequence0", "result0", "sequence1", "result1"],
                nulls_distinct=False,
                name="one_meaning_per_results",
            ),
            models.CheckConstraint(
                condition=Q(sequence1__isnull=True, result1__isnull=True)
                | Q(sequence1__isnull=False, result1__isnull=False),
                name="second_sequence_with_its_result",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.line}: {self.allele} {self.get_state_display()}"

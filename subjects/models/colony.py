"""The colony: what animals are, where they come from, who bred with whom, and who asked for them."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from alyx.core.audit import audited, audited_links
from alyx.core.json_column import JSONColumn
from alyx.core.records import Record
from alyx.labs.models import Lab
from subjects.models.vocabulary import Word


@audited()
class Species(Word):
    """A species, by its Latin name."""

    nickname = models.CharField(max_length=255, blank=True, default="")
    registry_id = models.CharField(max_length=64, blank=True, default="", help_text="e.g. NCBI:txid10090, for exports")

    class Meta(Word.Meta):
        verbose_name_plural = "species"


@audited()
class Strain(Word):
    """A strain. Growth curves may be its own."""

    registry_id = models.CharField(max_length=64, blank=True, default="", help_text="e.g. MGI:3028467, for exports")

    class Meta(Word.Meta):
        pass


@audited()
class Source(Word):
    """Where animals come from."""

    class Meta(Word.Meta):
        pass


@audited()
class Sequence(Word):
    """What a genotype test looks for."""

    base_pairs = models.TextField(blank=True, default="")

    class Meta(Word.Meta):
        pass


@audited()
class Allele(Record):
    """A gene variant of lines, found by its sequences."""

    nickname = models.CharField(max_length=255, unique=True, help_text="its name on the wire")
    name = models.CharField(max_length=255, blank=True, default="", help_text="the full symbol")
    sequences = models.ManyToManyField(Sequence, blank=True, related_name="alleles")
    json = JSONColumn(null=True, blank=True)

    class Meta(Record.Meta):
        ordering = ["nickname"]

    def __str__(self) -> str:
        return self.nickname


@audited()
class Line(Record):
    """A breeding line. Its nickname begins the automatic names of its animals, pairs and litters; the counters never go back."""

    name = models.CharField(max_length=255)
    nickname = models.CharField(max_length=64, blank=True, default="")
    lab = models.ForeignKey(Lab, null=True, blank=True, on_delete=models.PROTECT, related_name="lines")
    species = models.ForeignKey(Species, null=True, blank=True, on_delete=models.PROTECT, related_name="lines")
    strain = models.ForeignKey(Strain, null=True, blank=True, on_delete=models.PROTECT, related_name="lines")
    source = models.ForeignKey(Source, null=True, blank=True, on_delete=models.PROTECT, related_name="lines")
    source_identifier = models.CharField(max_length=255, blank=True, default="")
    source_url = models.URLField(blank=True, default="")
    expression_data_url = models.URLField(blank=True, default="")
    target_phenotype = models.CharField(max_length=1023, blank=True, default="")
    alleles = models.ManyToManyField(Allele, blank=True, related_name="lines")
    description = models.TextField(blank=True, default="")
    is_active = models.BooleanField(default=True)
    last_subject_number = models.PositiveIntegerField(default=0, editable=False)
    last_breeding_pair_number = models.PositiveIntegerField(default=0, editable=False)
    last_litter_number = models.PositiveIntegerField(default=0, editable=False)
    json = JSONColumn(null=True, blank=True)

    class Meta(Record.Meta):
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint("lab", Lower("name"), nulls_distinct=False, name="line_name_unique_in_lab"),
            models.UniqueConstraint(
                "lab",
                Lower("nickname"),
                condition=~Q(nickname=""),
                nulls_distinct=False,
                name="line_nickname_unique_in_lab",
            ),
        ]

    def __str__(self) -> str:
        return self.nickname or self.name


@audited()
class BreedingPair(Record):
    """A father with one or two mothers."""

    name = models.CharField(max_length=255)
    lab = models.ForeignKey(Lab, null=True, blank=True, on_delete=models.PROTECT, related_name="breeding_pairs")
    line = models.ForeignKey(Line, null=True, blank=True, on_delete=models.PROTECT, related_name="breeding_pairs")
    father = models.ForeignKey(
        "subjects.Subject", null=True, blank=True, on_delete=models.PROTECT, related_name="pairs_as_father"
    )
    mother1 = models.ForeignKey(
        "subjects.Subject", null=True, blank=True, on_delete=models.PROTECT, related_name="pairs_as_mother1"
    )
    mother2 = models.ForeignKey(
        "subjects.Subject", null=True, blank=True, on_delete=models.PROTECT, related_name="pairs_as_mother2"
    )
    started_on = models.DateField(null=True, blank=True)
    ended_on = models.DateField(null=True, blank=True)
    description = models.TextField(blank=True, default="")
    json = JSONColumn(null=True, blank=True)

    class Meta(Record.Meta):
        ordering = ["-started_on", "name", "id"]
        constraints = [
            models.UniqueConstraint("lab", Lower("name"), nulls_distinct=False, name="breeding_pair_unique_in_lab")
        ]

    def __str__(self) -> str:
        return self.name


@audited()
class Litter(Record):
    """Pups born together."""

    name = models.CharField(max_length=255)
    lab = models.ForeignKey(Lab, null=True, blank=True, on_delete=models.PROTECT, related_name="litters")
    line = models.ForeignKey(Line, null=True, blank=True, on_delete=models.PROTECT, related_name="litters")
    breeding_pair = models.ForeignKey(
        BreedingPair, null=True, blank=True, on_delete=models.PROTECT, related_name="litters"
    )
    born_on = models.DateField(null=True, blank=True)
    weaned_on = models.DateField(null=True, blank=True)
    n_born = models.PositiveIntegerField(null=True, blank=True, help_text="counted at birth, dead ones included")
    description = models.TextField(blank=True, default="")
    json = JSONColumn(null=True, blank=True)

    class Meta(Record.Meta):
        ordering = ["-born_on", "name", "id"]
        constraints = [models.UniqueConstraint("lab", Lower("name"), nulls_distinct=False, name="litter_unique_in_lab")]

    def __str__(self) -> str:
        return self.name


@audited()
class SubjectRequest(Record):
    """Somebody asks for animals of a line; animals are allocated to it one by one (`Subject.request`)."""

    name = models.CharField(max_length=255, blank=True, default="")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="subject_requests")
    lab = models.ForeignKey(Lab, null=True, blank=True, on_delete=models.PROTECT, related_name="subject_requests")
    line = models.ForeignKey(Line, null=True, blank=True, on_delete=models.PROTECT, related_name="requests")
    count = models.PositiveIntegerField(default=1)
    requested_on = models.DateField(null=True, blank=True)
    due_on = models.DateField(null=True, blank=True)
    closed_on = models.DateField(null=True, blank=True, help_text="filled, or no longer wanted")
    description = models.TextField(blank=True, default="")
    json = JSONColumn(null=True, blank=True)

    class Meta(Record.Meta):
        ordering = [F("due_on").asc(nulls_last=True), "id"]

    def __str__(self) -> str:
        return f"{self.count} × {self.line or 'any line'} for {self.user}"


@audited()
class HandOver(Record):
    """An animal passed from one responsible user to another."""

    subject = models.ForeignKey("subjects.Subject", on_delete=models.PROTECT, related_name="hand_overs")
    from_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    to_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    reason = models.TextField(blank=True, default="")

    class Meta(Record.Meta):
        ordering = ["-at", "id"]

    def __str__(self) -> str:
        return f"{self.subject}: {self.from_user or 'nobody'} → {self.to_user or 'nobody'}"


@audited_links
class AlleleSequences(Allele.sequences.through):  # type: ignore[name-defined, misc]
    """Which sequences find an allele, recorded."""

    class Meta:
        proxy = True


@audited_links
class LineAlleles(Line.alleles.through):  # type: ignore[name-defined, misc]
    """Which alleles a line carries, recorded."""

    class Meta:
        proxy = True

"""Lines, alleles, and the words of the colony: species, strains, sources, sequences."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet

from alyx.core.changes import locked, store
from alyx.core.errors import Invalid
from alyx.core.rest.names import by_name
from alyx.labs.models import Lab
from alyx.labs.permissions import Right, authorise_anywhere
from subjects.models import Allele, Line, Sequence, Source, Species, Strain
from subjects.permissions import authorise_breeding
from subjects.services.subject import NICKNAME
from subjects.services.subject_body import of_lab
from subjects.services.zygosity import apply_rules_of_line

M = TypeVar("M", bound=Model)
WORDS: tuple[type[Model], ...] = (Species, Strain, Source, Sequence)
PLAIN = (
    "name",
    "nickname",
    "source_identifier",
    "source_url",
    "expression_data_url",
    "target_phenotype",
    "description",
    "is_active",
    "json",
)
"""Of a line: words that are columns of the same name."""


def chosen(rows: QuerySet[M], value: Any, *, field: str, what: str, column: str = "name") -> M | None:
    """The row itself, the row of this name, or none for nothing. Raises Invalid."""
    if not value:
        return None
    if isinstance(value, rows.model):
        return value
    return by_name(rows, value, field=field, what=what, column=column)


def all_chosen(rows: QuerySet[M], values: Iterable[Any], *, field: str, what: str, column: str = "name") -> list[M]:
    """The same for a list. Raises Invalid."""
    found = [chosen(rows, value, field=field, what=what, column=column) for value in values]
    return [row for row in found if row is not None]


def chosen_line(lab: Lab | None, value: Any) -> Line | None:
    """The line of this name, or nickname, in the lab. Raises Invalid."""
    rows = of_lab(Line, lab) if lab else Line.objects.all()
    if (
        isinstance(value, str)
        and value
        and not rows.filter(name=value).exists()
        and rows.filter(nickname=value).exists()
    ):
        return chosen(rows, value, field="line", what="line", column="nickname")
    return chosen(rows, value, field="line", what="line")


@transaction.atomic
def create_word(*, actor: Any, model: type[M], values: Mapping[str, Any]) -> M:
    """A new word of a vocabulary of `WORDS`. Raises Forbidden, Invalid when the name is taken."""
    kind = model._meta.verbose_name
    authorise_anywhere(actor, act=f"extend the vocabulary: {kind}", to=Right.MANAGE)
    try:
        with transaction.atomic():
            return model._default_manager.create(**values)
    except IntegrityError:
        raise Invalid.of("name", f"there is a {kind} named {values.get('name')!r} already") from None


@transaction.atomic
def change_word(*, actor: Any, row: M, changes: Mapping[str, Any]) -> M:
    """Change a word for everybody who uses it. Raises Forbidden, Invalid."""
    kind = row._meta.verbose_name
    authorise_anywhere(actor, act=f"change the vocabulary: {kind}", to=Right.MANAGE)
    row = locked(type(row)._default_manager.all(), row.pk)
    try:
        with transaction.atomic():
            store(row, changes)
    except IntegrityError:
        raise Invalid.of("name", f"there is a {kind} named {changes.get('name')!r} already") from None
    return row


@transaction.atomic
def create_allele(*, actor: Any, values: Mapping[str, Any]) -> Allele:
    """A new allele: `nickname`, `name`, `sequences`, `json`. Raises Forbidden, Invalid."""
    authorise_anywhere(actor, act="make alleles", to=Right.MANAGE)
    columns, sequences = _with_rows(values, "sequences", Sequence.objects.all(), "sequence")
    try:
        with transaction.atomic():
            allele = Allele.objects.create(**columns)
    except IntegrityError:
        raise _same_allele(columns) from None
    allele.sequences.set(sequences or [])
    return allele


@transaction.atomic
def change_allele(*, actor: Any, allele: Allele, changes: Mapping[str, Any]) -> Allele:
    """Change what is sent. Raises Forbidden, Invalid."""
    authorise_anywhere(actor, act="change alleles", to=Right.MANAGE)
    allele = locked(Allele.objects.all(), allele.pk)
    columns, sequences = _with_rows(changes, "sequences", Sequence.objects.all(), "sequence")
    try:
        with transaction.atomic():
            store(allele, columns)
    except IntegrityError:
        raise _same_allele(columns) from None
    if sequences is not None:
        allele.sequences.set(sequences)
    return allele


@transaction.atomic
def create_line(*, actor: Any, values: Mapping[str, Any]) -> Line:
    """A new line of a lab (or of none): `name`, `nickname`, `lab`, `species`, `strain`, `source`, `alleles` and `PLAIN`.

    Raises Forbidden, Invalid.
    """
    columns, alleles = _line_columns(values)
    authorise_breeding(actor, columns.setdefault("lab", None))
    _check_nickname(columns)
    try:
        with transaction.atomic():
            line = Line.objects.create(**columns)
    except IntegrityError as error:
        raise _same_line(error, columns) from None
    line.alleles.set(alleles or [])
    return line


@transaction.atomic
def change_line(*, actor: Any, line: Line, changes: Mapping[str, Any]) -> Line:
    """Change what is sent; a new nickname is for names to come, those that are there stay. Raises Forbidden, Invalid."""
    line = locked(Line.objects.select_related("lab"), line.pk)
    authorise_breeding(actor, line.lab)
    columns, alleles = _line_columns(changes)
    if columns.get("lab", line.lab) != line.lab:
        authorise_breeding(actor, columns["lab"])
    _check_nickname(columns)
    try:
        with transaction.atomic():
            store(line, columns)
    except IntegrityError as error:
        raise _same_line(error, columns) from None
    if alleles is not None:
        line.alleles.set(alleles)
        apply_rules_of_line(line)
    return line


def _line_columns(said: Mapping[str, Any]) -> tuple[dict[str, Any], list[Allele] | None]:
    columns = {name: said[name] for name in PLAIN if name in said}
    related: dict[str, Any] = {"lab": Lab, "species": Species, "strain": Strain, "source": Source}
    for name, model in related.items():
        if name in said:
            columns[name] = chosen(model.objects.all(), said[name], field=name, what=name)
    if "name" in columns and not str(columns["name"]).strip():
        raise Invalid.of("name", "a line has a name")
    _, alleles = _with_rows(said, "alleles", Allele.objects.all(), "allele", "nickname")
    return columns, alleles


def _with_rows(
    said: Mapping[str, Any], name: str, rows: QuerySet[M], what: str, column: str = "name"
) -> tuple[dict[str, Any], list[M] | None]:
    """The other words, and the rows of the list (None: not sent)."""
    others = {key: value for key, value in said.items() if key != name}
    if name not in said:
        return others, None
    return others, all_chosen(rows, said[name] or [], field=name, what=what, column=column)


def _check_nickname(columns: Mapping[str, Any]) -> None:
    nickname = columns.get("nickname", "")
    if nickname and not NICKNAME.fullmatch(nickname):
        raise Invalid.of("nickname", "letters, digits, _, - and . only: the names of its animals begin with it")


def _same_allele(columns: Mapping[str, Any]) -> Invalid:
    return Invalid.of("nickname", f"there is an allele {columns.get('nickname')!r} already")


def _same_line(error: IntegrityError, columns: Mapping[str, Any]) -> Invalid:
    name = "nickname" if "line_nickname_unique_in_lab" in str(error) else "name"
    return Invalid.of(name, f"the lab has a line of the {name} {columns.get(name)!r} already (case does not matter)")

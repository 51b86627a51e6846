"""Dataset types, formats, revisions, tags and types of repositories: words that all labs share."""

from collections.abc import Mapping
from typing import Any, TypeVar

from django.db import IntegrityError, models, transaction
from django.db.models import ProtectedError

from alyx.core.changes import locked, store
from alyx.core.errors import Forbidden, Invalid
from alyx.labs.models import Lab
from alyx.labs.permissions import Right, authorise, authorise_anywhere
from datasets.models import DataFormat, Dataset, DatasetType, Repository, RepositoryType, Revision, Tag
from datasets.rules.alf import PathRefused, parse_registration

Word = TypeVar("Word", DatasetType, DataFormat, Revision, Tag, RepositoryType)


@transaction.atomic
def add_word(*, actor: Any, model: type[Word], values: Mapping[str, Any]) -> Word:
    """A new word. Any member who writes may. Raises Forbidden, Invalid."""
    authorise_anywhere(actor, act=f"add a {model._meta.verbose_name}")
    columns = _checked(model, values)
    if model is DatasetType:
        columns.setdefault("created_by", actor)
    made: Word = _saved(lambda: model._default_manager.create(**columns), model)
    return made


@transaction.atomic
def change_word(*, actor: Any, word: Word, changes: Mapping[str, Any]) -> Word:
    """Change a word. Whoever makes a tag protected or public, or no longer so, manages every lab whose datasets carry it.

    Raises Forbidden, Invalid.
    """
    model = type(word)
    word = locked(model._default_manager.all(), word.pk)
    changed = {name: value for name, value in changes.items() if getattr(word, name) != value}
    if not changed:
        return word
    authorise_anywhere(actor, act=f"change a {model._meta.verbose_name}")
    if isinstance(word, Tag) and {"protected", "public"} & set(changed):
        for lab in _labs_with(word):
            authorise(actor, lab, act=f"change what the tag {word.name} allows", to=Right.MANAGE)
    if isinstance(word, Revision) and "name" in changed and word.datasets.exists():
        raise Invalid.of("name", "the revision is part of the paths of datasets and keeps its name")
    former = word.name
    _saved(lambda: store(word, _checked(model, changed)), model)
    if isinstance(word, RepositoryType):
        Repository.objects.filter(repository_type=former).update(repository_type=word.name)
    return word


@transaction.atomic
def remove_word(*, actor: Any, word: DatasetType | DataFormat | Revision | Tag | RepositoryType) -> None:
    """Remove a word that nothing uses. Raises Forbidden."""
    model = type(word)
    authorise_anywhere(actor, act=f"delete a {model._meta.verbose_name}", to=Right.MANAGE)
    if isinstance(word, Tag) and word.datasets.exists():
        raise Forbidden(f"the tag {word.name} is on datasets; take it off first")
    if isinstance(word, RepositoryType) and Repository.objects.filter(repository_type=word.name).exists():
        raise Forbidden(f"the repository type {word.name} is used by repositories")
    try:
        locked(model._default_manager.all(), word.pk).delete()
    except ProtectedError:
        raise Forbidden(f"the {model._meta.verbose_name} {word.name} is used by datasets") from None


def _labs_with(tag: Tag) -> list[Lab]:
    tagged = Dataset.objects.filter(tags=tag)
    return list(
        Lab.objects.filter(pk__in=tagged.filter(session__isnull=False).order_by().values("session__lab").distinct())
    )


def _checked(model: type[models.Model], values: Mapping[str, Any]) -> dict[str, Any]:
    columns = dict(values)
    if "filename_pattern" in columns:
        columns["filename_pattern"] = columns["filename_pattern"].strip().lower()
    if columns.get("file_extension"):
        columns["file_extension"] = f".{columns['file_extension'].strip().lstrip('.')}"
    if model is Revision and "name" in columns:
        try:
            for folder in (columns["name"], f"#{columns['name']}#"):
                parse_registration("", f"{folder}/a.b.c", aggregate=True)
        except PathRefused as refusal:
            raise Invalid.of("name", f"a revision is a folder's name: {refusal}") from None
    if "/" in columns.get("name", "") or not columns.get("name", "x").strip():
        raise Invalid.of("name", "a name is not empty and has no slash: it is part of addresses")
    return columns


def _saved(write: Any, model: type[models.Model]) -> Any:
    try:
        with transaction.atomic():
            return write()
    except IntegrityError as error:
        field = "file_extension" if "file_extension" in str(error) else "name"
        raise Invalid.of(field, f"there is a {model._meta.verbose_name} with this {field} already") from None

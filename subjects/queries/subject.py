"""Page-shaped reads of animals."""

from functools import cache
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, OuterRef, QuerySet
from django.db.models.functions import JSONObject

from alyx.core.prepared import columns_of, rows_of, split_rows
from alyx.labs.models import Lab, Project, User
from subjects.models import Species, Subject, Zygosity

_NAMES = {"responsible_user": "username", **dict.fromkeys(("species", "strain", "source", "line", "litter"), "name")}


def with_names() -> QuerySet[Subject]:
    """Animals that are shown, in order, with the names their record gives and what they carry, in one statement:
    `species_name` and its like, `project_names`, `carried` (allele and zygosity)."""
    shown: QuerySet[Subject] = Subject.objects.shown()
    names: dict[str, Any] = {f"{relation}_name": F(f"{relation}__{column}") for relation, column in _NAMES.items()}
    projects = Project.objects.filter(subjects=OuterRef("pk")).order_by("name")
    carried = Zygosity.objects.filter(subject=OuterRef("pk")).order_by("allele__nickname", "id")
    return (
        shown.select_related("lab")
        .annotate(
            **names,
            project_names=ArraySubquery(projects.values("name")),
            carried=ArraySubquery(carried.values(record=JSONObject(allele="allele__nickname", zygosity="state"))),
        )
        .order_by("nickname", "id")
    )


@cache
def _named() -> str:
    columns = ((Subject, "b"), (Lab, "l"), (User, "u"), (Species, "k"))
    return (
        f"SELECT {', '.join(columns_of(model, table) for model, table in columns)}"  # noqa: S608  (names of ours)
        " FROM subjects_subject b JOIN labs_lab l ON l.id = b.lab_id LEFT JOIN labs_user u ON u.id = b.responsible_user_id"
        " LEFT JOIN subjects_species k ON k.id = b.species_id"
        " WHERE lower(b.nickname) = %(nickname)s::text AND b.withdrawn_at IS NULL ORDER BY b.id"
    )


def animals_named(nickname: str) -> list[Subject]:
    """The animals of this nickname, ignoring case, in all labs, each with its lab, responsible user and species; those
    withdrawn are not among them. As prepared SQL: rigs ask it with each weight and each water."""
    found: list[Subject] = []
    for one in rows_of(_named(), {"nickname": nickname.lower()}) if "\x00" not in nickname else ():
        subject, subject.lab, subject.responsible_user, subject.species = split_rows(one, Subject, Lab, User, Species)
        found.append(subject)
    return found

"""Page-shaped reads of animals."""

from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, OuterRef, QuerySet
from django.db.models.functions import JSONObject

from alyx.labs.models import Project
from subjects.models import Subject, Zygosity

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

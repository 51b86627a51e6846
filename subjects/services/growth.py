"""Loading the growth curve of a strain."""

from typing import Any

from django.db import transaction

from alyx.core.errors import Invalid
from alyx.labs.permissions import Right, authorise_anywhere
from subjects.models import GrowthPoint, Strain
from subjects.rules.growth_table import read_table


@transaction.atomic
def load_growth_curve(*, actor: Any, strain: Strain, table: str) -> int:
    """Replace the strain's curve by the table (CSV: sex, age_weeks, mean_g, sd_g); how many points it has now.

    Every number that is judged by a curve follows, past days included. Raises Invalid with every line that is wrong.
    """
    authorise_anywhere(actor, act="load growth curves", to=Right.MANAGE)
    read = read_table(table)
    if read.wrong:
        raise Invalid("; ".join(read.wrong), fields={"table": list(read.wrong)})
    Strain.objects.select_for_update(no_key=True).get(pk=strain.pk)
    known = {(point.sex, point.age_weeks): point for point in GrowthPoint.objects.filter(strain=strain)}
    said = {(point.sex, point.age_weeks): point for point in read.points}
    GrowthPoint.objects.filter(pk__in=[point.pk for place, point in known.items() if place not in said]).delete()
    GrowthPoint.objects.bulk_create(
        GrowthPoint(strain=strain, sex=new.sex, age_weeks=new.age_weeks, mean_g=new.mean_g, sd_g=new.sd_g)
        for place, new in said.items()
        if place not in known
    )
    changed = []
    for place, new in said.items():
        old = known.get(place)
        if old is not None and (old.mean_g, old.sd_g) != (new.mean_g, new.sd_g):
            old.mean_g, old.sd_g = new.mean_g, new.sd_g
            changed.append(old)
    GrowthPoint.objects.bulk_update(changed, ["mean_g", "sd_g"])
    return len(said)

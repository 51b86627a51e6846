"""Query parameters of insertions, chronic ones, trajectories and channels."""

from django.db.models import Q

from alyx.core.rest.filters import STRING, asked, contains, equals, every, iequals, is_day, is_key, is_number
from sessions.api.filters.common import Rows, changed, is_measure, wall
from sessions.api.filters.of_datasets import JOINT, of_folders, tagged
from sessions.api.filters.regions import atlas_filters, recorded_chronic, recorded_insertions
from sessions.api.filters.session import OF_SESSION
from sessions.api.query_fields import provenance_value
from sessions.queries.atlas import region_by


def _of_probed_subject(rows: Rows, value: str) -> Rows:
    single = Q(probe_insertion__session__subject__nickname=value)
    return rows.filter(single | Q(probe_insertion__isnull=True, chronic_insertion__subject__nickname=value))


def _in_region(rows: Rows, value: str) -> Rows:
    region = region_by(value)
    return rows.filter(brain_region=region) if region else rows.none()


INSERTION_FILTERS = {
    **OF_SESSION,
    **JOINT,
    "id": is_key("id"),
    "name": equals("name"),
    "serial": equals("serial"),
    "model": equals("model__name"),
    "task_protocol": contains("session__task_protocol"),
    "chronic_insertion": is_key("chronic_insertion"),
    "auto_datetime": asked(changed, "exact time of the last change"),
    "tag": tagged(of_folders),
    **atlas_filters(recorded_insertions),
}


_PROBE = {
    "session": is_key("probe_insertion__session"),
    "subject": asked(_of_probed_subject, "exact nickname"),
    "project": contains("probe_insertion__session__projects__name", many=True),
    "date": is_day("probe_insertion__session__path_date"),
    "experiment_number": is_number("probe_insertion__session__number"),
}
"""Of what hangs on an insertion."""


TRAJECTORY_FILTERS = {
    **_PROBE,
    **{name: is_measure(name) for name in ("x", "y", "z", "depth", "theta", "phi", "roll")},
    "id": is_key("id"),
    "probe": equals("probe_insertion__name"),
    "probe_insertion": is_key("probe_insertion"),
    "chronic_insertion": is_key("chronic_insertion"),
    "coordinate_system": equals("coordinate_system__name"),
    "datetime": asked(changed, "exact time of the last change"),
    "provenance": asked(
        lambda rows, value: rows.filter(provenance=provenance_value(value)), "name of the source, ignoring case"
    ),
}


CHANNEL_FILTERS = {
    **{name: is_measure(name) for name in ("axial", "lateral", "x", "y", "z")},
    "id": is_key("id"),
    "name": equals("name"),
    "brain_region": asked(_in_region, "id or acronym of the region, which exactly", STRING),
    "lab": iequals("trajectory__probe_insertion__session__lab__name"),
    "subject": equals("trajectory__probe_insertion__session__subject__nickname"),
    "session": is_key("trajectory__probe_insertion__session"),
    "probe_insertion": is_key("trajectory__probe_insertion"),
    "trajectory_estimate": is_key("trajectory"),
}


CHRONIC_FILTERS = {
    "id": is_key("id"),
    "name": equals("name"),
    "serial": equals("serial"),
    "model": equals("probe_model__name"),
    "subject": equals("subject__nickname"),
    "lab": iequals("lab__name"),
    "narrative": contains("narrative"),
    "start_time": wall("started_wall"),
    "end_time": is_day("removed_on"),
    "session": is_key("insertions__session", many=True),
    "probe": is_key("insertions", many=True),
    "location": contains("surgery__location__name"),
    "procedures": contains("surgery__procedures__name", many=True),
    "users": every("surgery__users__username"),
    **atlas_filters(recorded_chronic),
}

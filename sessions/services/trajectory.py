"""Where probes lay: trajectories by source, and the channels along them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from alyx.core.changes import locked, store
from alyx.core.errors import Invalid
from sessions.models import BrainRegion, Channel, ProbeInsertion, Provenance, TrajectoryEstimate
from sessions.permissions import Right, authorise_of_animal, authorise_session
from sessions.services.insertion import shown_insertions
from sessions.services.rows import implant_by_key, others, refuse_missing, system_by_name
from subjects.models import Implant

PLACE = ("x", "y", "z", "depth", "theta", "phi", "roll", "json")
MOST_CHANNELS = 10_000


def shown_trajectories() -> QuerySet[TrajectoryEstimate]:
    """Those of insertions and chronic insertions that are not withdrawn."""
    single = Q(
        probe_insertion__isnull=False,
        probe_insertion__withdrawn_at__isnull=True,
        probe_insertion__session__withdrawn_at__isnull=True,
    )
    chronic = Q(probe_insertion__isnull=True, chronic_insertion__withdrawn_at__isnull=True)
    return TrajectoryEstimate.objects.filter(single | chronic)


def shown_channels() -> QuerySet[Channel]:
    """Those along trajectories that are shown."""
    return Channel.objects.filter(trajectory__in=shown_trajectories().order_by().values("pk"))


@transaction.atomic
def create_trajectory(*, actor: Any, values: Mapping[str, Any]) -> TrajectoryEstimate:
    """A trajectory of an insertion or a chronic insertion; one per source. Raises Invalid, Forbidden."""
    refuse_missing("probe_insertion", dict(values), ("probe_insertion", "chronic_insertion"))
    columns = _columns(values)
    insertion, implant = columns.get("probe_insertion"), columns.get("chronic_insertion")
    _authorise(actor, insertion, implant, "register trajectories")
    _refuse_twice(insertion, implant, values["provenance"])
    made: TrajectoryEstimate = TrajectoryEstimate.objects.create(**columns)
    return made


@transaction.atomic
def change_trajectory(*, actor: Any, trajectory: TrajectoryEstimate, changes: Mapping[str, Any]) -> TrajectoryEstimate:
    """Change what is sent and nothing else: without an insertion in the body it stays with its own. Raises Invalid, Forbidden,
    NotFound."""
    trajectory = _locked(trajectory.pk)
    own = (trajectory.probe_insertion, trajectory.chronic_insertion)
    _authorise(actor, *own, "change trajectories")
    columns = _columns(changes)
    insertion = columns.get("probe_insertion", own[0])
    implant = columns.get("chronic_insertion", own[1])
    provenance = columns.get("provenance", trajectory.provenance)
    if (insertion, implant) != own:
        refuse_missing("probe_insertion", {"at": insertion or implant}, ("at",))
        _authorise(actor, insertion, implant, "register trajectories")
    if (insertion, implant, provenance) != (*own, trajectory.provenance):
        _refuse_twice(insertion, implant, provenance, but=trajectory)
    store(trajectory, columns)
    return trajectory


@transaction.atomic
def delete_trajectory(*, actor: Any, trajectory: TrajectoryEstimate) -> None:
    """Remove it and its channels: the next registration of the track takes their place. The history keeps them."""
    trajectory = _locked(trajectory.pk)
    _authorise(actor, *_owners(trajectory), "remove trajectories")
    trajectory.delete()


@transaction.atomic
def create_channels(*, actor: Any, bodies: Sequence[Mapping[str, Any]]) -> list[Channel]:
    """Channels, all or none, in the order given; a constant number of statements.

    One that is there with the same content is answered as it is. Raises Invalid (unknown trajectory or region, one position
    twice, a position that has other content), Forbidden.
    """
    if len(bodies) > MOST_CHANNELS:
        raise Invalid(f"at most {MOST_CHANNELS} channels in one call; these are {len(bodies)}")
    trajectories = _trajectories({body.get("trajectory_estimate") for body in bodies})
    for insertion, implant in {_owners(one) for one in trajectories.values()}:
        _authorise(actor, insertion, implant, "register channels")
    regions = _regions({body.get("brain_region") for body in bodies} - {None})
    there = {_position(row): row for row in Channel.objects.filter(trajectory__in=trajectories)}
    channels, new, seen = [], [], set()
    for body in bodies:
        channel = Channel(**_channel_columns(body, trajectories, regions))
        position = _position(channel)
        is_placed = None not in position
        if is_placed and position in seen:
            raise Invalid.of("axial", f"the position {position[1]:g}, {position[2]:g} is given twice")
        seen.add(position)
        if is_placed and position in there:
            channels.append(_same(there[position], channel))
        else:
            channels.append(channel)
            new.append(channel)
    Channel.objects.bulk_create(new)
    return channels


@transaction.atomic
def change_channel(*, actor: Any, channel: Channel, changes: Mapping[str, Any]) -> Channel:
    """Change what is sent and nothing else. Raises Invalid, Forbidden, NotFound."""
    trajectory = _locked(channel.trajectory_id)
    _authorise(actor, *_owners(trajectory), "change channels")
    channel = locked(Channel.objects.all(), channel.pk)
    trajectories = {trajectory.pk: trajectory}
    if changes.get("trajectory_estimate", trajectory.pk) != trajectory.pk:
        trajectories = _trajectories({changes["trajectory_estimate"]})
        _authorise(actor, *_owners(*trajectories.values()), "register channels")
    regions = _regions({changes.get("brain_region")} - {None})
    columns = _channel_columns({"trajectory_estimate": channel.trajectory_id, **changes}, trajectories, regions)
    place = {name: columns.get(name, getattr(channel, name)) for name in ("trajectory", "axial", "lateral")}
    if None not in place.values() and Channel.objects.filter(**place).exclude(pk=channel.pk).exists():
        raise Invalid.of("axial", f"the trajectory has another channel at {place['axial']:g}, {place['lateral']:g}")
    store(channel, columns)
    return channel


@transaction.atomic
def delete_channel(*, actor: Any, channel: Channel) -> None:
    """Remove it; the history keeps it. Raises Forbidden, NotFound."""
    trajectory = _locked(channel.trajectory_id)
    _authorise(actor, *_owners(trajectory), "remove channels")
    locked(Channel.objects.all(), channel.pk).delete()


_OWNERS = ("probe_insertion__session__lab", "chronic_insertion__lab")


def _locked(key: UUID) -> TrajectoryEstimate:
    return locked(shown_trajectories().select_related(*_OWNERS), key)


def _authorise(actor: Any, insertion: ProbeInsertion | None, implant: Implant | None, act: str) -> None:
    """As the session of the insertion, else as the implant's animal."""
    if insertion is not None:
        authorise_session(actor, insertion.session, act=act, to=Right.LOCATE)
    elif implant is not None:
        authorise_of_animal(actor, implant.lab, implant.subject_id, act=act, to=Right.LOCATE)


def _owners(trajectory: TrajectoryEstimate) -> tuple[ProbeInsertion | None, Implant | None]:
    return trajectory.probe_insertion, trajectory.chronic_insertion


def _columns(sent: Mapping[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {name: sent[name] for name in (*PLACE, "provenance") if name in sent}
    if "coordinate_system" in sent:
        columns["coordinate_system"] = system_by_name(sent["coordinate_system"])
    if "probe_insertion" in sent:
        columns["probe_insertion"] = _insertion(sent["probe_insertion"])
    if "chronic_insertion" in sent:
        columns["chronic_insertion"] = implant_by_key(sent["chronic_insertion"])
    return columns


def _insertion(key: UUID | None) -> ProbeInsertion | None:
    """The insertion, locked: one trajectory per source is asked for safely."""
    if key is None:
        return None
    rows = shown_insertions().select_related("session__lab").select_for_update(of=("self",), no_key=True)
    found = rows.filter(pk=key).first()
    if found is None:
        raise Invalid.of("probe_insertion", f"there is no insertion {key}")
    return found


def _refuse_twice(
    insertion: ProbeInsertion | None, implant: Implant | None, provenance: int, but: TrajectoryEstimate | None = None
) -> None:
    rows = TrajectoryEstimate.objects.filter(provenance=provenance)
    rows = rows.filter(probe_insertion=insertion) if insertion else rows.filter(_chronic_only(implant))
    there = others(rows, but).first()
    if there is not None:
        name = Provenance(provenance).label
        raise Invalid.of("provenance", f"the insertion has a trajectory from {name!r} already: {there.pk}")


def _chronic_only(implant: Implant | None) -> Q:
    return Q(chronic_insertion=implant, probe_insertion__isnull=True)


def _trajectories(keys: set[Any]) -> dict[UUID, TrajectoryEstimate]:
    """The trajectories by key, locked in one order."""
    if None in keys:
        raise Invalid.of("trajectory_estimate", "say along which trajectory")
    rows = shown_trajectories().select_related(*_OWNERS).filter(pk__in=keys).order_by("pk")
    found = {row.pk: row for row in rows.select_for_update(of=("self",), no_key=True)}
    if missing := keys - found.keys():
        raise Invalid.of("trajectory_estimate", f"there is no trajectory {min(map(str, missing))}")
    return found


def _regions(keys: set[Any]) -> set[int]:
    if not keys:
        return set()
    found = set(BrainRegion.objects.filter(pk__in=keys).values_list("pk", flat=True))
    if missing := keys - found:
        raise Invalid.of("brain_region", f"there is no brain region {min(map(str, missing))}")
    return found


_CHANNEL = ("name", "axial", "lateral", "x", "y", "z", "json")


def _channel_columns(
    sent: Mapping[str, Any], trajectories: Mapping[UUID, TrajectoryEstimate], regions: set[int]
) -> dict[str, Any]:
    columns: dict[str, Any] = {name: sent[name] for name in _CHANNEL if name in sent}
    columns["trajectory"] = trajectories[sent["trajectory_estimate"]]
    if "brain_region" in sent:
        columns["brain_region_id"] = sent["brain_region"]
    return columns


def _position(channel: Channel) -> tuple[UUID, float | None, float | None]:
    return channel.trajectory_id, channel.axial, channel.lateral


def _same(there: Channel, sent: Channel) -> Channel:
    """The stored one, when the sent one says the same. Raises Invalid."""
    names = ("brain_region_id", "name", "x", "y", "z", "json")
    different = [name for name in names if getattr(there, name) != getattr(sent, name)]
    if different:
        listed = ", ".join(different)
        raise Invalid.of("axial", f"channel {there.pk} is at {there.axial:g}, {there.lateral:g} with another {listed}")
    return there

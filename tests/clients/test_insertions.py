"""Stock ONE-api 3.6.1 with insertions: made and traced as ibllib does it, searched, and followed from one identifier to another."""

from typing import Any
from uuid import UUID

import pytest

from demo.story import Story
from tests.clients.conftest import Day

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def pid(day: Day, rig: Any) -> UUID:
    """A probe of the day: announced by the rig, its track registered twice, the second time over the first."""
    eid = str(day.eid)
    assert rig.alyx.get(f"/insertions?&session={eid}&name=probe00", clobber=True) == []
    body = {"session": eid, "name": "probe00", "model": "3B2", "json": {"qc": "NOT_SET", "extended_qc": {}}}
    insertion = rig.alyx.rest("insertions", "create", data=body)
    again = rig.alyx.rest("insertions", "update", id=insertion["id"], data={**body, "serial": "19051"})
    assert (again["id"], again["serial"], again["json"]) == (insertion["id"], "19051", body["json"])
    place = {"x": -2243.1, "y": -2000.0, "z": -400.0, "depth": 3800.0, "theta": 15.0, "phi": 180.0, "roll": 0.0}
    for provenance in ("Histology track", "Histology track", "Ephys aligned histology track"):
        ask = f"/trajectories?&probe_insertion={insertion['id']}&provenance={provenance}"
        for old in rig.alyx.get(ask, clobber=True):
            rig.alyx.rest("trajectories", "delete", id=old["id"])
        track = {
            **place,
            "provenance": provenance,
            "coordinate_system": "IBL-Allen",
            "probe_insertion": insertion["id"],
            "chronic_insertion": None,
        }
        made = rig.alyx.rest("trajectories", "create", data=track)
        channels = [
            {
                "x": -2243.1,
                "y": -2000.0,
                "z": -float(at),
                "axial": 20.0 * at,
                "lateral": 16.0,
                "brain_region": 382 if at < 10 else 10703,
                "trajectory_estimate": made["id"],
            }
            for at in range(20)
        ]
        assert len(rig.alyx.rest("channels", "create", data=channels)) == 20
    rig.alyx.json_field_update("insertions", insertion["id"], "json", {"xyz_picks": [[-2243, -2000, -400]]})
    return UUID(insertion["id"])


FINDS: dict[str, tuple[Any, Any]] = {
    "session": ("{eid}", "00000000-0000-0000-0000-000000000000"),
    "name": ("probe00", "probe01"),
    "subject": ("{subject}", "nobody"),
    "laboratory": ("{lab}", "elsewhere"),
    "project": ("{project}", "no_project"),
    "number": (1, 77),
    "date": ("2026-03-09", "2026-03-10"),
    "task_protocol": ("one_day", "nothing_of_the_kind"),
    "model": ("Neuropixel 3B2", "Neuropixel 3A"),
    "serial": ("19051", "1"),
    "dataset": ("spikes.times", "spikes.nothing"),
    "datasets": (["spikes.times.npy"], ["spikes.times.npy", "_ibl_wheel.position.npy"]),
    "dataset_types": ("spikes.times", "wheel.position"),
    "atlas_acronym": ("HPF", "TH"),
    "atlas_id": (382, 549),
    "atlas_name": ("Field CA1", "Thalamus"),
    "django": ("json__xyz_picks__isnull,False,session__lab__name,{lab}", "json__qc,CRITICAL"),
}


@pytest.mark.parametrize("term", FINDS)
def test_insertions_are_searched_by_this_term(term: str, pid: UUID, day: Day, lab: Story, rig: Any) -> None:
    words = {"eid": day.eid, "subject": lab.subjects[0], "lab": lab.lab, "project": lab.project}
    fits, does_not = (value.format(**words) if isinstance(value, str) else value for value in FINDS[term])
    assert pid in list(rig.search_insertions(**{term: fits}))
    assert pid not in list(rig.search_insertions(**{term: does_not}))


def test_sessions_are_searched_by_where_they_recorded(pid: UUID, day: Day, rig: Any) -> None:
    assert day.eid in list(rig.search(atlas_acronym="CA1"))
    assert day.eid not in list(rig.search(atlas_acronym="CA2"))


def test_probes_and_sessions_lead_to_each_other(pid: UUID, day: Day, rig: Any) -> None:
    assert rig.pid2eid(pid) == (day.eid, "probe00")
    assert rig.eid2pid(day.eid) == ([pid], ["probe00"])
    pids, names, records = rig.eid2pid(day.eid, details=True)
    assert (pids, names) == ([pid], ["probe00"])
    assert records[0]["session_info"]["id"] == str(day.eid)
    assert records[0]["model"] == "3B2"
    (_, details) = rig.search_insertions(session=str(day.eid), details=True)
    assert details[0]["json"]["xyz_picks"] == [[-2243, -2000, -400]]


def test_a_probe_has_its_datasets_and_its_channels(pid: UUID, day: Day, rig: Any) -> None:
    record = rig.alyx.rest("insertions", "read", id=str(pid), no_cache=True)
    names = {one["name"] for one in record["datasets"]}
    own = {path for path in day.registered if path.startswith(("alf/probe00/", "raw_ephys_data/probe00/"))}
    assert names == {path.rpartition("/")[2] for path in own}
    ask = f"trajectory_estimate__probe_insertion,{pid},trajectory_estimate__provenance,70"
    assert len(rig.alyx.rest("channels", "list", django=ask)) == 20
    tree = rig.alyx.rest("brain-regions", "list", ancestors="CA1")
    assert [one["acronym"] for one in tree][-3:] == ["HIP", "CA", "CA1"]

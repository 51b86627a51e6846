"""Stock ONE-api 3.6.1: finding sessions, and the ways from one identifier to another."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from demo import recordings
from demo.story import Story
from tests.clients.conftest import PROTOCOL, START, Day

pytestmark = pytest.mark.clients


# ---- searching

FINDS: dict[str, tuple[Any, Any]] = {
    "subject": ("{subject}", "nobody"),
    "nickname": ("{subject}", "nobody"),
    "lab": ("{lab}", "elsewhere"),
    "laboratory": ("{lab}", "elsewhere"),
    "date_range": ("2026-03-09", "2026-03-10"),
    "number": (1, 77),
    "task_protocol": ("one_day", "nothing_of_the_kind"),
    "project": ("{project}", "no_project"),
    "projects": ("{project}", "no_project"),
    "location": ("{location}", "no_rig"),
    "users": (["{user}"], ["{user}", "{other}"]),
    "procedures": ("Behavior training", "Histology"),
    "type": ("experiment", "Base"),
    "qc": ("NOT_SET", "FAIL"),
    "json": ("rig_temperature_c__gte,21", "rig_temperature_c__gte,22"),
    "performance_gte": (74, 76),
    "performance_lte": (76, 74),
    "n_trials": (400, 401),
    "n_correct_trials": (300, 301),
    "datasets": (["spikes.times.npy", "_ibl_wheel.position.npy"], ["spikes.times.npy", "spikes.depths.npy"]),
    "dataset_types": (["spikes.times"], ["spikes.depths"]),
    "django": ("subject__nickname,{subject},number,1", "subject__nickname__in,['a', 'b']"),
}


@pytest.mark.parametrize("term", FINDS)
def test_search_finds_by_this_filter_what_fits_and_nothing_else(term: str, day: Day, lab: Story, rig: Any) -> None:
    def filled(value: Any) -> Any:
        if isinstance(value, str):
            words = {"subject": lab.subjects[0], "lab": lab.lab, "project": lab.project, "location": lab.location}
            return value.format(**words, user=lab.rig_user, other=lab.analyst_user)
        return [filled(each) for each in value] if isinstance(value, list) else value

    fits, does_not = map(filled, FINDS[term])
    assert day.eid in list(rig.search(**{term: fits}))
    assert day.eid not in list(rig.search(**{term: does_not}))


@pytest.mark.parametrize(
    ("dates", "found"),
    [
        (["2026-03-09", "2026-03-09"], True),
        (["2026-03-01", None], True),
        ([None, "2026-03-09"], True),
        ([None, "2026-03-08"], False),
        (["2026-03-10", None], False),
        (date(2026, 3, 9), True),
    ],
)
def test_date_ranges_hold_both_ends_and_may_be_open(dates: Any, found: bool, day: Day, rig: Any) -> None:
    assert (day.eid in list(rig.search(date_range=dates))) is found


def test_search_gives_details_with_the_lab_wall_clock(day: Day, lab: Story, rig: Any) -> None:
    eids, details = rig.search(subject=lab.subjects[0], date_range="2026-03-09", number="001", details=True)
    assert list(eids) == [day.eid]
    (record,) = details
    assert record["start_time"] == START.isoformat()
    assert (record["number"], record["lab"], record["date"]) == (1, lab.lab, START.date())
    assert set(record) == {"id", "subject", "start_time", "number", "lab", "projects", "url", "task_protocol", "date"}


def test_a_long_list_is_fetched_page_by_page(day: Day, lab: Story, rig: Any) -> None:
    for number in (2, 3, 4):
        start = f"2026-04-0{number}T10:00:00"
        rig.alyx.rest("sessions", "create", data={"subject": lab.subjects[1], "start_time": start})
    found = rig.search(lab=lab.lab, limit=2)
    total = len(rig.search(lab=lab.lab))
    assert len(found) == total >= 4
    assert len(set(found)) == total


def test_an_unknown_search_term_is_refused_by_the_client_itself(rig: Any) -> None:
    with pytest.raises(ValueError, match="Invalid search term"):
        rig.search(colour="grey")


# ---- identifiers


def test_path_and_eid_lead_to_each_other(day: Day, lab: Story, rig: Any) -> None:
    assert rig.path2eid(day.path) == day.eid
    path = rig.eid2path(day.eid)
    assert path.as_posix().endswith(f"{lab.lab}/Subjects/{lab.subjects[0]}/2026-03-09/001")
    assert rig.to_eid(str(day.eid)) == rig.to_eid(day.path) == day.eid
    reference = rig.eid2ref(day.eid, parse=False)
    assert rig.ref2eid(reference) == day.eid


def test_a_path_nobody_registered_has_no_eid(day: Day, rig: Any) -> None:
    assert rig.path2eid(day.path.with_name("099")) is None


def test_details_of_one_and_of_many_sessions(day: Day, rig: Any) -> None:
    details = rig.get_details(day.eid)
    assert details["date"] == START.date()
    assert rig.get_details([day.eid, day.eid])[1]["subject"] == details["subject"]
    full = rig.get_details(day.eid, full=True)
    assert full["json"] == {"rig_temperature_c": 21.5}
    assert (full["n_trials"], full["n_correct_trials"]) == (400, 300)
    assert full["end_time"] == (START + timedelta(hours=1)).isoformat()
    assert full["wateradmin_session_related"] == []


def test_registering_the_session_again_makes_no_second_one(day: Day, lab: Story) -> None:
    session, _ = day.client.register_session(day.path, file_list=False)
    assert session["id"] == str(day.eid)
    assert session["start_time"] == START.isoformat(), "a date alone does not replace the precise time"
    assert session["task_protocol"] == PROTOCOL


def test_flag_files_make_sessions(day: Day, lab: Story, rig: Any) -> None:
    folder = Path(lab.lab_folder) / lab.subjects[1] / "2026-05-05" / "001"
    recordings.write(folder, {"alf/spikes.times.npy": np.arange(7.0)})
    (folder / "create_me.flag").touch()
    paths, records = day.client.create_sessions(lab.lab_folder, register_files=True)
    assert [path.as_posix() for path in paths] == [folder.as_posix()]
    assert rig.path2eid(folder) == UUID(records[0]["id"])
    (dataset,) = records[0]["data_dataset_session_related"]
    assert dataset["name"] == "spikes.times.npy"


def test_an_unknown_subject_is_said_in_the_clients_own_words(day: Day, lab: Story) -> None:
    from one.alf.exceptions import AlyxSubjectNotFound

    with pytest.raises(AlyxSubjectNotFound):
        day.client.create_new_session("nobody", session_root=lab.lab_folder)

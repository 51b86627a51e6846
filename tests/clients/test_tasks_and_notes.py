"""Stock ONE-api 3.6.1 doing what ibllib's local servers and quality control do with tasks and notes."""

import io
import json
from typing import Any

import pytest
import requests
from PIL import Image

from demo.story import Story
from tests.clients.conftest import Day
from tests.clients.test_one_day import status

pytestmark = pytest.mark.clients


def test_a_local_server_makes_polls_and_finishes_tasks(day: Day, rig: Any, lab: Story) -> None:
    tasks = rig.alyx
    session = tasks.rest("sessions", "read", id=day.eid, no_cache=True)
    common = {"session": str(day.eid), "graph": "pipe", "status": "Waiting", "data_repository": lab.lab_repository}
    first = tasks.rest("tasks", "create", data={**common, "name": "A", "level": 0, "priority": 90, "arguments": None})
    body = {**common, "name": "B", "level": 1, "priority": 60, "parents": [first["id"]], "arguments": {"sync": "nidq"}}
    second = tasks.rest("tasks", "create", data=body)
    poll = f"session__lab__name__in,{[session['lab']]},data_repository__name,{lab.lab_repository}"
    # other checks' sessions have tasks of other graphs
    waiting = tasks.rest("tasks", "list", status="Waiting", graph="pipe", django=poll, no_cache=True)
    assert [task["name"] for task in waiting] == ["A", "B"]
    assert waiting[1]["parents"] == [first["id"]]
    tasks.rest("tasks", "partial_update", id=first["id"], data={"status": "Started"})
    done = {"status": "Complete", "log": "it went\n" * 10, "time_elapsed_secs": 1.5, "version": "4.1.0"}
    record = tasks.rest("tasks", "partial_update", id=first["id"], data=done)
    assert {name: record[name] for name in done} == done
    waiting = tasks.rest("tasks", "list", session=str(day.eid), status="waiting", no_cache=True)
    assert [task["id"] for task in waiting] == [second["id"]]
    with pytest.raises(requests.HTTPError) as refused:
        tasks.rest("tasks", "create", data=body)
    assert status(refused) == 400


def test_a_snapshot_is_uploaded_read_back_and_withdrawn(day: Day, rig: Any, lab: Story) -> None:
    drawn = io.BytesIO()
    Image.new("RGB", (1600, 900), "white").save(drawn, "PNG")
    note = {
        "user": lab.rig_user,
        "content_type": "session",
        "object_id": str(day.eid),
        "text": "raster",
        "json": json.dumps({"tag": "## report ##", "name": "raster"}),
    }
    made = rig.alyx.rest("notes", "create", data=note, files={"image": ("raster.png", drawn.getvalue())})
    assert (made["content_type"], made["json"]["tag"]) == ("actions.session", "## report ##")
    query = f"object_id,{day.eid},text__icontains,RAST,json__name,raster"
    (found,) = rig.alyx.rest("notes", "list", django=query, no_cache=True)
    assert found == made
    session = rig.alyx.rest("sessions", "read", id=day.eid, no_cache=True)
    assert session["notes"] == [made]
    picture = requests.get(made["image"], headers=rig.alyx._headers, timeout=20)
    with Image.open(io.BytesIO(picture.content)) as shown:
        assert shown.size == (800, 450)
    changed = rig.alyx.rest("notes", "partial_update", id=made["id"], data={"text": "signed off"})
    assert changed == {**made, "text": "signed off"}
    rig.alyx.rest("notes", "delete", id=made["id"])
    assert list(rig.alyx.rest("notes", "list", django=query.split(",text", maxsplit=1)[0], no_cache=True)) == []
    with pytest.raises(requests.HTTPError, match="matching query does not exist"):
        rig.alyx.rest(
            "notes", "create", data={**note, "json": None, "object_id": "0" * 8 + "-0000-0000-0000-" + "0" * 12}
        )

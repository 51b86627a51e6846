"""`/transfers/…` and `/metrics`: what the page shows, for machines; and the same buttons."""

from typing import Any
from uuid import uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families

from alyx.core import clock
from alyx.labs.models import Lab, Role
from datasets.models import FileRecord
from tests.factories.copies import a_copy
from tests.factories.engine import a_job, a_window, an_item
from tests.factories.people import a_lab, a_member
from tests.factories.records import a_dataset, a_repository, a_session, a_subject
from tests.factories.rest import Rest
from transfers.models import FoundFile, Scan, TransferItem
from transfers.services.pulses import beat

pytestmark = pytest.mark.django_db


@pytest.fixture
def lab() -> Lab:
    return a_lab("cortexlab")


@pytest.fixture
def manager(lab: Lab) -> Rest:
    return Rest(a_member(lab, Role.DATA_MANAGER, "manager"))


@pytest.fixture
def item(lab: Lab) -> TransferItem:
    """A file that is gone from its source."""
    here, central = a_repository(lab, canary=uuid4()), a_repository(lab, role="central", canary=uuid4())
    a_window(here)
    dataset = a_dataset(a_session(a_subject(lab, "M1")))
    source = a_copy(dataset, here, state="claimed")
    return an_item(
        "needs_human", dataset=dataset, source=source, destination=central, last_error_code="source_vanished",
        last_error="It is gone.",
    )  # fmt: skip


def test_records_are_read_by_the_lab_and_by_nobody_else(manager: Rest, item: TransferItem) -> None:
    stranger = Rest(a_member(a_lab(), Role.HEAD))
    (found,) = manager.found("transfers/items", state="needs_human", lab="cortexlab", error_code="source_vanished")
    assert (found["id"], found["who"], found["error"]) == (str(item.pk), "the lab", "It is gone.")
    assert stranger.found("transfers/items") == []
    assert stranger.get(f"transfers/items/{item.pk}").status_code == 404
    whole = manager.get(f"transfers/items/{item.pk}").json()
    assert [event["to"] for event in whole["events"]] == ["planned", "needs_human"]
    a_job(source=item.source.repository)
    job = manager.found("transfers/jobs", source=item.source.repository.name)[0]
    assert manager.get(f"transfers/jobs/{job['id']}").json()["taken_over"] == 0
    (window,) = manager.found("transfers/windows", lab="cortexlab", state="open")
    assert manager.get(f"transfers/windows/{window['id']}").status_code == 200
    assert manager.found("transfers/attempts", item=str(item.pk)) == []


def test_events_are_polled_in_order_and_read_as_their_items_are(manager: Rest, item: TransferItem) -> None:
    stranger = Rest(a_member(a_lab(), Role.HEAD))
    born, moved = manager.found("transfers/events", about=str(item.pk))
    assert (born["from"], born["to"], moved["from"], moved["to"]) == ("", "planned", "planned", "needs_human")
    assert manager.found("transfers/events", kind="item", after=str(born["seq"])) == [moved]
    assert stranger.found("transfers/events", kind="item") == []
    assert [row["kind"] for row in stranger.found("transfers/events", to="open")] == ["window"]
    assert manager.get("transfers/events", after="yesterday").status_code == 400


def test_files_that_no_scan_could_register_say_why_and_what_to_do(manager: Rest, lab: Lab) -> None:
    stranger = Rest(a_member(a_lab(), Role.HEAD))
    here, now = a_repository(lab, name="rig_disk"), clock.now()
    Scan.objects.create(repository=here, kind="hand", local_date=now.date(), left=1)
    seen = {"repository": here, "lab": lab, "since": now, "seen_at": now, "size_bytes": 3}
    FoundFile.objects.create(**seen, path="M1/2026-01-01/001/odd.xyz", why="no_type")
    FoundFile.objects.create(**seen, path="M1/2026-01-01/001/growing.npy", why="changing")
    (odd,) = manager.found("transfers/found", lab="cortexlab", why="no_type")
    assert odd["says"] == "No dataset type or format fits its name."
    assert odd["do"] == "rename it or add a dataset type"
    (growing,) = manager.found("transfers/found", repository="rig_disk", path="growing")
    assert growing["do"] == ""
    (scan,) = manager.found("transfers/scans", repository="rig_disk", lab="cortexlab", state="open")
    assert (scan["left"], scan["problem"]) == (1, "")
    assert stranger.found("transfers/found") == []


def test_needs_say_what_to_do(manager: Rest, item: TransferItem) -> None:
    (need,) = manager.found("transfers/needs", code="source_vanished", turn="person")
    assert (need["who"], need["count"], need["examples"][0]["id"]) == ("the lab", 1, str(item.pk))
    (night,) = manager.found("transfers/nights", lab="cortexlab")
    assert night["parts"]["failed"]["files"] == 1
    assert manager.get("transfers/nights", lab="nowhere").status_code == 404
    assert manager.get("transfers/nights", local_date="today").status_code == 400
    assert Rest(a_member(a_lab())).found("transfers/needs", code="source_vanished") == []


@pytest.mark.parametrize("how", ["items", "need", "lab"])
def test_retry_once(how: str, manager: Rest, item: TransferItem) -> None:
    (need,) = manager.found("transfers/needs", code="source_vanished")
    body: dict[str, Any] = {"items": [str(item.pk)], "need": need["key"], "lab": "cortexlab"}
    for count in (1, 0):
        answer = manager.post("transfers/retry", {how: body[how], "reason": "it is back"})
        assert (answer.status_code, answer.json()) == (200, {"retried": count})
    item.refresh_from_db()
    assert (item.state, item.attempts) == ("planned", 0)


def test_ignore_and_escalate_want_a_reason(manager: Rest, item: TransferItem) -> None:
    (need,) = manager.found("transfers/needs", code="source_vanished")
    for verb, word in (("escalate", "escalated"), ("ignore", "ignored")):
        refused = manager.post(f"transfers/{verb}", {"need": need["key"]})
        assert (refused.status_code, "reason" in refused.json()["errors"] if "errors" in refused.json() else True) == (
            400,
            True,
        )
        assert manager.post(f"transfers/{verb}", {"need": need["key"], "reason": "pilot"}).json() == {word: 1}
    (need,) = manager.found("transfers/needs", code="source_vanished")
    assert need["is_ignored"]
    assert "pilot (manager)" in need["note"]


def test_verify_asks_for_one_copy_or_all(manager: Rest, item: TransferItem) -> None:
    sent = {"dataset": str(item.dataset_id)}
    assert manager.post("transfers/verify", sent | {"copies": [str(uuid4())]}).json()["asked_for"] == 0
    assert manager.post("transfers/verify", sent | {"copies": [str(item.source_id)]}).json()["asked_for"] == 1
    assert FileRecord.objects.get(pk=item.source_id).look_due_at is not None
    assert manager.post("transfers/verify", {"dataset": str(uuid4())}).status_code == 404


@pytest.mark.parametrize(
    ("verb", "body", "code"),
    [
        ("retry", {}, 400),
        ("retry", {"need": "x"}, 400),
        ("retry", {"lab": "nowhere"}, 400),
        ("retry", {"items": ["x"]}, 400),
        ("retry", {"items": [str(uuid4())]}, 404),
        ("ignore", {"need": "~".join(["x"] * 6), "reason": "y"}, 400),
        ("escalate", {"need": f"{uuid4()}~item~a~b~-~-", "reason": "y"}, 404),
        ("verify", {"dataset": "x"}, 400),
    ],
)
def test_bad_bodies_are_refused(verb: str, body: dict[str, Any], code: int, manager: Rest) -> None:
    assert manager.post(f"transfers/{verb}", body).status_code == code


def test_readers_do_nothing(lab: Lab, item: TransferItem) -> None:
    reader = Rest(a_member(lab, Role.READER))
    (need,) = reader.found("transfers/needs", code="source_vanished")
    for verb in ("retry", "ignore", "escalate"):
        assert reader.post(f"transfers/{verb}", {"need": need["key"], "reason": "x"}).status_code == 403
    assert reader.post("transfers/verify", {"dataset": str(item.dataset_id)}).status_code == 403


def test_metrics_are_prometheus_for_staff(manager: Rest, item: TransferItem) -> None:
    beat("tick")
    answer = manager.get("metrics")
    assert answer.status_code == 200
    families = {family.name: family for family in text_string_to_metric_families(answer.content.decode())}
    states = {sample.labels["state"]: sample.value for sample in families["alyx_transfers_items"].samples}
    assert states["needs_human"] == 1
    assert families["alyx_transfers_oldest_unprotected_seconds"].samples[0].value >= 0
    assert families["alyx_transfers_tick_age_seconds"].samples[0].value < 60
    assert {"alyx_transfers_lease_reclaims", "alyx_transfers_verify_failures"} <= set(families)
    assert Rest(a_member(item.destination.labs.get(), is_staff=False)).get("metrics").status_code == 403
    health = manager.get("transfers/health").json()
    assert health["items"] == {"needs_human": 1}

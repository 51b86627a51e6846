"""What the stand-in answers has the fields and types of what `globus_sdk.testing` ships."""

from typing import Any

import pytest
from globus_sdk import ConfidentialAppAuthClient
from globus_sdk.scopes import TransferScopes
from globus_sdk.testing import RegisteredResponse, get_response_set

from tests.globus.conftest import Ends
from tests.globus.driver import CLIENT, SECRET

pytestmark = pytest.mark.once

LOOSE = {"DATA", "task_link"}
"""Compared on their own."""


def shipped(name: str, case: str = "default") -> dict[str, Any]:
    """The body that the SDK ships for a method."""
    found = get_response_set(name).lookup(case)
    assert isinstance(found, RegisteredResponse)
    assert isinstance(found.json, dict)
    return found.json


def differences(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """Fields that one has and the other lacks, or that hold another type (null fits every type)."""
    wrong = [f"{name}: only one has it" for name in ours.keys() ^ theirs.keys()]
    for name in (ours.keys() & theirs.keys()) - LOOSE:
        mine, other = ours[name], theirs[name]
        if mine is not None and other is not None and type(mine) is not type(other):
            wrong.append(f"{name}: {type(mine).__name__}, not {type(other).__name__}")
    return sorted(wrong)


def test_submissions(ends: Ends) -> None:
    given = ends.client.get_submission_id().data
    assert differences(given, shipped("transfer.get_submission_id")) == []
    job = ends.job(ends.spec(b"abc"))
    form = {"DATA_TYPE": "transfer", "submission_id": given["value"], "DATA": []}
    form |= {"source_endpoint": ends.ids["source"], "destination_endpoint": ends.ids["destination"]}
    with pytest.raises(Exception, match="NoTransferItems") as refused:
        ends.client.submit_transfer(form)
    body = refused.value.raw_json  # type: ignore[attr-defined]
    assert differences(body, shipped("transfer.submit_transfer", "failure")) == []
    form["DATA"] = [{"source_path": f"/lab/{job.files[0].source_path}", "destination_path": "/central/x"}]
    answer = ends.client.submit_transfer(form).data
    wanted = shipped("transfer.submit_transfer")
    assert differences(answer, wanted) == []
    assert differences(answer["task_link"], wanted["task_link"]) == []
    assert ends.client.submit_transfer(form)["code"] == "Duplicate"
    gone = {"DATA_TYPE": "delete", "endpoint": ends.ids["destination"], "DATA": [{"path": "/central/x"}]}
    gone["submission_id"] = ends.client.get_submission_id()["value"]
    assert differences(ends.client.submit_delete(gone).data, shipped("transfer.submit_delete")) == []


def test_tasks_and_their_lists(ends: Ends) -> None:
    job = ends.job(ends.spec(b"abc"), ends.spec(b"abd", "lab/b.npy", "2"))
    (ends.folders["source"] / "lab" / "lab/b.npy").unlink()
    task = ends.send(job).id
    ends.wait(task)
    theirs = shipped("transfer.task_list")
    listed = ends.client.task_list(filter={"task_id": [task]}).data
    assert differences(listed, theirs) == []
    assert differences(listed["DATA"][0], theirs["DATA"][0]) == []
    assert differences(ends.client.get_task(task).data, theirs["DATA"][0] | {"DATA_TYPE": "task"}) == []
    moved = ends.client.task_successful_transfers(task).data
    wanted = shipped("transfer.endpoint_manager_task_successful_transfers")
    assert differences(moved, wanted) == []
    assert moved["DATA"][0].keys() - wanted["DATA"][0].keys() == {"size", "checksum", "checksum_algorithm"}
    assert [one["error_code"] for one in ends.client.task_skipped_errors(task)] == ["FILE_NOT_FOUND"]
    codes = [event["code"] for event in ends.client.task_event_list(task)]
    assert codes == ["SUCCEEDED", "FILE_NOT_FOUND", "STARTED"]
    assert ends.client.cancel_task(task)["code"] == "TaskComplete"
    assert differences(ends.client.cancel_task(task).data, shipped("transfer.cancel_task")) == []


def test_collections_and_their_folders(ends: Ends) -> None:
    key = ends.ids["destination"]
    assert differences(ends.client.get_endpoint(key).data, shipped("transfer.get_endpoint")) == []
    made = ends.client.operation_mkdir(key, "/central/a").data
    assert differences(made, shipped("transfer.operation_mkdir")) == []
    named = ends.client.operation_rename(key, "/central/a", "/central/b").data
    assert differences(named, shipped("transfer.operation_rename")) == []
    seen = ends.client.operation_stat(key, "/central/b").data
    assert differences(seen, shipped("transfer.operation_stat")) == []
    with pytest.raises(Exception, match="NotFound") as missing:
        ends.client.operation_stat(key, "/central/none")
    body = missing.value.raw_json  # type: ignore[attr-defined]
    assert differences(body, shipped("transfer.operation_stat", "not_found")) == []


def test_tokens(ends: Ends) -> None:
    client = ConfidentialAppAuthClient(CLIENT, SECRET)
    token = client.oauth2_client_credentials_tokens(TransferScopes.all).data
    assert differences(token, shipped("auth.oauth2_client_credentials_tokens")) == []
    inspected = client.oauth2_token_introspect(token["access_token"]).data
    assert differences(inspected, shipped("auth.oauth2_token_introspect")) == []
    ends.service.control("tokens")
    assert client.oauth2_token_introspect(token["access_token"]).data == {"active": False}

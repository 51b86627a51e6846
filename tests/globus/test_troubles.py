"""Each way in which Globus fails has its code, says where, and what to do; and no secret leaves the file."""

import logging
from pathlib import Path
from typing import Any

import pytest

from tests.backends.rig import NAME, bytes_of, code
from tests.globus.conftest import Ends
from tests.globus.driver import REFRESH, SECRET
from transfers.backends.base import BackendFailure, Failure, Promoted, RemoteState
from transfers.backends.globus import GlobusBackend, Place
from transfers.backends.globus.errors import EVENTS, of_event
from transfers.rules.errors import ErrorCode, Side

pytestmark = pytest.mark.once

SUBMIT = "POST /v0.10/transfer"
SCOPES = ["urn:globus:auth:scope:transfer.api.globus.org:all[*https://auth.globus.org/scopes/c/data_access]"]


@pytest.mark.parametrize(
    ("status", "word", "more", "expected"),
    [
        (401, "AuthenticationFailed", {}, ErrorCode.AUTH_FAILED),
        (403, "ConsentRequired", {"body": {"required_scopes": SCOPES}}, ErrorCode.CONSENT_REQUIRED),
        (403, "PermissionDenied", {}, ErrorCode.PERMISSION_DENIED),
        (429, "TooManyRequests", {"headers": {"Retry-After": "1"}}, ErrorCode.TOO_BUSY),
        (502, "ExternalError.DirListingFailed.LoginFailed", {}, ErrorCode.AUTH_FAILED),
        (502, "ExternalError.DirListingFailed.GCDisconnected", {}, ErrorCode.UNREACHABLE),
        (409, "Conflict", {}, ErrorCode.TOO_BUSY),
    ],
)
def test_a_refused_submission(ends: Ends, status: int, word: str, more: dict[str, Any], expected: ErrorCode) -> None:
    job = ends.job(ends.spec(b"abc"))
    before = len(ends.service.tasks())
    ends.service.fail("refuse", SUBMIT, times=None, status=status, code=word, **more)
    with ends.client.retry_config.tune(max_retries=1):
        sent = ends.destination.send(ends.source, job)
    outcome = sent.outcomes.get("1") or getattr(sent, "problem", None)
    assert isinstance(outcome, Failure)
    assert outcome.code is expected
    if expected is ErrorCode.CONSENT_REQUIRED:
        assert SCOPES[0] in outcome.detail
        assert "globus session consent" in outcome.detail
    if status == 429:
        assert "wait for 1 s" in outcome.detail
    assert len(ends.service.tasks()) == before


def test_throttling_and_a_broken_minute_are_waited_out(ends: Ends) -> None:
    job = ends.job(ends.spec(b"abc"))
    ends.service.fail("refuse", SUBMIT, status=429, code="TooManyRequests", headers={"Retry-After": "1"})
    ends.service.fail("late_error", SUBMIT)
    ends.service.fail("cut_before", SUBMIT)
    before = len(ends.service.tasks())
    assert ends.carry(job) == {"1": Promoted()}
    assert len(ends.service.tasks()) == before + 1


def test_a_token_that_ran_out_is_renewed(ends: Ends) -> None:
    before = ends.service.calls("/v2/oauth2/token")
    ends.service.control("tokens")
    assert ends.destination.probe().healthy
    assert ends.service.calls("/v2/oauth2/token") == before + 1


def test_a_person_s_refresh_token_serves_as_well(ends: Ends) -> None:
    place = Place(ends.ids["destination"], "/central/", "person")
    place.forget()
    assert GlobusBackend(place, ends.destination.canary).probe().healthy


def test_a_slow_service_times_out(ends: Ends) -> None:
    ends.service.fail("slow", "/stat", times=None, seconds=1.5)
    with ends.client.retry_config.tune(max_retries=0), ends.client.transport.tune(http_timeout=0.4):
        assert code(ends.source.stat([NAME])[NAME]) is ErrorCode.TIMEOUT


def test_a_paused_task_waits_and_says_who_paused_it(ends: Ends) -> None:
    ends.service.fail("drag", times=None, seconds=0.05)
    job = ends.job(ends.spec(bytes_of(5 << 20)))
    task = ends.send(job).id
    ends.service.control("collection", ends.ids["destination"], paused="maintenance until noon")
    held = ends.until(task, lambda seen: seen.problem is not None)
    assert (held.state, held.problem and held.problem.code) == (RemoteState.ACTIVE, ErrorCode.PAUSED)
    health = ends.destination.probe()
    assert (health.problem, health.detail) == (ErrorCode.PAUSED, "maintenance until noon")
    ends.service.control("collection", ends.ids["destination"], paused=None)
    ends.service.heal()
    assert ends.wait(task).state is RemoteState.SUCCEEDED


@pytest.mark.parametrize(
    ("trouble", "expected"),
    [({"lapsed": True}, ErrorCode.AUTH_FAILED), ({"connected": False}, ErrorCode.UNREACHABLE)],
)
def test_a_task_that_stands_still_is_not_over(ends: Ends, trouble: dict[str, Any], expected: ErrorCode) -> None:
    ends.service.fail("drag", times=None, seconds=0.05)
    task = ends.send(ends.job(ends.spec(bytes_of(5 << 20)))).id
    ends.service.control("collection", ends.ids["source"], **trouble)
    held = ends.until(task, lambda seen: seen.problem is not None)
    assert (held.state, held.problem and held.problem.code) == (RemoteState.ACTIVE, expected)
    assert ends.source.probe().problem is expected
    ends.service.control("collection", ends.ids["source"], connected=True, lapsed=False)
    ends.service.heal()
    assert ends.wait(task).state is RemoteState.SUCCEEDED


def test_a_full_destination_ends_the_task_and_is_the_place_s_fault(ends: Ends) -> None:
    ends.service.control("collection", ends.ids["destination"], free=10)
    job = ends.job(ends.spec(b"x" * 8), ends.spec(b"y" * 8, "lab/b.npy", "2"))
    ended = ends.wait(ends.send(job).id)
    assert (ended.state, ended.problem and ended.problem.side) == (RemoteState.FAILED, Side.DESTINATION)
    assert code(ends.destination.prove(ends.source, job)["2"]) is ErrorCode.NO_SPACE


def test_a_personal_computer_that_is_off(ends: Ends) -> None:
    ends.service.control("collection", ends.ids["source"], entity_type="GCP_mapped_collection", connected=False)
    assert ends.source.probe().problem is ErrorCode.UNREACHABLE


def test_nothing_goes_from_one_personal_computer_to_another(ends: Ends) -> None:
    job, before = ends.job(ends.spec(b"abc")), ends.service.calls(SUBMIT)
    for key in ends.ids.values():
        ends.service.control("collection", key, entity_type="GCP_guest_collection")
    assert code(ends.destination.send(ends.source, job).outcomes["1"]) is ErrorCode.UNSUPPORTED
    assert ends.service.calls(SUBMIT) == before


def test_paths_out_of_the_root_are_refused_and_the_rest_goes(ends: Ends) -> None:
    bad = [ends.spec(b"x", key=str(n)) for n in range(2)]
    specs = (
        ends.spec(b"abc", "lab/good.npy", "9"),
        *(type(bad[0])("a", "../x", NAME, bad[0].content), type(bad[0])("b", NAME, "/etc/passwd", bad[0].content)),
    )
    sent = ends.send(ends.job(*specs))
    assert {key: code(outcome) for key, outcome in sent.outcomes.items()} == dict.fromkeys("ab", ErrorCode.PATH_REFUSED)
    assert set(ends.wait(sent.id).outcomes) == {"9"}


@pytest.mark.parametrize("root", ["", "globus://", "globus://no-uuid/x", "s3://b/x", "globus://{id}/../x"])
def test_a_root_that_names_no_collection_is_refused(root: str) -> None:
    with pytest.raises(BackendFailure) as refused:
        Place.of(root.format(id="5d4f1f6e-0c52-4b58-9a54-3c1c7c0a9e11"), "default")
    assert refused.value.code is ErrorCode.PATH_REFUSED


@pytest.mark.parametrize(
    ("how", "section", "said"),
    [
        ("none", "default", "names no file"),
        ("open", "default", "chmod 600"),
        ("garbage", "default", "as INI"),
        ("halved", "default", "client_secret or refresh_token"),
        ("", "nobody", "no section [nobody]"),
        ("", "wrong", "refused the credentials"),
    ],
)
def test_credentials_that_do_not_serve(
    ends: Ends, credentials: Path, how: str, section: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(ends.ids["destination"], "/central/", section)
    place.forget()
    if how == "none":
        monkeypatch.delenv("ALYX_GLOBUS_CREDENTIALS")
    elif how == "open":
        credentials.chmod(0o644)
    elif how == "garbage":
        credentials.write_text(f"client_secret {SECRET}")
    elif how == "halved":
        credentials.write_text("[default]\nclient_id = x\n")
    health = GlobusBackend(place, ends.destination.canary).probe()
    assert health.problem is ErrorCode.AUTH_FAILED
    assert said in health.detail
    assert SECRET not in health.detail


def test_no_secret_is_said(ends: Ends, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for credential in ("default", "person", "wrong"):
        place = Place(ends.ids["destination"], "/central/", credential)
        place.forget()
        health = GlobusBackend(place, ends.destination.canary).probe()
        said = f"{place!r} {health!r} {caplog.text}"
        assert not [secret for secret in (SECRET, REFRESH, "nonsense") if secret in said]
    assert caplog.records


def test_every_word_of_the_service_has_a_meaning() -> None:
    assert all(of_event(word).code is meaning for word, (meaning, _) in EVENTS.items())
    assert of_event("SOMETHING_NEW").code is ErrorCode.UNKNOWN

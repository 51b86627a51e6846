"""Stock ONE-api 3.6.1: logging in, and the schema it reads before its first request."""

from pathlib import Path
from typing import Any

import pytest
import requests

from demo.story import Story

pytestmark = pytest.mark.clients


# ---- logging in


def test_login_answers_with_exactly_one_token(lab: Story) -> None:
    credentials = {"username": lab.rig_user, "password": lab.rig_password}
    answer = requests.post(f"{lab.url}/auth-token", data=credentials, timeout=30)
    assert answer.status_code == 200
    assert list(answer.json()) == ["token"]


def test_a_wrong_password_is_a_400_that_says_so(lab: Story) -> None:
    from one.webclient import AlyxClient

    with pytest.raises(requests.HTTPError, match="authentication failed"):
        AlyxClient(base_url=lab.url, username=lab.rig_user, password="no", silent=True)


def test_a_token_alone_logs_in_and_names_its_owner(lab: Story, rig: Any) -> None:
    from one.webclient import AlyxClient

    client = AlyxClient(base_url=lab.url, token=dict(rig.alyx._token), silent=True, cache_rest=None)
    assert client.user == lab.rig_user
    assert client.is_logged_in


def test_a_token_that_is_not_ours_is_refused_at_once(lab: Story, home: Path) -> None:
    from one.webclient import AlyxClient

    with pytest.raises(requests.HTTPError, match="rejected the API token"):
        AlyxClient(base_url=lab.url, token="0" * 64, silent=True, cache_rest=None)


def test_a_stale_token_is_a_403_with_the_words_that_make_the_client_log_in_again(lab: Story) -> None:
    answer = requests.get(f"{lab.url}/sessions", headers={"Authorization": f"Token {'0' * 64}"}, timeout=30)
    assert answer.status_code == 403
    assert '"Invalid token."' in answer.text


# ---- the schema


def test_every_endpoint_and_action_of_the_contract_is_offered(rig: Any) -> None:
    everything = {"list", "read", "create", "update", "partial_update", "delete"}
    wanted = {
        "sessions": everything,
        "subjects": everything,
        "datasets": everything,
        "files": everything,
        "labs": everything,
        "projects": everything,
        "users": {"list", "read"},
        "dataset-types": everything,
        "data-formats": everything,
        "data-repository": everything,
        "revisions": everything,
        "tags": everything,
        "register-file": {"create"},
        "check-protected": {"list"},
    }
    schemes = rig.alyx.rest_schemes
    assert schemes.backend == "open_api_v3"
    for endpoint, actions in wanted.items():
        assert actions <= set(schemes.actions(endpoint)), endpoint


def test_the_help_of_every_endpoint_can_be_printed(rig: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for endpoint in rig.alyx.rest_schemes.endpoints:
        rig.alyx.print_endpoint_info(endpoint)
        for action in rig.alyx.rest_schemes.actions(endpoint):
            rig.alyx.rest_schemes.fields(endpoint, action)
    assert "task_protocol" in capsys.readouterr().out


SESSION_FILTERS = """
    atlas_acronym atlas_id atlas_name auto_datetime dataset_qc_lte dataset_types datasets date_range django end_time
    extended_qc histology id json lab location n_correct_trials n_trials name narrative nickname number parent_session
    performance_gte performance_lte procedures project projects qc start_time subject tag task_protocol type users
    limit offset
"""


def test_sessions_offer_every_filter_of_the_contract(rig: Any) -> None:
    assert set(SESSION_FILTERS.split()) <= set(rig.alyx.rest_schemes.field_names("sessions", "list"))

"""The checks of this folder find bugs that are planted in the served application, and find nothing without them."""

import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from demo.connection import connect
from demo.served import ROOT, Served, free_port
from demo.story import Story
from tests.clients import test_login_and_schema as login
from tests.clients import test_one_day as one_day
from tests.clients import test_records as plain
from tests.clients import test_searching as searching
from tests.clients import test_water as water
from tests.clients.conftest import Day
from tests.clients.planted import BUGS, FILE

pytestmark = [pytest.mark.clients, pytest.mark.once]
Check = Callable[..., None]


def offers(endpoint: str) -> Check:
    """The check of one endpoint's filters."""
    return partial(plain.test_every_list_offers_the_filters_of_the_contract, endpoint=endpoint)


FINDS: Mapping[str, Check] = {
    "a filter of sessions is missing in the schema": login.test_sessions_offer_every_filter_of_the_contract,
    "a filter of sessions that ONE sends is missing in the schema": partial(
        searching.test_search_finds_by_this_filter_what_fits_and_nothing_else, term="task_protocol"
    ),
    "a filter of insertions is missing in the schema": offers("insertions"),
    "a filter of datasets is missing in the schema": offers("datasets"),
    "pages cannot be asked for by the schema": login.test_sessions_offer_every_filter_of_the_contract,
    "filename_pattern is null": one_day.test_registering_the_same_files_twice_changes_nothing,
    "data_url of a session's datasets is null": one_day.test_every_registered_dataset_is_listed_once,
    "data_url of a session's datasets is dropped": one_day.test_objects_and_collections_load,
    "data_url of file records is null": one_day.test_the_served_files_are_closed_to_those_who_do_not_log_in,
    "data_url of file records is dropped": one_day.test_served_files_can_be_asked_for_in_part,
    "register-file answers an object": one_day.test_registering_the_same_files_twice_changes_nothing,
    "register-file answers in another order": plain.test_answers_to_a_registration_come_in_the_order_of_the_files,
    "a session that is there is made again": plain.test_posting_a_session_that_is_there_answers_with_it,
    "pages end too early": searching.test_a_long_list_is_fetched_page_by_page,
    "the count is that of the page": searching.test_a_long_list_is_fetched_page_by_page,
    "times have a zone": searching.test_search_gives_details_with_the_lab_wall_clock,
    "microseconds are lost": searching.test_registering_the_session_again_makes_no_second_one,
    "the hash of a file is left out": one_day.test_a_file_that_rotted_in_the_analysts_cache_is_fetched_again,
    "default_revision is a boolean": plain.test_the_revision_registered_as_the_default_is_what_loads,
    "logging in answers more than the token": login.test_login_answers_with_exactly_one_token,
    "a stale token is a 401": login.test_a_stale_token_is_a_403_with_the_words_that_make_the_client_log_in_again,
    "an unknown repository is a 500": one_day.test_an_unknown_repository_is_a_400_that_names_it,
    "check-protected refuses by its status": plain.test_nothing_is_protected_unless_somebody_said_so,
    "weighings answer more than they should": water.test_weights_are_registered_once_and_read_by_their_url,
}


@dataclass
class Infested:
    """Another web process of the instance, in which a bug can be planted. Clients of it are new for each check."""

    url: str
    file: Path
    lab: Story
    day: Day
    home: Path
    passed: set[Check] = field(default_factory=set)
    """Checks that passed while nothing was planted."""

    def plant(self, bug: str) -> None:
        """From the next request on; an empty name: none."""
        self.file.write_text(bug)
        self.file.with_suffix(".shown").unlink(missing_ok=True)

    @property
    def has_shown(self) -> bool:
        """Whether the bug was in an answer."""
        return self.file.with_suffix(".shown").exists()

    def client(self, user: str, password: str) -> Any:
        """Stock ONE with an empty cache."""
        cache = self.home / "planted" / uuid4().hex
        return connect(
            url=self.url,
            data_server=self.lab.data_url,
            username=user,
            password=password,
            home=self.home,
            cache=cache,
        )

    def run(self, check: Check) -> None:
        """The check, on this process."""
        from one.registration import RegistrationClient

        lab = replace(self.lab, url=self.url)
        makers: dict[str, Callable[[], Any]] = {
            "lab": lambda: lab,
            "home": lambda: self.home,
            "rig": lambda: self.client(lab.rig_user, lab.rig_password),
            "analyst": lambda: self.client(lab.analyst_user, lab.analyst_password),
            "day": lambda: self.day._replace(client=RegistrationClient(self.client(lab.rig_user, lab.rig_password))),
        }
        given = check.keywords if isinstance(check, partial) else {}
        wanted = [name for name in inspect.signature(check).parameters if name not in given]
        check(**{name: makers[name]() for name in wanted})


@pytest.fixture(scope="module")
def infested(
    served: Served, lab: Story, day: Day, home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Infested]:
    """Beside the instance's own web processes."""
    file, port = tmp_path_factory.mktemp("planted") / "bug", free_port()
    file.touch()
    app = "tests.clients.planted:application()"
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "-w", "1", "-b", f"127.0.0.1:{port}", app],
        cwd=ROOT,
        env={**served.environment(), FILE: str(file)},
        stdout=subprocess.DEVNULL,
        stderr=(served.var / "planted.log").open("wb"),
    )
    try:
        other = Served(served.var, port)
        while not other.healthy():
            assert process.poll() is None, (served.var / "planted.log").read_text()[-2000:]
        yield Infested(other.url, file, lab, day, home)
    finally:
        process.terminate()
        process.wait()
        for with_revision in (False, True):  # as the others know the day they share: some checks made other defaults
            files = [day.path / one for one in day.registered if ("#" in one) == with_revision]
            day.client.register_files(files, repository=lab.lab_repository, versions="1.2.3")


def test_each_bug_has_a_check_that_finds_it() -> None:
    assert set(FINDS) == set(BUGS)


@pytest.mark.parametrize("bug", FINDS)
def test_a_planted_bug_is_found(bug: str, infested: Infested) -> None:
    check = FINDS[bug]
    if check not in infested.passed:
        infested.run(check)
        infested.passed.add(check)
    infested.plant(bug)
    try:
        with pytest.raises(Exception) as found:  # noqa: PT011  (whatever the client or the check says)
            infested.run(check)
        assert infested.has_shown, found.value
    finally:
        infested.plant("")

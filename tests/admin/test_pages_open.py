"""Every page opens, for a superuser and for a member of a lab, and costs the same however many rows there are."""

import re
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from alyx.core.models import JournalEntry
from alyx.labs.models import Role, Token
from tests.admin.conftest import logged_in
from tests.admin.pages import PAGES, Rows, url
from tests.factories import an_entry

pytestmark = [pytest.mark.django_db, pytest.mark.once]
EACH_PAGE = pytest.mark.parametrize("model", PAGES, ids=lambda model: model.__name__)
QUERIES_AT_MOST = 15


def queries_of(client: Client, address: str) -> int:
    """How many statements the page takes."""
    client.get(address)  # content types and the session are known by now
    with CaptureQueriesContext(
        connection,
    ) as captured:
        answer = client.get(address)
        assert answer.status_code == 200
    return len(captured)


@EACH_PAGE
def test_a_list_costs_the_same_for_5_and_for_100_rows(model: type[Model], rows: Rows, root: Client) -> None:
    clients = {"superuser": root, "member": logged_in(rows.member(Role.HEAD))}

    def costs() -> dict[str, int]:
        return {who: queries_of(client, url(model, "changelist")) for who, client in clients.items()}

    rows.make(model, 5)
    few = costs()
    rows.make(model, 95)
    assert costs() == few
    assert max(few.values()) <= QUERIES_AT_MOST


@EACH_PAGE
@pytest.mark.parametrize("who", ["superuser", *Role])
def test_every_page_of_every_record_opens(model: type[Model], who: str, rows: Rows, root: Client) -> None:
    (row,) = rows.make(model)
    person = None if who == "superuser" else rows.member_everywhere(Role(who))
    if isinstance(row, Token) and person is not None:
        row = Token.objects.create(user=person)
    if isinstance(row, JournalEntry) and person is not None:
        row = an_entry(person)
    client = logged_in(person) if person else root
    for page in ("change", "history"):
        answer = client.get(url(model, page, row.pk))
        assert answer.status_code == 200, page
        assert str(row)[:20] in answer.content.decode().replace("&#x27;", "'") or page == "history"
    assert client.get(url(model, "changelist")).status_code == 200
    assert client.get(url(model, "add")).status_code in ({200} if url(model, "add") in _offered(who, client) else {403})


OFFERED: dict[str, set[str]] = {}


def _offered(who: str, client: Client) -> set[str]:
    """What the first page leads to: by the role alone, so it is asked once for each."""
    if who not in OFFERED:
        OFFERED[who] = set(re.findall(r'href="([^"]+)"', client.get("/admin/").content.decode()))
    return OFFERED[who]


@EACH_PAGE
def test_every_list_answers_a_search(model: type[Model], rows: Rows, root: Client) -> None:
    rows.make(model)
    for words in ("x", "%", "5b1fc10a-41ae-49e5-9b66-1f7e5a8a7e3d", "a b c", "'; --", "ü"):
        assert root.get(url(model, "changelist"), {"q": words}).status_code == 200


@EACH_PAGE
def test_every_filter_of_every_list_answers(model: type[Model], rows: Rows, root: Client) -> None:
    rows.make(model, 2)
    page: Any = root.get(url(model, "changelist"))
    changelist = page.context["cl"]
    for spec in changelist.filter_specs:
        for choice in spec.choices(changelist):
            assert root.get(url(model, "changelist") + choice["query_string"], follow=True).status_code == 200


@EACH_PAGE
def test_every_column_sorts(model: type[Model], rows: Rows, root: Client) -> None:
    rows.make(model, 2)
    columns = len(root.get(url(model, "changelist")).context["cl"].list_display)
    for column in range(columns):
        assert root.get(url(model, "changelist"), {"o": f"-{column}"}, follow=True).status_code == 200


def test_the_first_page_costs_the_same_however_much_there_is(rows: Rows, root: Client) -> None:
    for model in PAGES:
        rows.make(model, 1)
    few = queries_of(root, "/admin/")
    for model in PAGES:
        rows.make(model, 2)
    assert queries_of(root, "/admin/") == few <= QUERIES_AT_MOST


def test_a_dataset_page_costs_the_same_for_2_and_for_20_copies(rows: Rows, root: Client) -> None:
    from tests.factories import a_copy, a_repository

    dataset = rows.dataset()
    few = queries_of(root, url(type(dataset), "change", dataset.pk))
    for _ in range(18):
        a_copy(dataset, a_repository(rows.lab), "claimed")
    assert queries_of(root, url(type(dataset), "change", dataset.pk)) == few <= QUERIES_AT_MOST


def test_a_session_page_costs_the_same_for_1_and_for_30_files(rows: Rows, root: Client) -> None:
    from tests.factories import a_copy, a_dataset

    session = rows.session()
    a_copy(a_dataset(session))
    few = queries_of(root, url(type(session), "change", session.pk))
    for _ in range(30):
        a_copy(a_dataset(session))
    assert queries_of(root, url(type(session), "change", session.pk)) == few


def test_nothing_is_chosen_from_an_endless_drop_down(rows: Rows, root: Client) -> None:
    for _ in range(60):
        rows.make(PAGES[0])
    for model in PAGES:
        (row,) = rows.make(model)
        page = root.get(url(model, "change", row.pk)).content.decode()
        assert page.count("<option") < 60, model


@EACH_PAGE
@pytest.mark.parametrize("key", ["no-uuid", "5b1fc10a-41ae-49e5-9b66-1f7e5a8a7e3d", "%00"])
def test_a_page_of_nothing_says_so(model: type[Model], key: str, root: Client) -> None:
    for page in ("change", "history"):
        assert root.get(url(model, page, key), follow=True).status_code in {200, 404}

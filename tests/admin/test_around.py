"""Around the pages: the login's bound, remembered filters, the box that finds everything, the content policy."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.core.cache import cache
from django.db.models import Model
from django.test import Client

from alyx.core.admin_shown import ago, badge, megabytes
from alyx.core.clock import now, utc_to_wall
from alyx.core.status import Status
from alyx.labs.login import AccountRate, AddressRate
from datasets.models import Dataset
from sessions.models import Session
from subjects.models import Subject
from tests.admin.pages import PAGES, Rows, url
from tests.factories import (
    a_copy,
    a_dataset,
    a_lab,
    a_member,
    a_repository,
    a_restriction,
    a_session,
    a_subject,
    a_user,
    a_weighing,
    an_item,
)
from tests.factories.people import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def bounded(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three attempts a minute."""
    settings.THROTTLE = True
    cache.clear()
    for rate in (AccountRate, AddressRate):
        monkeypatch.setattr(rate, "THROTTLE_RATES", {"login": "3/min"})


def log_in(client: Client, name: str, password: str, address: str = "10.0.0.1") -> Any:
    return client.post("/admin/login/", {"username": name, "password": password}, REMOTE_ADDR=address)


def test_logging_in_is_bounded_per_account_from_wherever(bounded: None) -> None:
    user = a_user()
    for number in range(3):
        assert b"Too many attempts" not in log_in(Client(), user.username, "wrong", f"10.0.0.{number}").content
    refused = log_in(Client(), user.username.upper(), PASSWORD, "10.0.0.9")
    assert b"Too many attempts" in refused.content


def test_logging_in_is_bounded_per_address_whatever_the_account(bounded: None) -> None:
    user = a_user()
    for number in range(3):
        log_in(Client(), f"nobody{number}", "wrong")
    assert b"Too many attempts" in log_in(Client(), user.username, PASSWORD).content
    assert log_in(Client(), user.username, PASSWORD, "10.0.0.2").status_code == 302


def test_a_wrong_name_and_a_wrong_password_get_the_same_answer(bounded: None) -> None:
    user = a_user()
    pages = [log_in(Client(), name, "wrong").content.decode() for name in (user.username, "nobody")]
    texts = {tuple(re.findall(r'class="errornote">\s*(.*?)</p>', page, re.DOTALL)) for page in pages}
    assert texts != {()}
    assert len(texts) == 1


def test_somebody_who_is_no_staff_does_not_get_in() -> None:
    user = a_user(is_staff=False)
    assert log_in(Client(), user.username, PASSWORD).status_code == 200


def test_a_list_is_found_as_it_was_left(root: Client, rows: Rows) -> None:
    address = url(Subject, "changelist")
    root.get(address, {"sex": "F", "q": "M0"})
    back = root.get(address)
    assert (back.status_code, back["Location"]) == (302, f"{address}?sex=F&q=M0")
    assert root.get(url(Session, "changelist")).status_code == 200


def test_clearing_the_filters_on_the_list_forgets_them(root: Client) -> None:
    address = url(Subject, "changelist")
    root.get(address, {"sex": "F"})
    cleared = root.get(address, headers={"Referer": f"http://testserver{address}?sex=F"})
    assert cleared.status_code == 200
    assert root.get(address).status_code == 200


def test_a_popup_does_not_change_what_is_remembered(root: Client) -> None:
    address = url(Subject, "changelist")
    root.get(address, {"sex": "F"})
    assert root.get(address, {"_popup": "1"}).status_code == 200
    assert root.get(address)["Location"].endswith("?sex=F")


def found(client: Client, text: str) -> Any:
    return client.get("/admin/find/", {"q": text})


@pytest.fixture
def recorded(rows: Rows) -> Any:
    """A file of a named animal's session."""
    session = a_session(a_subject(rows.lab, "KS_014"), number=2)
    return a_dataset(session, "spikes.times.npy", sha256="ab" * 32)


def test_pasting_an_id_opens_its_page(recorded: Any, root: Client, rows: Rows) -> None:
    copy = a_copy(recorded)
    item = an_item(dataset=a_dataset())
    for row in (recorded, recorded.session, recorded.session.subject, copy, item, copy.repository, rows.lab):
        assert found(root, f" {row.pk} ")["Location"] == url(type(row), "change", row.pk)
        assert found(root, str(row.pk).replace("-", "").upper())["Location"] == url(type(row), "change", row.pk)


def test_pasting_a_hash_a_path_or_a_nickname_opens_its_page(recorded: Any, root: Client) -> None:
    dataset, session = url(Dataset, "change", recorded.pk), url(Session, "change", recorded.session.pk)
    assert found(root, recorded.md5.upper())["Location"] == dataset
    assert found(root, recorded.sha256)["Location"] == dataset
    assert found(root, "spikes.times.npy")["Location"] == dataset
    assert found(root, "ks_014")["Location"] == url(Subject, "change", recorded.session.subject.pk)
    for path in ("KS_014/2026-03-09/002", "/mnt/lab/Subjects/ks_014/2026-03-09/2/", "KS_014/2026-03-09/2"):
        assert found(root, path)["Location"] == session
    page = found(root, f"/data/{recorded.session}/alf/probe00/spikes.times.npy").content.decode()
    assert dataset in page


def test_several_answers_are_listed_by_kind(root: Client, rows: Rows) -> None:
    for number in range(25):
        a_subject(rows.lab, f"CSH_{number:03d}")
    a_repository(rows.lab, name="csh_server")
    page = found(root, "csh").content.decode()
    assert "CSH_000" in page
    assert "csh_server" in page
    assert f"{url(Subject, 'changelist')}?q=csh" in page


@pytest.mark.parametrize("text", ["", "   ", "nothing like it", "\x00", "%", "a/2026-99-99/1", "'", "ü" * 400])
def test_what_is_not_found_says_what_can_be(text: str, root: Client) -> None:
    answer = found(root, text)
    assert answer.status_code == 200
    assert ("Nothing has" in answer.content.decode()) is bool(text.strip())


def test_withdrawn_things_are_not_found(recorded: Any, root: Client) -> None:
    Dataset.objects.filter(pk=recorded.pk).update(withdrawn_at=now())
    assert b"Nothing has" in found(root, str(recorded.pk)).content


def test_finding_needs_a_login(client: Client) -> None:
    assert found(client, "x").status_code == 302


def test_no_page_has_inline_script_or_style(root: Client, rows: Rows) -> None:
    for model in PAGES:
        (row,) = rows.make(model)
        for page, args in (("changelist", ()), ("change", (row.pk,)), ("history", (row.pk,))):
            answer = root.get(url(model, page, *args), follow=True)
            text = answer.content.decode()
            assert "unsafe" not in answer["Content-Security-Policy"]
            assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", text), (model, page)
            assert not re.search(r"<style|\sstyle=|\son(click|load|change|submit)=|javascript:", text), (model, page)


def test_ages_are_said_in_words_with_the_exact_time_beside() -> None:
    at = now()
    assert "just now" in ago(at)
    assert f"{at:%Y-%m-%d %H:%M:%S} UTC" in ago(at)
    assert ago(None) == "–"


@pytest.mark.parametrize(
    ("size", "words"), [(None, "–"), (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2.5e12, "2.5 TB")]
)
def test_sizes_are_for_people(size: int | None, words: str) -> None:
    assert megabytes(size) == words


def test_a_badge_says_its_state_in_a_word_and_a_shape_and_escapes() -> None:
    assert "▲" in badge(Status.WARNING, "suspect")
    assert "<b>" not in badge(Status.WARNING, "<b>", "<i>")


@pytest.mark.parametrize("model", PAGES, ids=lambda model: model.__name__)
def test_every_list_has_an_order(model: type[Model], rows: Rows, root: Client) -> None:
    rows.make(model, 2)
    assert root.get(url(model, "changelist")).context["cl"].queryset.ordered


def test_every_autocomplete_answers(rows: Rows, root: Client) -> None:
    for model in PAGES:
        page = admin.site._registry[model]
        for name in page.get_autocomplete_fields(root.get("/admin/").wsgi_request):
            query = {
                "app_label": model._meta.app_label,
                "model_name": str(model._meta.model_name),
                "field_name": name,
                "term": "a",
            }
            assert root.get("/admin/autocomplete/", query).status_code == 200, (model, name)


def test_the_first_page_counts_what_the_animals_of_my_labs_need_today(rows: Rows) -> None:
    wall = utc_to_wall(now(), rows.lab.timezone)
    rows.lab.reference_weight_pct = 0.85
    rows.lab.save()
    for lab in (rows.lab, a_lab()):
        subject = a_restriction(a_subject(lab), start=wall - timedelta(days=9), reference_weight_g=25.0).subject
        a_weighing(subject, 19.0, at=wall - timedelta(days=1))
    client = Client()
    client.force_login(a_member(rows.lab))
    page = client.get("/admin/").content.decode()
    for number, words in ((1, "animals below their weight"), (1, "animals to weigh or to water"), (0, "checks after")):
        assert re.search(rf"<b>{number}</b>[^\n]*{words}", page), words

"""The page of tokens: everybody their own, the key shown once, by the services."""

import re
from typing import Any

import pytest
from django.test import Client

from alyx.labs.models import Lab, Membership, Role, Token, User
from alyx.labs.tokens import issue_token
from tests.factories import a_lab, a_member, a_superuser, a_user
from tests.factories.rest import Rest

pytestmark = pytest.mark.django_db
LIST = "/admin/labs/token/"


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def kate() -> User:
    return a_member(a_lab(), Role.READER, "kate")


def key_in(answer: Any) -> str:
    """The key that the page shows."""
    found = re.findall(r"\b[0-9a-f]{64}\b", answer.content.decode())
    assert len(found) == 1
    return str(found[0])


def add(client: Client, **form: Any) -> Any:
    return client.post(f"{LIST}add/", {**form, "_save": "Save"}, follow=True)


def test_a_token_of_ones_own_is_issued_and_its_key_shown_once(kate: User) -> None:
    client = logged_in(kate)
    key = key_in(add(client, label="analysis laptop"))
    assert Rest(key=key).get("me").json() == {"username": "kate"}
    token = Token.objects.get(label="analysis laptop")
    for page in (LIST, f"{LIST}{token.pk}/change/", f"{LIST}{token.pk}/history/"):
        text = client.get(page).content.decode()
        assert "analysis laptop" in text
        assert key not in text


def test_a_second_live_token_of_the_same_label_is_refused_and_no_key_shown(kate: User) -> None:
    client = logged_in(kate)
    add(client, label="rig")
    again = add(client, label="rig").content.decode()
    assert "has a token &#x27;rig&#x27;" in again
    assert not re.search(r"\b[0-9a-f]{64}\b", again)
    assert Token.objects.filter(user=kate, label="rig").count() == 1


def test_who_issues_for_another_is_a_superuser(kate: User) -> None:
    other = a_user("other")
    add(logged_in(kate), label="stolen", user=str(other.pk))
    assert Token.objects.get(label="stolen").user == kate  # whose it is, is not asked
    add(logged_in(a_superuser()), label="given", user=str(other.pk))
    assert Token.objects.get(label="given").user == other


def test_rotating_shows_a_new_key_and_the_old_one_is_refused(kate: User) -> None:
    token = issue_token(actor=kate, user=kate, label="rig")
    old = token.key
    new = key_in(logged_in(kate).post(f"{LIST}{token.pk}/do/rotate/", {"reason": "laptop lost"}, follow=True))
    assert new != old
    assert Rest(key=new).get("me").status_code == 200
    assert Rest(key=old).get("me").status_code == 403


def test_a_revoked_token_opens_nothing_and_has_no_buttons(kate: User) -> None:
    token, client = issue_token(actor=kate, user=kate, label="rig"), logged_in(kate)
    assert 'formaction="../do/revoke/"' in client.get(f"{LIST}{token.pk}/change/").content.decode()
    client.post(f"{LIST}{token.pk}/do/revoke/", {"reason": "laptop lost"})
    assert Rest(key=token.key).get("me").status_code == 403
    page = client.get(f"{LIST}{token.pk}/change/").content.decode()
    assert "revoked" in page
    assert "record-actions" not in page
    history = client.get(f"{LIST}{token.pk}/history/").content.decode()
    assert "laptop lost" in history


@pytest.mark.parametrize("everywhere", [False, True], ids=["of one lab", "of all labs"])
def test_others_tokens_are_neither_seen_nor_touched(kate: User, everywhere: bool) -> None:
    theirs = issue_token(actor=kate, user=kate, label="hers")
    head = a_member(a_lab(), Role.HEAD)
    if everywhere:
        for lab in Lab.objects.exclude(memberships__user=head):
            Membership.objects.create(user=head, lab=lab, role=Role.HEAD)
    client = logged_in(head)
    assert "hers" not in client.get(LIST).content.decode()
    assert client.get(f"{LIST}{theirs.pk}/change/").status_code == 302
    for act in ("rotate", "revoke"):
        assert client.post(f"{LIST}{theirs.pk}/do/{act}/").status_code == 404
        client.post(LIST, {"action": act, "_selected_action": str(theirs.pk)})
    assert Rest(key=theirs.key).get("me").status_code == 200
    assert "hers" in logged_in(a_superuser()).get(LIST).content.decode()


def test_last_used_is_shown(kate: User) -> None:
    token, client = issue_token(actor=kate, user=kate, label="rig"), logged_in(kate)
    assert "never" in client.get(LIST).content.decode()
    Rest(key=token.key).get("me")
    assert "never" not in client.get(LIST).content.decode()

"""Logging in, tokens, and who one is."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from alyx.core.errors import Conflict, Forbidden
from alyx.labs.login import AccountRate, AddressRate
from alyx.labs.models import Token, User
from alyx.labs.tokens import issue_token, revoke_token, rotate_token
from tests.factories.people import PASSWORD, a_superuser, a_user
from tests.factories.rest import Rest

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_counters() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def anna() -> User:
    return a_user("anna")


def login(name: str = "anna", password: str = PASSWORD, **more: Any) -> Any:
    return Client().post("/auth-token", {"username": name, "password": password}, **more)


def test_a_form_and_json_both_get_exactly_one_token_and_always_the_same(anna: User) -> None:
    first = login()
    assert first.status_code == 200
    assert list(first.json()) == ["token"]
    assert login(content_type="application/json").json() == first.json()
    assert Rest(key=first.json()["token"]).get("me").json() == {"username": "anna"}
    assert Token.objects.count() == 1


def test_the_key_is_not_in_the_database(anna: User) -> None:
    key = login().json()["token"]
    assert key not in str(list(Token.objects.values()))


@pytest.mark.parametrize("wrong", [{"name": "anna", "password": "no"}, {"name": "nobody"}, {"name": "a\x00b"}])
def test_wrong_credentials_are_a_400_that_does_not_say_which(anna: User, wrong: dict[str, str]) -> None:
    answer = login(**wrong)
    assert answer.status_code == 400
    assert "token" not in answer.json()


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"username": "anna"}', b'{"username": ["anna"], "password": {}}', b"{"]
)
def test_malformed_logins_are_a_400(anna: User, body: bytes) -> None:
    answer = Client().generic("POST", "/auth-token", body, content_type="application/json")
    assert answer.status_code == 400


def test_a_deactivated_account_is_refused(anna: User) -> None:
    key = login().json()["token"]
    User.objects.filter(pk=anna.pk).update(is_active=False)
    assert login().status_code == 400
    assert Rest(key=key).get("me").status_code == 403
    with pytest.raises(Forbidden):
        issue_token(actor=a_superuser(), user=User.objects.get(pk=anna.pk))


@pytest.mark.parametrize("key", ["", "0" * 64, "zz", "é" * 64, "0" * 5000])
def test_a_key_that_is_not_ours_is_a_403_with_the_words_the_client_waits_for(anna: User, key: str) -> None:
    answer = Client(headers={"Authorization": f"Token {key}"}).get("/me")
    assert answer.status_code == 403
    assert b'"Invalid token."' in answer.content


def test_attempts_on_an_account_are_bounded_and_the_answer_says_when_to_come_back(
    anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AccountRate, "rate", "3/min", raising=False)
    answers = [login(password="no", REMOTE_ADDR=f"10.0.0.{n}") for n in range(4)]
    assert [one.status_code for one in answers] == [400, 400, 400, 429]
    assert int(answers[-1]["Retry-After"]) > 0
    assert login(REMOTE_ADDR="10.0.0.9").status_code == 429, "the right password is not tried either"


def test_attempts_from_an_address_are_bounded_whatever_a_header_says(
    anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AddressRate, "rate", "3/min", raising=False)
    codes = [login(f"user{n}", headers={"X-Forwarded-For": f"10.0.0.{n}"}).status_code for n in range(4)]
    assert codes == [400, 400, 400, 429]


def test_rotating_a_token_changes_its_key_and_revoking_ends_it(anna: User) -> None:
    token = issue_token(actor=anna, user=anna, label="rig 3")
    old = token.key
    token = rotate_token(actor=anna, token=token)
    assert Rest(key=old).get("me").status_code == 403
    assert Rest(key=token.key).get("me").status_code == 200
    revoke_token(actor=anna, token=token)
    revoke_token(actor=anna, token=token)
    assert Rest(key=token.key).get("me").status_code == 403
    with pytest.raises(Conflict):
        rotate_token(actor=anna, token=token)
    assert issue_token(actor=anna, user=anna, label="rig 3").pk != token.pk


def test_tokens_of_others_are_not_touched(anna: User) -> None:
    token = issue_token(actor=anna, user=anna)
    berta = a_user("berta")
    for act in (
        lambda: issue_token(actor=berta, user=anna),
        lambda: revoke_token(actor=berta, token=token),
        lambda: rotate_token(actor=berta, token=token),
    ):
        with pytest.raises(Forbidden):
            act()
    assert rotate_token(actor=a_superuser(), token=token).pk == token.pk


def test_the_last_use_of_a_token_is_noted(anna: User) -> None:
    rest = Rest(anna)
    rest.get("me")
    assert Token.objects.get().last_used_at is not None

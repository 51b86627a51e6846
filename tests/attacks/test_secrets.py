"""No password, token or colleague's e-mail leaves by a record, a filter, an order, an error or a page; nor is it guessed by them."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from alyx.core.rest.query_language import Keyed, QueryFields, Relation
from alyx.core.rest.schema import document
from alyx.labs.models import Lab, Role, Token, User
from alyx.labs.query_fields import USERS
from tests.contracts.everything import rows
from tests.factories.people import a_member, a_superuser
from tests.factories.rest import Rest

pytestmark = [pytest.mark.django_db, pytest.mark.once]

HIDDEN = "@hidden.example"
SECRET = {"password", "email", "nonce", "key", "tokens", "secret", "is_superuser", "user_permissions", "last_login"}
"""Words that no path of `django=` may hold."""
GUESSES = ["password__startswith,m", f"email__iendswith,{HIDDEN}", "tokens__nonce__isnull,False", "tokens__label,login"]


def endpoints(patterns: list[URLPattern | URLResolver]) -> Iterator[tuple[str, Any]]:
    """The lists that take `django=`, and their views."""
    for one in patterns:
        if isinstance(one, URLResolver):
            yield from endpoints(one.url_patterns)
            continue
        view = getattr(one.callback, "cls", None)
        if getattr(view, "query_fields", None) is not None and "<" not in str(one.pattern):
            yield str(one.pattern), view


ASKED = dict(endpoints(get_resolver().url_patterns))


def reached(fields: QueryFields, at: str = "", seen: frozenset[int] = frozenset()) -> Iterator[tuple[str, QueryFields]]:
    """Every table that can be asked about, with the words that lead there; each once on a way."""
    yield at, fields
    for name, one in fields.fields.items():
        if isinstance(one, Relation | Keyed):
            to = one.fields if isinstance(one, Relation) else one.to
            if id(to) not in seen:
                yield from reached(to, f"{at}{name}__", seen | {id(to)})


def ways_to_people(endpoint: str) -> list[str]:
    """The two shortest ways from an endpoint to people."""
    ways = [at for at, fields in reached(ASKED[endpoint].query_fields) if fields is USERS]
    return sorted(ways, key=len)[:2]


@pytest.fixture
def colleague(db: None) -> User:
    """Somebody of the lab in which everybody else has an address that is not theirs to see."""
    rows()
    asks = a_member(Lab.objects.get(name="cortexlab"), Role.EXPERIMENTER, "asks", email="asks@example.org")
    for user in User.objects.exclude(pk=asks.pk):
        user.email = f"{user.username}{HIDDEN}"
        user.save()
        Token.objects.create(user=user, label="rig")
    return asks


def assert_hidden(answer: Any, where: str) -> None:
    said = answer.content.decode()
    assert HIDDEN not in said, where
    for user in User.objects.exclude(password=""):
        assert user.password not in said, where
    for token in Token.objects.all():
        assert str(token.nonce) not in said, where
        assert token.key[32:] not in said, where


def test_no_path_of_the_query_language_holds_a_secret() -> None:
    assert len(ASKED) > 20
    for endpoint, view in ASKED.items():
        for at, fields in reached(view.query_fields):
            for name, one in fields.fields.items():
                words = {*at.split("__"), *name.split("__"), *getattr(one, "path", "").split("__")}
                assert not words & SECRET, (endpoint, at, name)


def test_no_lookup_guesses_at_a_secret(colleague: User) -> None:
    rest = Rest(colleague)
    tried = [(endpoint, way, guess) for endpoint in ASKED for way in ways_to_people(endpoint) for guess in GUESSES]
    assert len(tried) > 50
    for endpoint, way, guess in tried:
        answer = rest.get(endpoint, django=f"{way}{guess}")
        assert answer.status_code == 400, (endpoint, way, guess)
        assert HIDDEN not in answer.content.decode()


def test_no_list_is_put_in_an_order_by_a_secret(colleague: User) -> None:
    rest = Rest(colleague)
    plain = rest.get("users").content
    for parameter in ("ordering", "order_by", "o", "sort"):
        assert rest.get("users", **{parameter: "password"}).content == plain
        assert rest.get("users", **{parameter: "-email"}).content == plain


def test_people_are_not_found_by_the_address_of_another(colleague: User) -> None:
    rest = Rest(colleague)
    assert rest.found("users", email=f"head{HIDDEN}") == []
    assert [row["username"] for row in rest.found("users", email="asks@example.org")] == ["asks"]
    assert [row["username"] for row in Rest(a_superuser()).found("users", email=f"head{HIDDEN}")] == ["head"]


def test_no_record_holds_a_secret(colleague: User) -> None:
    keys, rest = rows_by_endpoint(colleague), Rest(colleague)
    for path, item in document()["paths"].items():
        endpoint = path.split("/")[1]
        if "get" not in item or endpoint in {"cache", "cache.zip", "uploaded"}:
            continue
        for key in keys.get(endpoint, [""]) if "{" in path else [""]:
            assert_hidden(rest.get(f"{endpoint}/{key}".rstrip("/")), path)


def rows_by_endpoint(reader: User) -> dict[str, list[str]]:
    """Keys of the records that a list shows, as they stand in the path."""
    rest, keys = Rest(reader), {}
    for endpoint in ASKED:
        found = rest.found(endpoint, limit=3)
        names = [row.get("url", "").rpartition("/")[2] or row.get("id") or row.get("name") for row in found]
        keys[endpoint] = [str(name) for name in names if name]
    return {**keys, "users": list(User.objects.values_list("username", flat=True))}


NARROWED = [
    "labs/user/?email__startswith=head",
    "labs/user/?email__iendswith=.example",
    "labs/user/?password__startswith=m",
    "labs/user/?tokens__nonce__startswith=0",
    "labs/token/?nonce__startswith=0",
    "labs/token/?user__email__startswith=h",
    "labs/project/?users__email__startswith=h",
    "subjects/subject/?responsible_user__email__startswith=h",
    "subjects/subject/?responsible_user__password__startswith=m",
]


def test_no_list_of_the_site_is_narrowed_by_a_secret(colleague: User) -> None:
    browser = Client(raise_request_exception=False)
    browser.force_login(colleague)
    for page in NARROWED:
        assert browser.get(f"/admin/{page}").status_code == 400, page


def test_the_site_finds_nobody_by_the_address_of_another(colleague: User) -> None:
    term = f"head{HIDDEN}"
    autocomplete = {"app_label": "subjects", "model_name": "subject", "field_name": "responsible_user", "term": term}
    for asks, found in ((colleague, False), (a_superuser(), True)):
        browser = Client()
        browser.force_login(asks)
        shown = browser.get("/admin/labs/user/", {"q": term}).context["cl"].result_count
        assert shown == int(found)
        results = browser.get("/admin/autocomplete/", autocomplete).json()["results"]
        assert [row["text"] for row in results] == (["head"] if found else [])


def test_no_page_about_a_colleague_holds_a_secret(colleague: User) -> None:
    browser = Client()
    browser.force_login(colleague)
    other = User.objects.get(username="head")
    for page in ("labs/user/", f"labs/user/{other.pk}/change/", f"labs/user/{other.pk}/history/", "labs/token/"):
        answer = browser.get(f"/admin/{page}")
        assert answer.status_code == 200, page
        assert_hidden(answer, page)

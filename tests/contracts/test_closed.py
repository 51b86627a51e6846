"""Every route is closed to anonymous, except those that the contract opens."""

import re
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

pytestmark = pytest.mark.django_db

OPEN = {"auth-token", "api/schema", "docs", "docs/", "healthz"}
"""Login, the schema and its page, and whether we are well. The admin sends to its login, data answer 401 for the sake of urllib."""
OWN_ANSWER = {"admin/": {302}, "data/": {401, 404}, "media/x.png": {302}}
HOME = {""}  # sends to the admin


def routes(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    for one in patterns:
        route = prefix + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from routes(one.url_patterns, route)
        else:
            yield route


def filled(route: str) -> str:
    """The route with something in its holes."""
    return re.sub(r"<[^>]*>", "00000000-0000-0000-0000-000000000000", route.strip("^$"))


BENCH_OPEN = {"bench/pulse", "bench/login", "bench/sw.js"}
"""Who is logged in, logging in, and the service worker, which holds nothing but names of files."""


def is_bench(route: str) -> bool:
    """Of the screens for tablets: pages send to the login, their calls answer 401 so that the page offers it in place."""
    return route.startswith(("bench/", "weigh/", "surgery/")) or route.endswith("/live")


BENCH = sorted({route for route in routes(get_resolver().url_patterns) if is_bench(route)} - BENCH_OPEN)
REST = sorted(
    {
        route
        for route in routes(get_resolver().url_patterns)
        if route not in OPEN | HOME
        and not is_bench(route)
        and not route.startswith(tuple(f"{one.split('/')[0]}/" for one in OWN_ANSWER))
    }
)


@pytest.mark.parametrize("route", REST)
@pytest.mark.parametrize("verb", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_anonymous_gets_a_403_as_json(route: str, verb: str) -> None:
    answer = Client().generic(verb, f"/{filled(route)}", b"{}", content_type="application/json")
    assert answer.status_code == 403, route
    assert answer["Content-Type"] == "application/json"


@pytest.mark.parametrize("route", BENCH)
@pytest.mark.parametrize("verb", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_bench_pages_ask_for_a_login(route: str, verb: str) -> None:
    answer = Client().generic(verb, f"/{filled(route)}", b"{}", content_type="application/json")
    assert answer.status_code in {302, 401, 405}, route
    assert answer.status_code != 302 or answer.headers["Location"].startswith("/admin/login/")


@pytest.mark.parametrize(("route", "codes"), OWN_ANSWER.items())
def test_the_others_have_their_own_way_of_being_closed(route: str, codes: set[int]) -> None:
    assert Client().get(f"/{route}").status_code in codes


def test_home_sends_to_the_admin() -> None:
    assert Client().get("/").headers["Location"] == "/admin/"


def test_there_are_routes_to_test() -> None:
    assert {"sessions", "sessions/<str:id>", "datasets", "me"} <= set(REST)


def test_an_unknown_route_is_a_404_as_json() -> None:
    answer = Client().get("/nowhere")
    assert answer.status_code == 404
    assert answer.json()["status_code"] == 404

"""Devices that cannot do what the bench screens need say so before anything is typed."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from sessions.models import Session
from tests.factories.records import a_session, a_subject
from tests.journeys.bench.conftest import Room, TabletOf
from tests.journeys.bench.served import LOOPBACK, NAMED, Bench
from tests.journeys.bench.tablets import Tablet
from tests.journeys.bench.test_notes import live, saved, type_note, written


@pytest.fixture
def session(up: Bench, room: Room) -> Session:
    """Of this test alone."""
    return up.do(lambda: a_session(a_subject(room.lab)))


FULL = """
const put = IDBObjectStore.prototype.put;
IDBObjectStore.prototype.put = function (...what) {
    if (window.full) throw new DOMException("no room", "QuotaExceededError");
    return put.apply(this, what);
};
"""
"""From `window.full = true` on nothing can be stored any more. (Chromium's own limit for tests does not bind what may stay.)"""


def first_page(tablet: Tablet) -> Page:
    """Nothing is open in it yet."""
    assert tablet.context is not None
    return tablet.context.pages[0]


def problems(page: Page) -> Any:
    """What the page says of the device."""
    return expect(page.locator("#bench-problems"))


def test_an_old_browser_is_told_at_once(tablet_of: TabletOf, room: Room) -> None:
    tablet = tablet_of(room.anna)
    page = first_page(tablet)
    page.route(re.compile(r"/weigh\..*js$"), lambda route: route.fulfill(body="?.this is no script that it knows"))
    page.goto(f"{tablet.url}/weigh/")
    expect(page.locator("#bench-starting")).to_contain_text("this browser is too old for this page")
    expect(page.locator("#bench-main")).to_be_hidden()


def test_a_page_that_is_not_secure_says_what_does_not_work(tablet_of: TabletOf, room: Room, session: Session) -> None:
    tablet = tablet_of(None, arguments=(f"--host-resolver-rules=MAP {NAMED} {LOOPBACK}",))
    page = first_page(tablet)
    bench = tablet.url
    tablet.url = bench.replace(LOOPBACK, NAMED)
    assert tablet.context is not None
    there: list[Any] = [{**one, "url": tablet.url} for one in tablet_cookies(tablet_of, room)]
    tablet.context.add_cookies(there)
    page = tablet.open(live(session))
    problems(page).to_contain_text("not served securely (https)")
    type_note(page, "kept all the same")
    saved(page)
    assert written(session) == ["kept all the same"]


def tablet_cookies(tablet_of: TabletOf, room: Room) -> list[Any]:
    """Anna's login, of another tablet of hers."""
    return tablet_of(room.anna).cookies


def test_a_certificate_that_is_not_trusted_is_named(tablet_of: TabletOf, room: Room, session: Session) -> None:
    tablet = tablet_of(room.anna)
    assert tablet.context is not None
    tablet.context.add_init_script(
        "ServiceWorkerContainer.prototype.register = async () => {throw new DOMException('no', 'SecurityError')}"
    )
    page = tablet.open(live(session))
    problems(page).to_contain_text("the server's certificate is not trusted here")


def test_a_device_that_is_nearly_full_says_so_first(tablet_of: TabletOf, room: Room, session: Session) -> None:
    tablet = tablet_of(room.anna)
    assert tablet.context is not None
    tablet.context.add_init_script(
        "StorageManager.prototype.estimate = async () => ({ quota: 90_000_000, usage: 85_000_000 })"
    )
    page = tablet.open(live(session))
    problems(page).to_contain_text("little storage left (5 MB)")


def test_a_device_that_fills_up_loses_nothing_that_is_typed(tablet_of: TabletOf, room: Room, session: Session) -> None:
    tablet = tablet_of(room.anna)
    assert tablet.context is not None
    tablet.context.add_init_script(FULL)
    page = tablet.open(live(session))
    type_note(page, "before")
    saved(page)
    tablet.cut()
    page.evaluate("window.full = true")
    type_note(page, "while it was full")
    problems(page).to_contain_text("storage is full")
    expect(page.locator("#bench-status")).to_contain_text("NOT saved on this tablet (1 not sent)")
    expect(page.locator("#notes .note")).to_have_count(2)
    tablet.mend()
    expect(page.locator("#bench-status")).to_contain_text("nothing is kept on this tablet")
    assert written(session) == ["before", "while it was full"]
    page.evaluate("window.full = false")
    type_note(page, "and then there was room")
    saved(page)
    assert written(session) == ["before", "while it was full", "and then there was room"]

"""The site served to a real browser, with a lab that has some days behind it."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
from django.core.servers.basehttp import WSGIServer
from django.db import connection
from django.test import override_settings
from django.test.testcases import LiveServerThread, QuietWSGIRequestHandler
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright
from pytest_django import DjangoDbBlocker

from tests.factories.lab_days import LabDays, some_days
from tests.journeys.watch import Watch

CHROMIUM = os.environ.get("ALYX_CHROMIUM") or shutil.which("chromium")
VIEWPORTS = {"tablet": (820, 1180), "desktop": (1440, 900)}
PATIENCE_S = 30
"""How long a page may take to show what a test waits for; Playwright waits as long for a click, but else only five seconds."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of it needs the browser."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.django_db)  # else no test database is made, and the real one would be used
            if not CHROMIUM:
                item.add_marker(
                    pytest.mark.skip("Chromium is not installed: apt-get install chromium (`make test` does)")
                )


class _Serving(LiveServerThread):
    """The whole application as gunicorn would serve it: static files too come through its middleware."""

    def __init__(self) -> None:
        whole: Any = lambda application: application  # noqa: E731  (asked to wrap it with Django's own file server)
        super().__init__("127.0.0.1", whole)

    def _create_server(self, connections_override: Any = None) -> WSGIServer:
        return self.server_class((self.host, self.port), QuietWSGIRequestHandler, allow_reuse_address=False)


@pytest.fixture(scope="package")
def static_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Collected under hashed names, as an instance has them."""
    storages = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }
    root = tmp_path_factory.mktemp("static")
    with override_settings(STATIC_ROOT=root, STORAGES=storages, WHITENOISE_USE_FINDERS=False, THROTTLE=False):
        call_command("collectstatic", interactive=False, verbosity=0)
        yield


@pytest.fixture(scope="package")
def days(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[LabDays]:
    """The lab, committed so that the server sees it; emptied at the end."""
    with django_db_blocker.unblock():
        assert connection.settings_dict["NAME"].startswith("test_"), "this fixture empties the database"
        try:
            yield some_days()
        finally:
            call_command("flush", interactive=False, verbosity=0)


@pytest.fixture(scope="package")
def site(days: LabDays, static_files: None) -> Iterator[str]:
    """Where it is served."""
    thread = _Serving()
    thread.daemon = True
    thread.start()
    thread.is_ready.wait()
    if thread.error:
        raise thread.error
    yield f"http://127.0.0.1:{thread.port}"
    thread.terminate()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, at home."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright runs a loop in this thread; nothing of ours is async
    expect.set_options(timeout=PATIENCE_S * 1_000)
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="package")
def session_cookie(days: LabDays) -> str:
    """A login of the administrator."""
    store = SessionStore()
    store[SESSION_KEY] = str(days.admin.pk)
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    store[HASH_SESSION_KEY] = days.admin.get_session_auth_hash()
    store.save()
    return str(store.session_key)


Opener = Callable[..., Watch]


@pytest.fixture(scope="package")
def contexts(browser: Browser, site: str, session_cookie: str) -> Iterator[Callable[[str, str], BrowserContext]]:
    """Logged-in windows by viewport and theme, made once."""
    made: dict[tuple[str, str], BrowserContext] = {}

    def context(viewport: str, theme: str) -> BrowserContext:
        if (viewport, theme) not in made:
            width, height = VIEWPORTS[viewport]
            made[viewport, theme] = browser.new_context(
                viewport={"width": width, "height": height},
                has_touch=viewport == "tablet",
                color_scheme="dark" if theme == "dark" else "light",
                reduced_motion="reduce",
            )
            made[viewport, theme].add_cookies(
                [{"name": settings.SESSION_COOKIE_NAME, "value": session_cookie, "url": site}]
            )
        return made[viewport, theme]

    yield context
    for window in made.values():
        window.close()


@pytest.fixture
def opened(contexts: Callable[[str, str], BrowserContext], site: str) -> Iterator[Opener]:
    """Open a page in a window and watch what it does."""
    watches: list[Watch] = []

    def opened_page(path: str, viewport: str = "desktop", theme: str = "light") -> Watch:
        watch = Watch(contexts(viewport, theme).new_page(), site)
        watches.append(watch)
        watch.open(path)
        return watch

    yield opened_page
    for watch in watches:
        watch.page.close()


@pytest.fixture(scope="session")
def screenshots() -> Path | None:
    """Where pictures go: `ALYX_SCREENSHOTS`; nowhere if nobody wants them (250 of them take a minute)."""
    given = os.environ.get("ALYX_SCREENSHOTS")
    if not given:
        return None
    folder = Path(given)
    folder.mkdir(parents=True, exist_ok=True)
    return folder

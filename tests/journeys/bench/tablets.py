"""Chromium as on a tablet, with a profile of its own that outlives it: it can be killed and opened again."""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Error, Page

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
UPRIGHT, LYING = (820, 1180), (1180, 820)


@dataclass
class Tablet:
    """One device. `page` is the page that is open; `errors` what it said on its console and was not expected."""

    browser: Browser
    profile: Path
    url: str
    cookies: list[Any]
    size: tuple[int, int] = UPRIGHT
    context: BrowserContext | None = None
    errors: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    """Of Chromium, beside `ARGUMENTS`."""

    def start(self) -> "Tablet":
        """Switch it on; what the profile holds is still there."""
        self.context = self.browser.browser_type.launch_persistent_context(
            str(self.profile),
            executable_path=os.environ.get("ALYX_CHROMIUM") or "/usr/bin/chromium",
            args=[*ARGUMENTS, *self.arguments],
            viewport={"width": self.size[0], "height": self.size[1]},
            has_touch=True,
            reduced_motion="reduce",
            **self.options,
        )
        if self.cookies:
            self.context.add_cookies(self.cookies)
        return self

    @property
    def page(self) -> Page:
        """The page that was opened last."""
        assert self.context is not None
        return self.context.pages[-1]

    def open(self, path: str) -> Page:
        """Open a bench page in its first tab and wait until it can be used."""
        assert self.context is not None
        return self._opened(self.context.pages[0] if self.context.pages else self.context.new_page(), path)

    def tab(self, path: str) -> Page:
        """The same in another tab."""
        assert self.context is not None
        return self._opened(self.context.new_page(), path)

    def _opened(self, page: Page, path: str) -> Page:
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(self.url + path)
        try:
            page.wait_for_selector("body[data-started=yes]")
        except Error as error:
            shown = page.locator("body").inner_text()
            raise AssertionError(f"{path} did not start: {page.url}\n{shown[:1500]}\n{self.errors}") from error
        return page

    def ready_offline(self) -> None:
        """Wait until the open page would open without a network."""
        self.page.evaluate(
            """async () => {
                await navigator.serviceWorker.ready;
                while (!(await (await caches.open("bench-pages")).match(location.pathname)))
                    await new Promise(done => setTimeout(done, 50));
            }"""
        )

    def cut(self) -> None:
        """The network is gone."""
        assert self.context is not None
        self.context.set_offline(True)

    def mend(self) -> None:
        """It is back."""
        assert self.context is not None
        self.context.set_offline(False)

    def kill(self) -> None:
        """`kill -9` of the whole browser."""
        pid = self._pid()
        os.kill(pid, signal.SIGKILL)
        patience = time.monotonic() + 30
        while Path(f"/proc/{pid}/exe").exists() and time.monotonic() < patience:  # a zombie has none
            time.sleep(0.01)
        self.close()

    def close(self) -> None:
        """Switch it off."""
        if self.context is not None:
            with suppress(Error):  # it was killed
                self.context.close()
            self.context = None

    def _pid(self) -> int:
        """The browser's main process: the one of this profile that is no child of another."""
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            mine = f"--user-data-dir={self.profile}".encode() in words
            if mine and not any(word.startswith(b"--type=") for word in words):
                return int(entry.name)
        raise AssertionError(f"no browser runs with the profile {self.profile}")

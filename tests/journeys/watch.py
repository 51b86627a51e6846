"""A page that is watched: what it says on the console, what it asks for and from whom, how it fits."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page, Request, Response

MAIN_CONTROLS = (
    ".main-nav a, .find input, .find button, button:not([class^=select2]), input[type=submit], input[type=button], "
    ".object-tools a, select, input[type=text], input[type=search]:not(.select2-search__field), input[type=number], "
    "input[type=password], input[type=email], .select2-selection, .paginator a, #changelist-filter li a, summary"
)
TARGET_PX = 44
_MEASURE = """selector => [...document.querySelectorAll(selector)].filter(element => {
    const style = getComputedStyle(element), box = element.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && style.visibility !== "hidden" && element.checkVisibility();
}).map(element => {
    const box = element.getBoundingClientRect();
    return {what: element.outerHTML.slice(0, 120), width: box.width, height: box.height,
            left: box.left, right: box.right, font: parseFloat(getComputedStyle(element).fontSize)};
})"""
_WIDER = """() => [...document.querySelectorAll("body *")].filter(element => {
    const box = element.getBoundingClientRect();
    if (box.width < 2 || !element.checkVisibility()) return false;
    for (let above = element.parentElement; above; above = above.parentElement)
        if (["hidden", "auto", "scroll", "clip"].includes(getComputedStyle(above).overflowX)) return false;
    return box.right > document.documentElement.clientWidth + 1 || box.left < -1;
}).map(element => element.outerHTML.slice(0, 120))"""


@dataclass
class Watch:
    """A page with everything it did wrong so far."""

    page: Page
    site: str
    problems: list[str] = field(default_factory=list)
    weight: int = 0

    def __post_init__(self) -> None:
        self.page.on(
            "console", lambda message: self._note(message.type in {"error", "warning"}, f"console: {message.text}")
        )
        self.page.on("pageerror", lambda error: self._note(True, f"script: {error}"))
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._answered)

    def _note(self, bad: bool, text: str) -> None:
        if bad:
            self.problems.append(text)

    def _failed(self, request: Request) -> None:
        self.problems.append(f"failed: {request.url} {request.failure}")

    def _answered(self, response: Response) -> None:
        elsewhere = urlsplit(response.url).netloc != urlsplit(self.site).netloc and not response.url.startswith("data:")
        self._note(elsewhere, f"another host: {response.url}")
        self._note(response.status >= 400, f"{response.status}: {response.url}")
        self.weight += int(response.headers.get("content-length", 0)) * ("/static/" in response.url)

    def open(self, path: str) -> None:
        """Load a page to its end."""
        self.page.goto(self.site + path, wait_until="load")

    def overflow(self) -> list[str]:
        """What sticks out of the window sideways."""
        wide = self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        found: list[str] = self.page.evaluate(_WIDER)
        return found or (["the page is wider than the window"] if wide else [])

    def controls(self, selector: str = MAIN_CONTROLS) -> list[dict[str, Any]]:
        """The visible controls with their sizes."""
        found: list[dict[str, Any]] = self.page.evaluate(_MEASURE, selector)
        return found

    def too_small(self) -> list[str]:
        """Main controls that a finger would miss."""
        return [
            f"{control['width']:.0f}×{control['height']:.0f} {control['what']}"
            for control in self.controls()
            if control["height"] < TARGET_PX - 0.5 or control["width"] < TARGET_PX - 0.5
        ]

    def small_print(self) -> list[str]:
        """Inputs in which a tablet would zoom."""
        inputs = "input:not([type=checkbox]):not([type=radio]):not([type=hidden]), select, textarea"
        return [f"{control['font']} px {control['what']}" for control in self.controls(inputs) if control["font"] < 16]

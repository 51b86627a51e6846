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

_FAINT = """() => {
    const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    const rgba = colour => {
        canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const over = (top, below) => top.slice(0, 3).map((value, i) => value * top[3] / 255 + below[i] * (1 - top[3] / 255));
    const behind = element => {
        const layers = [];
        for (let e = element; e; e = e.parentElement) layers.unshift(rgba(getComputedStyle(e).backgroundColor));
        return layers.reduce((below, layer) => over(layer, below), [255, 255, 255]);
    };
    const light = colour => {
        const [r, g, b] = colour.map(value => value / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrast = (one, other) => (Math.max(light(one), light(other)) + 0.05) / (Math.min(light(one), light(other)) + 0.05);
    return [...document.querySelectorAll("body *")].filter(element => element.checkVisibility()
            && [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim().length > 1))
        .map(element => {
            const below = behind(element);
            return [contrast(over(rgba(getComputedStyle(element).color), below), below), element.outerHTML.slice(0, 120)];
        }).filter(([ratio]) => ratio < 4.5).map(([ratio, what]) => `${ratio.toFixed(2)} ${what}`);
}"""


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
        overtaken = (
            "/autocomplete/" in request.url and request.failure == "net::ERR_ABORTED"
        )  # by the next letter typed
        self._note(not overtaken, f"failed: {request.url} {request.failure}")

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

    def faint(self) -> list[str]:
        """Text that stands out from its ground by less than 4.5 : 1."""
        found: list[str] = self.page.evaluate(_FAINT)
        return found

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

"""The service worker: served from the root's scope, with the list of what it keeps for when there is no network."""

import hashlib
import json
from pathlib import Path

from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static
from django.views.decorators.http import require_safe

ASSETS = ["bench/bench.css", "bench/kept.js", "bench/jsqr.js", "alyx/icon.svg"]
"""Kept from the first visit on, besides each screen's own script and style."""
SHELLS = ["/bench/kept/"]
"""Pages that open without a network, fetched as soon as the worker is there."""
OFFLINE = ["/surgery/", "/weigh/", "/bench/kept/", "/sessions/"]
"""Pages below these addresses are kept when they are visited, if they say whose they are."""


def offline(*, assets: list[str] | None = None, shells: list[str] | None = None) -> None:
    """A screen declares what it needs without a network: names of static files, addresses of its shells."""
    ASSETS.extend(one for one in assets or [] if one not in ASSETS)
    SHELLS.extend(one for one in shells or [] if one not in SHELLS)


@require_safe
def service_worker(request: HttpRequest) -> HttpResponse:
    """`/bench/sw.js`. Its text changes when any of the files does, so that browsers fetch the new ones."""
    assets = sorted(static(name) for name in ASSETS if finders.find(name))
    said = {"assets": assets, "shells": sorted(SHELLS), "offline": OFFLINE}
    code = Path(str(finders.find("bench/sw.js"))).read_text()
    version = hashlib.sha256((json.dumps(said) + code + _contents()).encode()).hexdigest()[:16]
    text = f"self.BENCH = {json.dumps({**said, 'version': version})};\n{code}"
    answer = HttpResponse(text, content_type="text/javascript; charset=utf-8")
    answer.headers["Service-Worker-Allowed"] = "/"
    answer.headers["Cache-Control"] = "no-cache"
    return answer


def _contents() -> str:
    """Of the files: where their names are not hashed, only this changes."""
    found = [finders.find(name) for name in sorted(ASSETS)]
    return "".join(hashlib.sha256(Path(str(one)).read_bytes()).hexdigest() for one in found if one)

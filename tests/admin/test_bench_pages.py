"""Bench pages are light: script and style of each, packed, and nothing that a page loads on demand is forgotten."""

import gzip
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from tests.factories.people import a_lab, a_member

pytestmark = pytest.mark.django_db
AT_MOST = 200_000
ADDRESS = re.compile(r"/static/(bench/[\w.-]+\.(?:js|css))")


@pytest.mark.parametrize("path", ["/weigh/", "/surgery/", "/bench/kept/"])
def test_script_and_style_of_a_bench_page_weigh_at_most_200_kilobytes(path: str) -> None:
    client = Client()
    client.force_login(a_member(a_lab()))
    page = client.get(path)
    assert page.status_code == 200
    names = set(ADDRESS.findall(page.content.decode()))
    assert {"bench/bench.css", "bench/jsqr.js"} <= names
    assert any(name.endswith(".js") and "jsqr" not in name for name in names)
    packed = {name: len(gzip.compress(Path(str(finders.find(name))).read_bytes())) for name in names}
    assert 10_000 < sum(packed.values()) <= AT_MOST, packed

"""`/docs/` without a browser."""

import pytest
from django.test import Client


@pytest.mark.parametrize("path", ["/docs", "/docs/"])
def test_old_clients_get_a_sentence_and_people_the_page(path: str) -> None:
    old = Client().get(path, headers={"Accept": "application/coreapi+json"})
    assert (old.status_code, old["Content-Type"]) == (406, "application/json")
    assert "ONE-api 3.4" in old.json()["detail"]
    page = Client().get(path, headers={"Accept": "text/html"})
    assert (page.status_code, page["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"swagger-ui-bundle" in page.content
    assert b"//" not in page.content.replace(b"://", b"").replace(b"<!DOCTYPE html>", b"")
    assert Client().post(path).status_code == 405

"""What the logs hold, and what they never hold."""

import json
import logging
from typing import Any

import pytest

from alyx.core.audit import request_id
from alyx.runtime import logs

pytestmark = pytest.mark.embedded


def record(message: str, *args: Any, **extra: Any) -> logging.LogRecord:
    return logging.getLogger("somewhere").makeRecord(
        "somewhere", logging.INFO, "f", 1, message, args, None, extra=extra
    )


@pytest.mark.parametrize(
    ("said", "logged"),
    [
        ("redis://:hunter2@host:1/0 is gone", "redis://:…@host:1/0 is gone"),
        ("postgres://alyx:hunter2@127.0.0.1:5/alyx", "postgres://alyx:…@127.0.0.1:5/alyx"),
        ("Authorization: Token hunter2hunter2", "Authorization: Token …"),
        ("{'password': 'hunter2', 'name': 'a'}", "{'password': …, 'name': 'a'}"),
        ("POST /auth-token?token=hunter2&x=1", "POST /auth-token?token=…&x=1"),
        ("passphrase=hunter2", "passphrase=hunter2"),
        ("no secrets here, only tokens of esteem", "no secrets here, only tokens of esteem"),
    ],
)
def test_secrets_in_a_message_are_replaced(said: str, logged: str) -> None:
    assert json.loads(logs.Json().format(record(said)))["message"] == logged
    assert logs.Lines().format(record(said)).endswith(logged)


def test_extra_facts_are_fields_and_secret_ones_are_hidden() -> None:
    fields = json.loads(logs.Json().format(record("moved", item=7, api_key="hunter2", url="s3://k:hunter2@b")))
    assert (fields["item"], fields["api_key"], fields["url"]) == (7, "…", "s3://k:…@b")


def test_line_names_the_request_it_belongs_to() -> None:
    token = request_id.set("abcdef0123456789")
    try:
        assert json.loads(logs.Json().format(record("served")))["request_id"] == "abcdef0123456789"
        assert "[abcdef01]" in logs.Lines().format(record("served"))
    finally:
        request_id.reset(token)
    assert "request_id" not in json.loads(logs.Json().format(record("served")))


def test_exception_is_one_field_without_secrets() -> None:
    try:
        raise ValueError("postgres://alyx:hunter2@127.0.0.1/alyx")
    except ValueError as error:
        failed = record("failed")
        failed.exc_info = (ValueError, error, error.__traceback__)
    line = logs.Json().format(failed)
    assert "\n" not in line
    assert "hunter2" not in line
    assert "ValueError" in json.loads(line)["exception"]


def test_health_page_is_not_logged() -> None:
    worth = logs.WorthALine()
    assert not worth.filter(record('127.0.0.1 "GET /healthz" 200 48 1ms x'))
    assert worth.filter(record('127.0.0.1 "GET /sessions" 200 48 1ms x'))

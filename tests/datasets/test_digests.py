"""Digests and sizes as clients send them."""

import hashlib
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.rules.digests import (
    EMPTY,
    MalformedDigest,
    MalformedSize,
    TwoContentsForOneFile,
    empty_file_contradiction,
    parse_content,
    parse_digest,
    parse_size,
    refuse_two_contents,
)
from datasets.rules.registration import Content

MD5 = hashlib.md5(b"x", usedforsecurity=False).hexdigest()
SHA = hashlib.sha256(b"x").hexdigest()
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)


@pytest.mark.parametrize("value", [None, "", "  ", "None", "null"])
def test_no_digest_means_not_hashed(value: str | None) -> None:
    assert parse_digest(value) == Content()


def test_digests_are_kept_in_lower_case() -> None:
    assert parse_digest(f" {MD5.upper()} ") == Content(md5=MD5)
    assert parse_digest(SHA.upper()) == Content(sha256=SHA)


@pytest.mark.parametrize(
    "value", [MD5[:-1], MD5 + "0", "g" * 32, MD5[:-1] + "\n0", "md5:" + MD5, 5, True, 1.5, [MD5], "٣" * 32, "é" * 32]
)
def test_anything_else_is_refused_naming_the_fix(value: Any) -> None:
    with pytest.raises(MalformedDigest, match="32 hex characters"):
        parse_digest(value)


@pytest.mark.parametrize(
    ("value", "size"),
    [(0, 0), (12, 12), ("12", 12), (" 12 ", 12), (12.0, 12), ("12.0", 12), (2**63 - 1, 2**63 - 1), (None, None),
     ("", None), ("null", None)],
)  # fmt: skip
def test_sizes_are_whole_bytes_however_they_are_written(value: Any, size: int | None) -> None:
    assert parse_size(value) == size


@pytest.mark.parametrize(
    "value",
    [-1, "-1", 2**63, float(2**63),
     pytest.param(10**5000, id="huge"), "9" * 40, 1.5, "1.5", math.nan, math.inf, -math.inf, "nan", "1e3", "1_000",
     "٣", True, False, [1], {}, b"1"],
)  # fmt: skip
def test_sizes_that_no_file_has_are_refused(value: Any) -> None:
    with pytest.raises(MalformedSize):
        parse_size(value)


@given(anything, anything)
def test_any_value_is_read_or_refused(digest: Any, size: Any) -> None:
    try:
        content = parse_content(digest, size)
    except (MalformedDigest, MalformedSize):
        return
    assert content.size is None or 0 <= content.size < 2**63
    assert content.md5 is None or len(content.md5) == 32


def test_an_empty_file_is_believed_only_with_the_digest_of_nothing() -> None:
    assert empty_file_contradiction(EMPTY) is None
    assert empty_file_contradiction(Content(0)) is None
    assert empty_file_contradiction(Content(1, MD5)) is None
    assert empty_file_contradiction(Content(None, EMPTY.md5)) is None
    assert empty_file_contradiction(Content(0, MD5)) == "the size is 0 but the digest is not that of an empty file"
    assert empty_file_contradiction(Content(7, EMPTY.md5)) is not None
    assert empty_file_contradiction(Content(7, sha256=EMPTY.sha256)) is not None


def test_two_digests_for_one_file_are_refused() -> None:
    refuse_two_contents([("a", Content(1, MD5)), ("b", Content(2)), ("a", Content(1, MD5))])
    with pytest.raises(TwoContentsForOneFile, match='"a"'):
        refuse_two_contents([("a", Content(1, MD5)), ("a", Content(1, "0" * 32))])

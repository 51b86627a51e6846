"""The grammar of `django=`: pairs, brackets, literals; nothing is evaluated."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alyx.core.rest.query_grammar import QuerySyntaxError, Term, parse_query


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("pk,x", [Term("pk", "x")]),
        ("a__gte,0.5,b,True", [Term("a__gte", "0.5"), Term("b", "True")]),
        ("~a,None", [Term("a", "None", excludes=True)]),
        (" a ,x y", [Term("a", "x y")]),
        ("a__in,('x',)", [Term("a__in", ["x"])]),
        ("a__in,['x', \"y,z\"],b,2", [Term("a__in", ["x", "y,z"]), Term("b", "2")]),
        ("a__in,[1, 2.5, True, None, -3]", [Term("a__in", [1, 2.5, True, None, -3])]),
        ("a__in,[x, y-z]", [Term("a__in", ["x", "y-z"])]),
        ("a__in,[]", [Term("a__in", [])]),
        ("a__in,[1+1, {}]", [Term("a__in", ["1+1", "{}"])]),
        (
            "a__in,[UUID('6ba7b810-9dad-11d1-80b4-00c04fd430c8')]",
            [Term("a__in", ["6ba7b810-9dad-11d1-80b4-00c04fd430c8"])],
        ),
        ("a__in,['it\\'s']", [Term("a__in", ["it's"])]),
        ("text,a (b, c) d,n,1", [Term("text", "a (b, c) d"), Term("n", "1")]),
        ("text,smile :(,n,1", [Term("text", "smile :("), Term("n", "1")]),
        ("a,b,", [Term("a", "b")]),
        ("", []),
    ],
)
def test_queries_are_read(text: str, terms: list[Term]) -> None:
    assert (parse_query(text) if text else []) == terms


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a,b,c",
        "a__in,[len('ab')]",
        "a__in,[__import__('os').system('x')]",
        "a__in,['x' 'y']",
        "a__in,[[1]]",
        "a__in,['x]",
        ",".join(["a,b"] * 101),
        "a," + "x" * 300_000,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(QuerySyntaxError):
        parse_query(text)


scalars = st.one_of(
    st.text(alphabet=st.characters(exclude_characters="\\\n", exclude_categories=("Cs", "Cc", "Zl", "Zp"))),
    st.integers(-(10**9), 10**9),
    st.booleans(),
    st.none(),
)


@given(st.lists(scalars), st.booleans())
def test_what_python_prints_is_read_back(items: list[Any], as_tuple: bool) -> None:
    printed = str(tuple(items) if as_tuple else items)
    if "\\" in printed:
        return
    (term, after) = parse_query(f"a__in,{printed},b,1")
    assert term.value == items
    assert after == Term("b", "1")


@given(st.text())
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    with suppress(QuerySyntaxError):
        parse_query(text)

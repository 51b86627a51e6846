"""Dumps are read object by object, however they are written; what is no dump is said to be none."""

import gzip
import json
import math
from pathlib import Path
from typing import Any

import pytest

from datasets.imports import reading
from datasets.imports.reading import Unreadable, objects

ROWS: list[Any] = [
    {"model": "a.b", "pk": f"{number}", "fields": {"text": 'a "quoted" ] } é \\', "list": [1, 1.0, None], "n": number}}
    for number in range(50)
]


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("chunk", [1, 7, 64, 1 << 20])
@pytest.mark.parametrize("indent", [None, 1])
def test_objects_are_whole_wherever_the_text_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, indent: int | None
) -> None:
    monkeypatch.setattr(reading, "CHUNK", chunk)
    text = json.dumps(ROWS, indent=indent, ensure_ascii=False)
    assert list(objects(write(tmp_path / "a.json", text.encode()))) == ROWS
    assert list(objects(write(tmp_path / "b", gzip.compress(b"\xef\xbb\xbf" + text.encode())))) == ROWS


def test_lines_are_read_too(tmp_path: Path) -> None:
    text = "\n".join(json.dumps(row) for row in ROWS)
    assert list(objects(write(tmp_path / "a.jsonl", text.encode()))) == ROWS


def test_what_python_wrote_python_reads(tmp_path: Path) -> None:
    found = list(objects(write(tmp_path / "a.json", b'[{"model": "a.b", "fields": {"x": NaN, "y": -Infinity}}]')))
    assert math.isnan(found[0]["fields"]["x"])
    assert found[0]["fields"]["y"] == -math.inf


def test_only_a_piece_is_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "CHUNK", 1000)
    longest = 0

    class Watched(reading._Window):
        def more(self) -> bool:
            nonlocal longest
            is_more = super().more()
            longest = max(longest, len(self.text))
            return is_more

    monkeypatch.setattr(reading, "_Window", Watched)
    path = write(tmp_path / "a.json", json.dumps(ROWS * 100).encode())
    assert len(list(objects(path))) == 5000
    assert path.stat().st_size > 500_000
    assert longest < 5000


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"hello", "does not begin with a list"),
        (b'{"a": 1}', "no model and fields"),
        (b"[{}", "ends before its list does"),
        (b'[{"model": "a', "cut off"),
        (b"[{} {}]", "a comma is missing"),
        (b"[{}, nonsense]", "is not JSON"),
        (b"[] []", "goes on after its list"),
        (b"[" * 100_000, "nested too deep"),
        (b'["\xff"]', "is not text in UTF-8"),
        (gzip.compress(json.dumps(ROWS).encode())[:-20], "cannot be read to its end"),
        (b"\x1f\x8bnothing", "cannot be read to its end"),
    ],
)
def test_what_is_no_dump_is_said_to_be_none(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        list(objects(write(tmp_path / "dump.json", data)))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="No such file"):
        list(objects(tmp_path / "dump.json"))


def test_an_empty_list_is_a_dump(tmp_path: Path) -> None:
    assert list(objects(write(tmp_path / "dump.json", b" [ ] \n"))) == []

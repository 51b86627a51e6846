"""Reading a Django dump one object at a time, whatever its size: only one object and a piece of text are in memory.

Python's own decoder reads each object, because dumps of Python programs hold `NaN`, which strict parsers refuse.
"""

import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, TextIO

CHUNK = 1 << 20
LARGEST_OBJECT = 64 << 20
"""Characters. What is not whole by then is no object of a dump."""
_SPACE = re.compile(r"\s*")


class Unreadable(Exception):
    """The file is no dump; the sentence says why."""


def objects(path: Path, seen: Callable[[int], None] = lambda position: None) -> Iterator[Any]:
    """The elements of the dump's list (or of its lines), one after the other.

    `seen` is told the position in the file, in bytes. Raises Unreadable.
    """
    try:
        with path.open("rb") as raw, _plain(raw) as text:
            for value in _elements(_Window(text)):
                seen(raw.tell())
                yield value
    except (OSError, EOFError, zlib.error) as error:
        raise Unreadable(f"{path.name} cannot be read to its end: {error}") from None
    except UnicodeDecodeError as error:
        raise Unreadable(f"{path.name} is not text in UTF-8: {error}") from None
    except Unreadable as error:
        raise Unreadable(f"{path.name} {error}") from None


def _plain(raw: IO[bytes]) -> TextIO:
    """The text, unpacked when it is gzip (by its first bytes, not by its name)."""
    packed = raw.read(2) == b"\x1f\x8b"
    raw.seek(0)
    return io.TextIOWrapper(gzip.GzipFile(fileobj=raw) if packed else raw, encoding="utf-8-sig")


class _Window:
    """The piece of the text that is in memory."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.text, self.at, self.dropped = stream, "", 0, 0
        self.decoder = json.JSONDecoder()

    def more(self) -> bool:
        """Read on, twice as far each time the same object asks."""
        chunk = self.stream.read(max(CHUNK, len(self.text) - self.at))
        self.dropped += self.at
        self.text, self.at = self.text[self.at :] + chunk, 0
        return bool(chunk)

    def peek(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            found = _SPACE.match(self.text, self.at)
            self.at = found.end() if found else self.at
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.more():
                return ""

    def value(self) -> Any:
        """The value that begins here."""
        while True:
            try:
                value, self.at = self.decoder.raw_decode(self.text, self.at)
            except RecursionError:
                raise Unreadable(f"is nested too deep at character {self.dropped + self.at}") from None
            except ValueError:
                if len(self.text) - self.at > LARGEST_OBJECT:
                    raise Unreadable(f"is not JSON at character {self.dropped + self.at}") from None
                if not self.more():
                    where = self.dropped + self.at
                    raise Unreadable(f"is not JSON, or is cut off, in what begins at character {where}") from None
            else:
                return value


def _elements(window: _Window) -> Iterator[Any]:
    first = window.peek()
    if first == "{":
        yield from _lines(window)
        return
    if first != "[":
        raise Unreadable("is no Django dump: it does not begin with a list" if first else "is empty")
    window.at += 1
    following = window.peek()
    while following != "]":
        yield window.value()
        following = window.peek()
        if following == ",":
            window.at += 1
            window.peek()
        elif following != "]":
            raise Unreadable("ends before its list does" if not following else "is not JSON: a comma is missing")
    window.at += 1
    if window.peek():
        raise Unreadable("goes on after its list")


def _lines(window: _Window) -> Iterator[Any]:
    """`dumpdata --format jsonl`: one object after the other."""
    first = True
    while window.peek():
        value = window.value()
        if first and not (isinstance(value, dict) and {"model", "fields"} <= value.keys()):
            raise Unreadable("is no Django dump: its objects have no model and fields")
        first = False
        yield value

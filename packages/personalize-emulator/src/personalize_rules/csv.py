"""The one dialect of CSV.

A record is one line. Commas separate the cells. A cell that begins with a quotation mark ends with one; inside, a comma is a
comma, and a quotation mark is written `\\"` or `""`. A backslash is written `\\\\`.

    >>> cells_of('i1,"a, \\\\"b\\\\" \\\\\\\\",""')
    ['i1', 'a, "b" \\\\', '']

docs: personalize/latest/dg/preparing-training-data.html, items-datasets.html ("Unstructured text metadata")
"""

from __future__ import annotations

import contextlib
import csv
import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO

#: A quoted cell, and what is escaped inside it; then what is escaped outside quotation marks. Java and Python read them alike, so
#: that Spark splits a line as this module does. The possessive quantifiers let neither of them look for another reading.
# Guess: `""` is a quotation mark inside quotation marks; the documentation names the backslash alone.
_IN_QUOTES = r'"(?:[^"\\]|\\["\\]?+|"")*+"'
ESCAPED_IN_QUOTES = r'\\(["\\])|"(")'
# Guess: outside quotation marks a backslash escapes the same two characters, and before any other it stands for itself.
ESCAPED = r'\\(["\\])'
#: A comma and the cell behind it.
# Guess: a quotation mark inside a cell that does not begin with one stands for itself.
CELL = rf",({_IN_QUOTES}|[^,]*+)"
#: What makes a cell need quotation marks.
SPECIAL = r'[,"\\]'

# No cell has these: each record must be on a single line.
_NO_CELL = re.compile(r"[\n\r\0]")
_QUOTED, _ESCAPED_IN_QUOTES, _ESCAPED, _CELL, _SPECIAL = map(re.compile, (_IN_QUOTES, ESCAPED_IN_QUOTES, ESCAPED, CELL, SPECIAL))
_BLOCK = 1 << 18
#: A line of more bytes than this is no record: a record of 100 textual cells at their limit is a quarter of it.
_LONGEST_LINE = 8_000_000


class Unreadable(ValueError):
    """A file that can't be read from a line on."""

    def __init__(self, line: int, rule: str) -> None:
        super().__init__(rule)
        self.line = line


def cells_of(line: str) -> list[str]:
    """The cells of a record; a line ends without its line break. Raises ValueError with the rule that it breaks."""
    if "\r" in line:
        # Guess: a carriage return is part of a line break or refused; alone it neither ends a record nor stands in a cell.
        raise ValueError("has a carriage return inside: each record must be on a single line")
    if '"' not in line and "\\" not in line:
        return line.split(",")
    # Python's own reader is faster than ours, which says what is wrong, and which knows no largest cell; a backslash that escapes
    # nothing it would leave out.
    if "\\" not in line.replace("\\\\", "").replace('\\"', ""):
        with contextlib.suppress(csv.Error):
            return next(csv.reader([line], escapechar="\\", strict=True), [""])
    return [_unescaped(cell) for cell in _raw_cells(line)]


def rows_of(lines: Sequence[str]) -> list[list[str]]:
    """The cells of each line. Raises ValueError for the first that is no record."""
    return [line.split(",") if '"' not in line and "\\" not in line and "\r" not in line else cells_of(line) for line in lines]


def line_of(cells: Sequence[str]) -> str:
    """A record as every reader takes it: quotation marks where they are needed, backslashes inside them.

    A line break can't be written: a record is a line. Each becomes a space.
    """
    return ",".join(_written(cell) for cell in cells)


def has_room_for(cell: str) -> bool:
    """Whether a record can hold the cell as it is. `line_of` writes another cell for one with a line break; a NUL character makes
    the file unreadable.
    """
    return _NO_CELL.search(cell) is None


def blocks(source: BinaryIO) -> Iterator[tuple[int, list[str]]]:
    """The lines of a file, some thousands at once, each time with the number of the first (from 1). Raises Unreadable."""
    number, rest = 1, b""
    while piece := source.read(_BLOCK):
        whole, found, begun = (rest + piece).rpartition(b"\n")
        rest = begun
        if found:
            lines = lines_of(whole, number)
            yield number, lines
            number += len(lines)
        elif len(rest) > _LONGEST_LINE:
            raise Unreadable(number, f"is longer than {_LONGEST_LINE:,} bytes: is a line break missing?")
    if rest:
        yield number, lines_of(rest, number)


def lines_of(text: bytes, number: int) -> list[str]:
    """The lines of a part of a file that begins with this line, without their line breaks. Raises Unreadable."""
    text = text.replace(b"\r\n", b"\n").removesuffix(b"\r")
    if (position := text.find(b"\0")) >= 0:
        # Guess: a NUL character is refused.
        raise Unreadable(
            number + text[:position].count(b"\n"), "has a NUL character: is the file encoded in UTF-16? It must be UTF-8"
        )
    try:
        return text.decode().split("\n")
    except UnicodeDecodeError as error:
        rule = "is not UTF-8 text: the file must be encoded in UTF-8"
        raise Unreadable(number + text[: error.start].count(b"\n"), rule) from None


def _raw_cells(line: str) -> Iterator[str]:
    """The cells as they are written. Raises ValueError."""
    position, whole = 0, f",{line}"
    while position < len(whole):
        match = _CELL.match(whole, position)
        if match is None or whole[match.end() : match.end() + 1] not in ("", ","):
            raise ValueError('has text behind a closing quotation mark: inside quotation marks, write \\" for one')
        if match[1].startswith('"') and not _QUOTED.fullmatch(match[1]):
            raise ValueError("has a quotation mark that is not closed: each record must be on a single line")
        yield match[1]
        position = match.end()


def odd(line: str) -> str | None:
    """What a line has whose meaning for the service is a guess."""
    try:
        cells = list(_raw_cells(line))
    except ValueError:
        return None
    for cell in cells:
        if not cell.startswith('"') and ('"' in cell or "\\" in cell):
            mark = "quotation mark" if '"' in cell else "backslash"
            return f"has a {mark} in a cell without quotation marks around it"
        if "\\" in _ESCAPED.sub("", cell):
            return 'has a backslash before something else than " or \\: write \\\\ for one'
    return None


def _unescaped(cell: str) -> str:
    if cell.startswith('"'):
        return _ESCAPED_IN_QUOTES.sub(r"\1\2", cell[1:-1])
    return _ESCAPED.sub(r"\1", cell)


def _written(cell: str) -> str:
    if "\n" in cell or "\r" in cell:
        cell = re.sub(r"\r\n|[\r\n]", " ", cell)
    if not _SPECIAL.search(cell):
        return cell
    escaped = re.sub(r'(["\\])', r"\\\1", cell)
    return f'"{escaped}"'

"""The one dialect of CSV: what is written comes back, and pieces of a file are read as the whole is."""

from __future__ import annotations

import csv
import io
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from personalize_rules.csv import Unreadable, blocks, cells_of, line_of, odd, rows_of

text = st.text(
    st.sampled_from('ab,"\\ é한|\t') | st.characters(blacklist_categories=["Cs"], blacklist_characters="\n\r"), max_size=10
)


@given(st.lists(text, min_size=1, max_size=5))
@example(["back\\slash", '"', "\\", '\\"', ""])
def test_what_is_written_comes_back(cells: list[str]) -> None:
    line = line_of(cells)
    assert cells_of(line) == cells
    assert odd(line) is None


def test_a_line_break_becomes_a_space() -> None:
    assert line_of(["two\r\nlines", "a\nb\rc"]) == "two lines,a b c"


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ("a,b,", ["a", "b", ""]),
        ("", [""]),
        ('"a, b",c', ["a, b", "c"]),
        ('"a ""b""",c', ['a "b"', "c"]),
        ('"a \\"b\\"",c', ['a "b"', "c"]),
        ('"a \\\\",c', ["a \\", "c"]),
        ('"",""', ["", ""]),
        ("a\\\\b", ["a\\b"]),
        ("a\\b", ["a\\b"]),
        ('"a\\b"', ["a\\b"]),
        ('5" wide,b', ['5" wide', "b"]),
        (" a , b ", [" a ", " b "]),
    ],
)
def test_cells(line: str, cells: list[str]) -> None:
    assert cells_of(line) == cells
    assert rows_of([line, line]) == [cells, cells]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ('"a', "a quotation mark that is not closed"),
        ('a,"b\\"', "a quotation mark that is not closed"),
        ('"a"b,c', "text behind a closing quotation mark"),
        ('"a" ,c', "text behind a closing quotation mark"),
        ("a\rb", "carriage return"),
    ],
)
def test_lines_that_are_no_records(line: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        cells_of(line)


@given(st.text('a",\\', max_size=12))
def test_python_s_own_reader_agrees_where_it_is_asked(line: str) -> None:
    """Ours is asked for what that one does not say: backslashes that escape nothing, and what is wrong."""
    with suppress(ValueError):
        cells = cells_of(line)
        if "\\" not in line.replace("\\\\", "").replace('\\"', ""):
            assert cells == (next(csv.reader([line], escapechar="\\")) or [""])


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ('5" wide', "quotation mark in a cell without"),
        ("back\\\\slash", "backslash in a cell without"),
        ('"back\\slash"', "backslash before something else"),
        ('"5\\" wide","a ""b"""', None),
        ('"open', None),
    ],
)
def test_what_is_a_guess_is_odd(line: str, rule: str | None) -> None:
    found = odd(line)
    assert (found is None) == (rule is None)
    assert rule is None or rule in str(found)


class Slow(io.BytesIO):
    """Gives as few bytes as it likes."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size, 3) if size and size > 0 else size)


@given(st.text("ab\n\ré", max_size=30))
def test_pieces_of_a_file_are_read_as_the_whole(content: str) -> None:
    encoded = content.encode()
    whole, pieces = [
        [(first + place, line) for first, lines in blocks(source) for place, line in enumerate(lines)]
        for source in (io.BytesIO(encoded), Slow(encoded))
    ]
    assert whole == pieces
    expected = content.replace("\r\n", "\n").split("\n")
    assert [line for _, line in whole] == [
        line.removesuffix("\r") if n == len(expected) - 1 else line
        for n, line in enumerate(expected)
        if line or n < len(expected) - 1
    ]
    assert [number for number, _ in whole] == list(range(1, len(whole) + 1))


@pytest.mark.parametrize(
    ("content", "line", "rule"),
    [
        (b"a\nb\xff\n", 2, "not UTF-8"),
        (b"a\nb\n\0", 3, "NUL"),
        (b"a\n" + b"x" * 9_000_000, 2, "longer than"),
        ("a\nb".encode("utf-16"), 1, "NUL"),
    ],
)
def test_a_file_that_cannot_be_read_says_from_which_line_on(content: bytes, line: int, rule: str) -> None:
    with pytest.raises(Unreadable, match=rule) as refused:
        list(blocks(io.BytesIO(content)))
    assert refused.value.line == line

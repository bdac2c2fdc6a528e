"""Whose lists are shown to the person who decides: users with long and with short histories, of equal CSVs the same ones."""

from __future__ import annotations

import heapq
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lambdas.stores.erasures import erased
from lambdas.training.csv_files import CsvFile, csv_files, rows
from personalize_rules.imports import normal

#: Users among whom is chosen.
_AMONG = 1000
#: Bytes of the CSVs that are looked through, some 30 million rows: what follows changes little in a sample.
_READ_AT_MOST = 1 << 30


@dataclass(frozen=True)
class Sample:
    """Users with their numbers of events, and the items that the users among whom they were chosen had most events with.

    `whole`: whether all of the CSVs were looked through.
    """

    users: list[tuple[str, int]]
    items: list[str]
    whole: bool


def choose(count: int, items: int) -> Sample:
    """So many users of the interactions' CSVs who are not erased, longest history first, and so many items."""
    files = csv_files("interactions")
    events, seen = _counted(_pairs(files))
    gone = erased(list(events))
    ordered = [(user, number) for user, number in _most(events) if user not in gone]
    evenly = [ordered[(2 * n + 1) * len(ordered) // (2 * count)] for n in range(count)] if len(ordered) > count else ordered
    return Sample(evenly, [item for item, _ in _most(seen)[:items]], sum(file.size for file in files) <= _READ_AT_MOST)


def _pairs(files: Sequence[CsvFile]) -> Iterator[tuple[str, str]]:
    """User and item of each row."""
    left = _READ_AT_MOST
    for file in files:
        lines = rows(file)
        _, header = next(lines, ("", []))
        columns = [normal(name) for name in header]
        user, item = columns.index("USER_ID"), columns.index("ITEM_ID")
        for line, cells in lines:
            yield cells[user], cells[item]
            left -= len(line) + 1
            if left < 0:
                return


def _counted(pairs: Iterable[tuple[str, str]]) -> tuple[Counter[str], Counter[str]]:
    """The events of a thousand users, and of the items that they had them with.

    The users are those with the smallest checksums: who is one of them in the end was one from the first event on, so that the
    count is exact, and memory does not grow with the number of users.
    """
    events, seen, chosen = Counter[str](), Counter[str](), list[tuple[int, str]]()
    for user, item in pairs:
        if user not in events:
            place = (-zlib.crc32(user.encode()), user)
            if len(chosen) == _AMONG and place < chosen[0]:
                continue
            heapq.heappush(chosen, place)
            if len(chosen) > _AMONG:
                del events[heapq.heappop(chosen)[1]]
        events[user] += 1
        seen[item] += 1
    return events, seen


def _most(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda counted: (-counted[1], counted[0]))

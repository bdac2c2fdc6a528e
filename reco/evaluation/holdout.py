"""Splits interactions by time: the newest tenth of each user's events is kept from the training, to be predicted."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from personalize_rules.csv import line_of
from personalize_rules.schemas import Schema
from reco.data.csv_folder import columns_of, rows_of
from reco.errors import RecoError

#: Users with fewer events are trained on in full.
_LEAST_EVENTS = 10


class Catalogue:
    """Items by their position: those of the items CSVs first, then what else the interactions name."""

    def __init__(self) -> None:
        self.index: dict[str, int] = {}
        self._rows = array("q")
        self._columns = array("q")
        self._features: dict[tuple[str, str], int] = {}

    def __len__(self) -> int:
        return len(self.index)

    def position(self, item_id: str) -> int:
        """The item's position; a new one for an item not met before."""
        return self.index.setdefault(item_id, len(self.index))

    def read_items(self, files: Sequence[Path], schema: Schema) -> None:
        """Learn the items and the values in their categorical columns, several in a cell separated by `|`."""
        names = [field.name for field in schema.fields if field.categorical]
        for _, (item_id, *cells) in columns_of(files, ["ITEM_ID", *names]):
            row = self.position(item_id)
            for name, cell in zip(names, cells, strict=True):
                for value in filter(None, cell.split("|")):
                    self._rows.append(row)
                    self._columns.append(self._features.setdefault((name, value), len(self._features)))

    def features(self) -> Any | None:
        """A sparse matrix, items x category values; None when no item has any."""
        if not self._features:
            return None
        rows, columns = numbers(self._rows), numbers(self._columns)
        shape = (len(self.index), len(self._features))
        return sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=shape).astype(bool).astype(np.float64)


@dataclass(frozen=True)
class Case:
    """A test user: the items of the events that are trained on, oldest first, and the items to predict."""

    user_id: str
    history: NDArray[np.int64]
    relevant: frozenset[int]


@dataclass(frozen=True)
class Holdout:
    """`share`: of the users in training, how many have each item of the catalogue."""

    cases: list[Case]
    share: NDArray[np.float64]
    training_events: int
    held_events: int


def split(files: Sequence[Path], training: Path, catalogue: Catalogue, users: int, seed: int = 0) -> Holdout:
    """Write the events to train on to `training`, and draw at most `users` of those with held-out events.

    Memory: some 80 bytes an event, and the ids. Raises RecoError naming file and line of what can't be read, or when no user has
    enough events.
    """
    user_ids, who, what, when = read_events(files, catalogue)
    order = np.lexsort((when, who))
    counts = np.bincount(who, minlength=len(user_ids))
    ends = np.cumsum(counts)
    hidden = np.where(counts >= _LEAST_EVENTS, counts // 10, 0)
    place = np.arange(len(who)) - np.repeat(ends - counts, counts)  # of an event among those of its user, by time
    held = np.zeros(len(who), bool)
    held[order] = place >= np.repeat(counts - hidden, counts)
    _write_training(files, training, held)
    eligible = np.flatnonzero(hidden)
    if not len(eligible):
        raise RecoError(f"No user has {_LEAST_EVENTS} events or more: there is nothing to hold out.")
    chosen = np.sort(np.random.default_rng(seed).permutation(eligible)[:users])
    cases = []
    for user in chosen:
        of_user = what[order[ends[user] - counts[user] : ends[user]]]
        cases.append(Case(user_ids[user], of_user[: -hidden[user]], frozenset(of_user[-hidden[user] :].tolist())))
    share = _share_of_users(who[~held], what[~held], len(catalogue))
    return Holdout(cases, share, int((~held).sum()), int(held.sum()))


def read_events(
    files: Sequence[Path], catalogue: Catalogue
) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The ids of the users, and each event's user, item and time."""
    users: dict[str, int] = {}
    who, what, when = array("q"), array("q"), array("q")
    for place, (user_id, item_id, timestamp) in columns_of(files, ["USER_ID", "ITEM_ID", "TIMESTAMP"]):
        try:
            when.append(int(timestamp))
        except ValueError:
            raise RecoError(f"{place}, column TIMESTAMP: is '{timestamp[:40]}', not a whole number") from None
        who.append(users.setdefault(user_id, len(users)))
        what.append(catalogue.position(item_id))
    return list(users), numbers(who), numbers(what), numbers(when)


def _write_training(files: Sequence[Path], training: Path, held: NDArray[np.bool_]) -> None:
    """The rows that are not held out, in one CSV with the columns of the first file."""
    with training.open("w", newline="", encoding="utf-8") as out:
        columns = next(rows_of(files[0]))[1]
        out.write(f"{line_of(columns)}\n")
        for keep, (_, cells) in zip(~held, columns_of(files, columns), strict=True):
            if keep:
                out.write(f"{line_of(cells)}\n")


def _share_of_users(who: NDArray[np.int64], what: NDArray[np.int64], items: int) -> NDArray[np.float64]:
    pairs = np.unique(who * items + what)
    return np.bincount(pairs % items, minlength=items) / max(1, len(np.unique(who)))


def numbers(values: array[int]) -> NDArray[np.int64]:
    return np.frombuffer(values, np.int64) if len(values) else np.empty(0, np.int64)

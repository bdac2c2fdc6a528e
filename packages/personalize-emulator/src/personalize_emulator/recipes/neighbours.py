"""What users with the same recent interactions do next: sequence-aware nearest neighbours among users.

Neighbours are those whose events overlap with the newest ones of a history, the newer and the rarer the item the more; what
stands near the shared item in their own history counts most. After Ludewig and Jannach, "Evaluation of Session-based
Recommendation Algorithms" (VSKNN), 2018, and Garg et al., "Sequence and Time Aware Neighborhood" (STAN), SIGIR 2019.
"""

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personalize_emulator.recipes.events import Events

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_LONGEST = 500  # newest events of a user that are remembered
_PER_ITEM = 1000  # newest users of an item that are looked up
_NEIGHBOURS = 100
_SHARED = 60  # newest events of the history that are compared
_BEFORE = 0.6  # what stands before the shared item, beside what stands behind it
_SHRINKAGE = 10.0
_LEAST_RARITY = 0.05
_POPULARITY_DISCOUNT = np.float32(0.3)


def remember(events: Events, user_ids: NDArray[np.object_]) -> dict[str, NDArray[Any]]:
    """The arrays that `score` reads: histories by user, users by item, how rare items are, and who the users are."""
    ends = np.cumsum(events.lengths())
    recent = events.where(np.arange(len(events)) >= (ends - _LONGEST)[events.users])
    users, items, times = recent.users, recent.items, recent.times
    newest = np.lexsort((times, users, items))
    last = np.append((np.diff(items[newest]) != 0) | (np.diff(users[newest]) != 0), np.ones(min(1, len(newest)), bool))
    pairs = newest[last]
    pairs = pairs[np.lexsort((times[pairs], items[pairs]))]
    counts = np.bincount(items[pairs], minlength=events.n_items)
    kept = pairs[np.arange(len(pairs)) >= (np.cumsum(counts) - _PER_ITEM)[items[pairs]]]
    distinct = np.bincount(users[pairs], minlength=events.n_users)
    rarity = np.log((events.n_users + 1) / (np.bincount(events.items, minlength=events.n_items) + 1))
    return {
        "peer_items": items,
        "peer_rows": _rows(np.bincount(users, minlength=events.n_users)),
        "peer_of_item": users[kept],
        "peer_of_item_rows": _rows(np.minimum(counts, _PER_ITEM)),
        "peer_norms": np.sqrt(distinct + _SHRINKAGE).astype(np.float32),
        "peer_names": _name_codes(user_ids),
        "peer_rarity": np.maximum(rarity, _LEAST_RARITY).astype(np.float32),
        "peer_discounts": (counts + _SHRINKAGE).astype(np.float32) ** -_POPULARITY_DISCOUNT,
    }


def _name_codes(user_ids: NDArray[np.object_]) -> NDArray[np.uint32]:
    """A short code of each id, by which a user is not taken for a neighbour of themselves."""
    return np.fromiter((zlib.crc32(str(user).encode()) for user in user_ids), np.uint32, len(user_ids))


def score(arrays: Mapping[str, NDArray[Any]], items: Ints, weights: Floats, recency: float | None, user: str | None) -> Floats:
    """How near each item stands to the history in those of the neighbours. recency: events until the weight is 1/e."""
    rarity = arrays["peer_rarity"]
    size = len(rarity)
    items, weights = items[-_SHARED:], weights[-_SHARED:]
    age = np.arange(len(items) - 1, -1, -1, dtype=np.float32)
    own = np.zeros(size, np.float32)
    np.maximum.at(own, items, weights * (np.exp(-age / np.float32(recency)) if recency else np.float32(1)))
    shared = np.unique(items)
    places, lengths = spans(arrays["peer_of_item_rows"], shared)
    overlap = np.repeat(own[shared] * rarity[shared], lengths)
    alike = np.bincount(arrays["peer_of_item"][places], overlap, len(arrays["peer_norms"])) / arrays["peer_norms"]
    near = np.flatnonzero(alike)
    if user is not None:
        near = near[arrays["peer_names"][near] != zlib.crc32(user.encode())]
    if not len(near):
        return np.zeros(size, np.float32)
    if len(near) > _NEIGHBOURS:
        near = near[np.argpartition(-alike[near], _NEIGHBOURS)[:_NEIGHBOURS]]
    places, lengths = spans(arrays["peer_rows"], near)
    theirs = arrays["peer_items"][places]
    distance = _distances(own[theirs], lengths)
    reach = np.float32(recency or _LONGEST)
    closeness = np.exp(-np.abs(distance) / reach) * np.where(distance > 0, 1, _BEFORE) * np.repeat(alike[near], lengths)
    return np.asarray(np.bincount(theirs, closeness, size) * arrays["peer_discounts"], np.float32)


def spans(rows: NDArray[np.integer[Any]], chosen: Ints) -> tuple[Ints, Ints]:
    """The positions of some rows of a compressed matrix, one row after the other, and the length of each."""
    begins = np.asarray(rows[chosen], np.int64)
    lengths = np.asarray(rows[chosen + 1], np.int64) - begins
    shifts = begins - (np.cumsum(lengths) - lengths)
    return np.repeat(shifts, lengths) + np.arange(lengths.sum()), lengths


def _distances(shared: Floats, lengths: Ints) -> Ints:
    """For each place of the histories, one after the other: how far it is behind the place of the newest shared item."""
    begins = np.cumsum(lengths) - lengths
    places = np.arange(len(shared))
    greatest = np.repeat(np.maximum.reduceat(shared, begins), lengths)
    first = np.minimum.reduceat(np.where(shared == greatest, places, len(shared)), begins)
    return np.asarray(places - np.repeat(first, lengths))


def _rows(lengths: Ints) -> Ints:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)

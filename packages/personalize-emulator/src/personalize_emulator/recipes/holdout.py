"""The hold-out of GetSolutionMetrics, and what a model is asked about it.

docs: personalize/latest/dg/working-with-training-metrics.html: users are split 90/10; for each test user the
oldest 90 % of the events are the input and the newest 10 % are what should be predicted.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from personalize_emulator.datasets.tables import LONGEST_HISTORY, History, Interactions
from personalize_emulator.metrics import Answer
from personalize_emulator.recipes.events import Events, Prepared, attributes_of
from personalize_emulator.recipes.model import Model, Query, best

_TEST_SHARE = 0.1
_HELD_SHARE = 0.1
_TUNING_SHARE = 0.2
_TUNING_USERS = (200, 500)
_TUNING_CELLS = 10_000_000
_CHOOSING_EVENTS = 1_000_000  # what is chosen on fewer events holds for more
_TEST_USERS = 5000
EARLIER, EARLIER_CASES = 4, 1000


@dataclass(frozen=True)
class Case:
    """One user's events, and from which on they are hidden."""

    user: int
    begin: int
    hidden: int
    end: int


@dataclass(frozen=True)
class HoldOut:
    """training: the events of all but the test users. choosing: of many others, without the users to choose settings on."""

    training: Events
    choosing: Events
    test: list[Case]
    tuning: list[Case]


def split(events: Events, seed: int) -> HoldOut:
    """A tenth of the users for the test, of whom at most 5000 are asked; a fifth of all, at most 500, to choose settings on.

    The fewer, the more items there are. What is chosen on some users is measured on others, and trained on all but the others.
    """
    lengths = events.lengths()
    ends = np.cumsum(lengths)
    hidden = ends - np.rint(np.maximum(1, lengths * _HELD_SHARE)).astype(np.int64)
    users = np.random.default_rng(seed).permutation(np.flatnonzero(lengths > 1))
    test_size = max(1, round(len(users) * _TEST_SHARE))
    test = users[:test_size]
    fewest, most = _TUNING_USERS
    size = min(round(len(users) * _TUNING_SHARE), int(np.clip(_TUNING_CELLS // max(1, events.n_items), fewest, most)))
    tuning = users[test_size : test_size + size]
    training = events.where(~np.isin(events.users, test))
    left = users[test_size + size :]
    fit_in = np.cumsum(lengths[left]) <= _CHOOSING_EVENTS
    choosing = training.where(np.isin(training.users, left[fit_in]))
    starts = ends - lengths

    def cases(of: NDArray[np.int64]) -> list[Case]:
        return [Case(int(u), int(starts[u]), int(hidden[u]), int(ends[u])) for u in of]

    return HoldOut(training, choosing, cases(test[:_TEST_USERS]), cases(tuning))


def with_earlier(cases: list[Case]) -> list[Case]:
    """Of the same users also what came before: as many events as are hidden now, up to four times, to about a thousand cases."""
    times = range(min(EARLIER, EARLIER_CASES // max(1, len(cases))) + 1)
    moved = ((case, time * (case.end - case.hidden)) for case in cases for time in times)
    return [Case(c.user, c.begin, c.hidden - by, c.end - by) for c, by in moved if c.hidden - by > c.begin]


class Examiner:
    """Asks a model for each case what it recommends, given only the events that are not hidden."""

    def __init__(self, prepared: Prepared, interactions: Interactions, by_item: bool = False) -> None:
        self._events = prepared.events
        self._prepared = prepared
        self._interactions = interactions
        self.by_item = by_item

    def answers(self, model: Model, cases: list[Case], length: int = 25) -> list[Answer]:
        return [self._answer(model, case, length) for case in cases]

    def query(self, case: Case) -> Query:
        """The user's visible events; for models of related items also the newest visible item."""
        items = self._events.items[case.begin : case.hidden]
        rows = self._events.rows[case.begin : case.hidden]
        table = self._interactions
        names = table.event_type_names
        history = History(
            [self._prepared.item_ids[i] for i in items[-LONGEST_HISTORY:]],
            table.timestamps[rows[-LONGEST_HISTORY:]].tolist(),
            [names[c] if c >= 0 else None for c in table.event_types[rows[-LONGEST_HISTORY:]]],
            [float(v) for v in table.event_values[rows[-LONGEST_HISTORY:]]],
        )
        user = self._prepared.user_ids[case.user]
        newest = self._prepared.item_ids[items[-1]] if self.by_item else None
        now = float(self._events.times[case.hidden - 1])
        return Query(user, newest, history, attributes_of(self._prepared.users, user), now=now)

    def popularity(self) -> NDArray[np.float64]:
        """The share of each item in all events."""
        events = self._events
        return np.bincount(events.items, minlength=events.n_items) / len(events)

    def _answer(self, model: Model, case: Case, length: int) -> Answer:
        scores = model.scores(self.query(case))
        return Answer(best(scores, length), self.relevant(case))

    def relevant(self, case: Case) -> dict[int, float]:
        """The hidden items, and the greatest weight of an event with each."""
        relevant: dict[int, float] = {}
        span = slice(case.hidden, case.end)
        for item, weight in zip(self._events.items[span].tolist(), self._events.weights[span].tolist(), strict=True):
            relevant[item] = max(weight, relevant.get(item, 0.0))
        return relevant

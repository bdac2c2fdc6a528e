"""The hold-out of GetSolutionMetrics, and what a model is asked about it.

docs: personalize/latest/dg/working-with-training-metrics.html: users are split 90/10; for each test user the
oldest 90 % of the events are the input and the newest 10 % are what should be predicted.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from personalize_emulator.datasets.tables import History, Interactions
from personalize_emulator.metrics import Answer
from personalize_emulator.recipes.events import Events, Prepared, attributes_of
from personalize_emulator.recipes.model import Model, Query, best

TEST_SHARE = 0.1
HELD_SHARE = 0.1
TUNING_USERS = 500
TEST_USERS = 5000


@dataclass(frozen=True)
class Case:
    """One user's events, and from which on they are hidden."""

    user: int
    begin: int
    hidden: int
    end: int


@dataclass(frozen=True)
class HoldOut:
    """training: events without the test users and without the tuning users' newest ones."""

    training: Events
    test: list[Case]
    tuning: list[Case]


def split(events: Events, seed: int) -> HoldOut:
    """A tenth of the users for the test, of whom at most 5000 are asked; of the others at most 500 to choose settings on.

    The tuning users' newest events are hidden from the training too: what is chosen on them is not measured on them.
    """
    lengths = events.lengths()
    ends = np.cumsum(lengths)
    hidden = ends - np.rint(np.maximum(1, lengths * HELD_SHARE)).astype(np.int64)
    users = np.random.default_rng(seed).permutation(np.flatnonzero(lengths > 1))
    test_size = max(1, round(len(users) * TEST_SHARE))
    test = users[:test_size]
    tuning = users[test_size : test_size + min(TUNING_USERS, test_size)]
    keep = ~np.isin(events.users, test)
    keep &= ~(np.isin(events.users, tuning) & (np.arange(len(events)) >= hidden[events.users]))
    starts = ends - lengths

    def cases(of: NDArray[np.int64]) -> list[Case]:
        return [Case(int(u), int(starts[u]), int(hidden[u]), int(ends[u])) for u in of]

    return HoldOut(events.where(keep), cases(test[:TEST_USERS]), cases(tuning))


class Examiner:
    """Asks a model for each case what it recommends, given only the events that are not hidden."""

    def __init__(self, prepared: Prepared, interactions: Interactions, by_item: bool = False) -> None:
        self._events = prepared.events
        self._prepared = prepared
        self._interactions = interactions
        self._by_item = by_item

    def answers(self, model: Model, cases: list[Case], length: int = 25) -> list[Answer]:
        return [self._answer(model, case, length) for case in cases]

    def query(self, case: Case) -> Query:
        """The user's visible events; for models of related items also the newest visible item."""
        items = self._events.items[case.begin : case.hidden]
        rows = self._events.rows[case.begin : case.hidden]
        table = self._interactions
        names = table.event_type_names
        history = History(
            [self._prepared.item_ids[i] for i in items[-200:]],
            table.timestamps[rows][-200:].tolist(),
            [names[c] if c >= 0 else None for c in table.event_types[rows][-200:]],
            [float(v) for v in table.event_values[rows][-200:]],
        )
        user = self._prepared.user_ids[case.user]
        newest = self._prepared.item_ids[items[-1]] if self._by_item else None
        now = float(self._events.times[case.hidden - 1])
        return Query(user, newest, history, attributes_of(self._prepared.users, user), now=now)

    def _answer(self, model: Model, case: Case, length: int) -> Answer:
        scores = model.scores(self.query(case))
        return Answer(best(scores, length), self._relevant(case))

    def _relevant(self, case: Case) -> dict[int, float]:
        relevant: dict[int, float] = {}
        span = slice(case.hidden, case.end)
        for item, weight in zip(self._events.items[span].tolist(), self._events.weights[span].tolist(), strict=True):
            relevant[item] = max(weight, relevant.get(item, 0.0))
        return relevant

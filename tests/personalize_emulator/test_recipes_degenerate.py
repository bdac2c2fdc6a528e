"""Trainings of datasets that say little: none of them ends otherwise than in a model or in a reason that the service could give."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from personalize_emulator.recipes import Query, TrainingFailed, TrainingOptions, train
from personalize_emulator.recipes.affinity import AffinityModel
from personalize_rules.recipes import RECIPES
from personalize_rules.schemas import Kind
from tests.personalize_emulator.market import START, make_store

Rows = list[list[Any]]


def shop(
    users: int, items: int, entities: int, *, known: bool, nulls: bool, constant: bool, repeats: int = 1, actions: int = 0
) -> dict[Kind, Rows]:
    """Tables of so many users and items with 1,000 events or more, and of `entities` rows in the other datasets.

    known: the rows of the Items and Users datasets are those of the interactions. nulls: every nullable column is null.
    constant: all events happen at the same second. repeats: how often a user comes back to an item.
    """
    per_user = max(2, -(-1000 // users))
    events: Rows = [  # the value tells events of one second apart, which an import would otherwise take for one
        [
            f"u{user}",
            f"i{(user + event // repeats) % items}",
            START + (0 if constant else 60 * event),
            "Watch",
            float(event),
            "TV",
        ]
        for user in range(users)
        for event in range(per_user)
    ]
    letter = "" if known else "x"
    return {
        "INTERACTIONS": events,
        "ITEMS": [[f"{letter}i{n}", "Comedy", 1.0, "" if nulls else f"A word {n}", "T", START] for n in range(entities)],
        "USERS": [[f"{letter}u{n}", "Comedy"] for n in range(entities)],
        "ACTIONS": [[f"a{n}", "", "k", "", ""] for n in range(actions)],
        "ACTION_INTERACTIONS": [[f"u{n}", "a0", "Taken", START + n] for n in range(min(actions, 3))],
    }


shapes = st.fixed_dictionaries(
    {
        "users": st.sampled_from([1, 25, 40]),
        "items": st.sampled_from([1, 2, 30, 700]),
        "entities": st.sampled_from([0, 1, 3]),
        "known": st.booleans(),
        "nulls": st.booleans(),
        "constant": st.booleans(),
        "repeats": st.sampled_from([1, 5]),
        "actions": st.sampled_from([0, 1, 3]),
    }
)


@pytest.mark.parametrize("recipe", sorted(RECIPES))
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(shape=shapes)
@example(shape={"users": 25, "items": 30, "entities": 0, "known": True, "nulls": True, "constant": True})
def test_no_training_ends_in_an_exception_of_python(recipe: str, shape: dict[str, Any]) -> None:
    tables = shop(**shape)
    with tempfile.TemporaryDirectory() as folder:
        store = make_store(Path(folder), tables)
        data = store.training_data()
        try:
            result = train(data, TrainingOptions(recipe))
        except TrainingFailed:
            return
        assert all(np.isfinite(value) for value in result.metrics.values())
        model = result.model
        histories = {user: store.history(user) for user in ("u0", "nobody")}
        asked = [
            Query(user, item, histories[user], {"FAVOURITE": "Comedy"}, {"DEVICE": "TV"}, START)
            for user in histories
            for item in ("i0", "xi0", "nothing")
        ]
        for query in asked:
            assert not np.isnan(model.scores(query)).any()
        if isinstance(model, AffinityModel):
            assert not np.isnan(model.interest(np.arange(len(model.item_ids)))).any()


@pytest.mark.parametrize("recipe", ["aws-user-personalization-v2", "aws-similar-items", "aws-item-affinity"])
def test_a_dataset_without_rows_is_as_none(tmp_path: Path, recipe: str) -> None:
    tables = shop(40, 30, 0, known=True, nulls=False, constant=False)
    events: dict[Kind, Rows] = {"INTERACTIONS": tables["INTERACTIONS"]}
    with_empty, without = (
        train(make_store(tmp_path / name, of).training_data(), TrainingOptions(recipe))
        for name, of in (("empty", tables), ("none", events))
    )
    assert with_empty.metrics == without.metrics

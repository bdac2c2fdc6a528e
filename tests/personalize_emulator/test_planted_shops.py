"""The made-up shops of the accuracy benchmark have in them what their page says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.planted import PLANTED, Planted, groceries, sessions, write_csvs
from personalize_emulator.datasets import DatasetStore


def repeated(shop: Planted) -> float:
    """The share of the events that are with an item that the user had before."""
    return 1 - len(np.unique(shop.users * len(shop.groups) + shop.items)) / len(shop.items)


def test_groceries_are_bought_again_and_articles_are_not() -> None:
    assert repeated(groceries(users=60)) > 0.55
    assert repeated(sessions(users=60)) < 0.5


def test_articles_lead_to_others() -> None:
    shop = sessions(users=200)
    order = np.lexsort((shop.times, shop.users))
    items, users = shop.items[order], shop.users[order]
    pairs = (items[:-1] * len(shop.groups) + items[1:])[users[:-1] == users[1:]]
    counted = np.unique(pairs, return_counts=True)[1]
    assert counted[counted > 1].sum() / counted.sum() > 0.3  # without leads few pairs of thousands of articles would come twice


@pytest.mark.parametrize("name", PLANTED)
def test_they_are_imported_whole(tmp_path: Path, name: str) -> None:
    make = {"groceries": groceries, "sessions": sessions}[name]
    shop, again = make(users=60), make(users=60)
    assert np.array_equal(shop.items, again.items)
    store = DatasetStore(tmp_path / "store", write_csvs(shop, tmp_path))
    for kind, file in (("INTERACTIONS", "interactions.csv"), ("ITEMS", "items.csv")):
        with (tmp_path / file).open("rb") as opened:
            store.import_csv(kind, [(file, opened)], "FULL")  # type: ignore[arg-type]
    taken = len(store.training_data().interactions)  # equal events of the same second are one
    assert 0.99 * len(shop.items) < taken <= len(shop.items)

"""Synthetic shops: reproducible, of the size asked for, importable, and with the structure that they promise."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from bench.generator import SCHEMAS, Shop
from personalize_emulator.datasets import DatasetStore
from personalize_rules.schemas import Kind, parse_schema

SHOP = Shop(users=300, items=200, interactions=12_000, seed=4)
KINDS: tuple[Kind, ...] = ("INTERACTIONS", "ITEMS", "USERS")


def written(shop: Shop, kind: Kind) -> bytes:
    out = io.BytesIO()
    getattr(shop, f"write_{kind.lower()}")(out)
    return out.getvalue()


def test_a_seed_is_a_shop() -> None:
    for kind in KINDS:
        assert written(SHOP, kind) == written(Shop(300, 200, 12_000, seed=4), kind)
        assert written(SHOP, kind) != written(Shop(300, 200, 12_000, seed=5), kind)


def test_a_shop_can_be_imported_and_has_its_size(tmp_path: Path) -> None:
    store = DatasetStore(tmp_path, {kind: parse_schema(SCHEMAS[kind]) for kind in KINDS})
    read = {kind: store.import_csv(kind, [(kind, io.BytesIO(written(SHOP, kind)))], "FULL").read for kind in KINDS}
    assert read == {"INTERACTIONS": 12_000, "ITEMS": 200, "USERS": 300}
    data = store.training_data()
    assert data.items is not None
    assert set(data.interactions.item_ids) <= set(data.items.ids)
    counts = np.sort(np.bincount(data.interactions.items))[::-1]
    assert counts[:20].sum() > 0.4 * counts.sum()


def test_users_come_back_to_their_items_and_clusters() -> None:
    users, items, times = (np.concatenate(parts) for parts in zip(*SHOP.events(), strict=True))
    assert len(users) == 12_000
    same_user = users[1:] == users[:-1]
    assert (times[1:] >= times[:-1])[same_user].all()
    repeats = 1 - len(np.unique(users * SHOP.items + items)) / len(users)
    assert SHOP.repeat_share < repeats < 0.7
    clusters = items % SHOP.clusters
    favourites = [np.sort(np.bincount(clusters[users == user]))[-3:].sum() for user in range(SHOP.users)]
    assert sum(favourites) > 0.75 * len(users)

"""What training and serving read: history, training data, deletion; all from bulk and streamed data."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from personalize_emulator.datasets import DatasetStore
from tests.personalize_emulator.shop_data import SCHEMAS, csv_file, event, interaction_rows, open_store, put_events


def loaded(directory: Path) -> DatasetStore:
    store = open_store(directory)
    store.import_csv("INTERACTIONS", [csv_file("INTERACTIONS", interaction_rows())], "FULL")
    return store


def test_history_is_imported_and_streamed_oldest_first(tmp_path: Path) -> None:
    store = loaded(tmp_path)
    put_events(store, event("late", 1_800_000_000), event("early", 1_600_000_000), user="u7")
    history = store.history("u7")
    assert len(history) == 22
    assert (history.item_ids[0], history.item_ids[-1]) == ("early", "late")
    assert history.timestamps == sorted(history.timestamps)
    assert history.item_ids[1:4] == ["i7", "i17", "i27"]
    assert history.event_types[1:4] == ["View", "Purchase", "View"]
    assert history.event_values[1:4] == [2.0, 2.0, 2.0]
    newest = store.history("u7", limit=3)
    assert newest.item_ids == history.item_ids[-3:]
    assert store.history("nobody").item_ids == []


def test_training_data_are_sorted_by_user_and_time(tmp_path: Path) -> None:
    store = loaded(tmp_path)
    put_events(store, event("new", 1_600_000_000, properties='{"device": "tv"}'), user="u0")
    put_events(store, event("new"), user="brand new")
    data = store.training_data()
    interactions = data.interactions
    assert len(interactions) == 1002
    order = np.lexsort((interactions.timestamps, interactions.users))
    assert (order == np.arange(1002)).all()
    assert list(interactions.user_ids) == sorted(interactions.user_ids)
    first = [interactions.user_ids[interactions.users[0]], interactions.item_ids[interactions.items[0]]]
    assert first == ["brand new", "new"]
    second = (interactions.users == 1).argmax()
    assert interactions.user_ids[1] == "u0"
    assert interactions.item_ids[interactions.items[second]] == "new"
    assert interactions.columns["DEVICE"][int(second)] == "tv"
    assert interactions.event_type_names[interactions.event_types[second]] == "View"
    assert np.isnan(interactions.event_values[second])
    assert data.items is not None
    assert len(data.items) == 0


def test_an_event_that_was_imported_and_streamed_counts_once(tmp_path: Path) -> None:
    store = loaded(tmp_path)
    put_events(store, event("i1", 1_700_000_001, eventValue=1, properties='{"device": "phone", "numRatings": 1}'), user="u1")
    assert len(store.training_data().interactions) == 1000


def test_deleted_users_leave_nothing(tmp_path: Path) -> None:
    store = loaded(tmp_path)
    store.import_csv("USERS", [csv_file("USERS", ["u1,20,gold", "u2,30,"])], "FULL")
    store.put_entities("USERS", [{"userId": "put only"}])
    put_events(store, event("x"), user="u1", session="s1")
    put_events(store, event("x"), user="streamed only")
    assert store.delete_users(["u1", "put only", "streamed only", "u49", "nobody"]) == 20 + 20 + 4
    data = store.training_data()
    assert data.users is not None
    assert list(data.users.ids) == ["u2"]
    assert len(data.interactions.user_ids) == 48
    assert len(data.interactions) == 960
    assert store.history("u1").item_ids == []
    put_events(store, event("y"), session="s1")
    assert store.history("u1").item_ids == []


def test_a_deleted_dataset_is_empty(tmp_path: Path) -> None:
    store = loaded(tmp_path)
    put_events(store, event("x"), user="u1")
    store.delete_dataset("INTERACTIONS")
    assert store.statistics("INTERACTIONS") == {"bulk": 0, "put": 0, "users": 0, "items": 0}
    assert store.history("u1").item_ids == []


def test_another_store_sees_what_one_writes(tmp_path: Path) -> None:
    reader, writer = open_store(tmp_path), open_store(tmp_path)
    assert reader.history("u1").item_ids == []
    writer.import_csv("INTERACTIONS", [csv_file("INTERACTIONS", interaction_rows())], "FULL")
    put_events(writer, event("x"), user="u1")
    assert len(reader.history("u1")) == 21
    writer.put_entities("USERS", [{"userId": "u", "properties": '{"age": 5}'}])
    users = reader.entities("USERS")
    assert users is not None
    assert users.columns["AGE"][users.index["u"]] == 5


def test_a_group_without_interactions_has_none(tmp_path: Path) -> None:
    store = DatasetStore(tmp_path, {"ITEMS": SCHEMAS["ITEMS"]})
    data = store.training_data()
    assert (len(data.interactions), len(data.interactions.user_ids), data.action_interactions) == (0, 0, None)
    assert store.history("u").item_ids == []

"""Individual records: PutEvents, PutItems, PutUsers, PutActions, PutActionInteractions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personalize_emulator.datasets import DatasetStore
from personalize_emulator.errors import InvalidInput
from tests.personalize_emulator.shop_data import event, open_store, put_events


@pytest.fixture
def store(tmp_path: Path) -> DatasetStore:
    return open_store(tmp_path)


def test_properties_are_the_schema_in_camel_case(store: DatasetStore) -> None:
    properties = {"numRatings": "12", "device": "phone|tv"}
    impression = ["i1", "i2"]
    put_events(store, event(properties=json.dumps(properties), eventValue=2.5, impression=impression), user="u")
    interactions = store.training_data().interactions
    values = {name: column[0] for name, column in interactions.columns.items()}
    assert values == {"NUM_RATINGS": 12, "DEVICE": "phone|tv", "IMPRESSION": "i1|i2"}
    assert interactions.event_values.tolist() == [2.5]


def test_old_clients_send_item_and_value_as_properties(store: DatasetStore) -> None:
    put_events(store, event(None, properties='{"itemId": "i7", "eventValue": "3"}'), user="u")
    history = store.history("u")
    assert (history.item_ids, history.event_values) == (["i7"], [3.0])


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ("{", "properties is not valid JSON"),
        ("[1]", "properties must be a JSON object"),
        ('{"colour": "red"}', "colour is no field of the schema"),
        ('{"USERID": "x"}', "USERID is a member of the event"),
        ('{"session_id": "x"}', "session_id is a member of the event"),
        ('{"eventType": "x"}', "eventType is a member of the event"),
        ('{"timestamp": 1}', "timestamp is a member of the event"),
        ('{"recommendationID": "x"}', "recommendationID is a member of the event"),
        ('{"Impression": "x"}', "Impression is a member of the event"),
        ('{"numRatings": "many"}', "NUM_RATINGS is 'many', not a whole number"),
        ('{"numRatings": 1.5}', "NUM_RATINGS is '1.5', not a whole number"),
        ('{"numRatings": true}', "NUM_RATINGS must be of type int"),
        ('{"numRatings": NaN}', "NUM_RATINGS is 'nan', not a whole number"),
        ('{"device": 5}', "DEVICE must be a string"),
        ('{"device": "\\ud800"}', "DEVICE is not valid Unicode"),
        (json.dumps({"device": "x" * 1001}), "DEVICE is longer than the 1000 characters of a string"),
        ('{"itemId": ""}', "itemId must be a string of 1 to 256"),
    ],
)
def test_a_bad_property_refuses_the_whole_request(store: DatasetStore, properties: str, message: str) -> None:
    bad = event(None if "itemId" in properties else "i1", properties=properties)
    with pytest.raises(InvalidInput, match=message) as refused:
        put_events(store, event("good"), bad, user="u")
    assert refused.value.message.startswith("eventList.2.member")
    assert store.history("u").item_ids == []


def test_a_timestamp_must_be_seconds(store: DatasetStore) -> None:
    for at in (-1, 1_700_000_000_000):
        with pytest.raises(InvalidInput, match=r"sentAt is .* times are in seconds since 1970"):
            put_events(store, event(at=at))


def test_a_second_event_with_an_id_is_dropped(store: DatasetStore) -> None:
    put_events(store, event("i1", eventId="e"), event("i2"), event("i3"), user="u")
    put_events(store, event("i4", eventId="e"), user="u")
    assert store.history("u").item_ids == ["i1", "i2", "i3"]
    assert store.statistics("INTERACTIONS")["put"] == 3


def test_a_session_is_joined_to_the_user_that_it_turns_out_to_be(store: DatasetStore) -> None:
    put_events(store, event("i1", 10), session="s1")
    put_events(store, event("other", 11), session="s2")
    assert store.history("s1").item_ids == ["i1"]
    assert len(store.training_data().interactions) == 0
    put_events(store, event("i2", 12), user="u", session="s1")
    put_events(store, event("i3", 13), session="s1")
    assert store.history("u").item_ids == ["i1", "i2", "i3"]
    assert store.history("s1").item_ids == []
    interactions = store.training_data().interactions
    assert (list(interactions.user_ids), len(interactions)) == (["u"], 3)


def test_an_event_without_item_joins_but_is_no_interaction(store: DatasetStore) -> None:
    put_events(store, event("i1", 10), session="s1")
    put_events(store, event(None, 11, "Login"), user="u", session="s1")
    assert store.history("u").item_ids == ["i1"]
    assert len(store.training_data().interactions) == 1


def test_values_of_entities_must_fit_the_schema(store: DatasetStore) -> None:
    def put(properties: Any) -> None:
        store.put_entities("ITEMS", [{"itemId": "i", "properties": json.dumps(properties)}])

    put({"stock": "5", "price": 2, "isNew": True, "description": "x" * 25_000})
    items = store.entities("ITEMS")
    assert items is not None
    assert {name: items.columns[name][0] for name in ("STOCK", "PRICE", "IS_NEW", "GENRES")} == {
        "STOCK": 5,
        "PRICE": 2,
        "IS_NEW": 1,
        "GENRES": None,
    }
    assert len(items.columns["DESCRIPTION"][0]) == 20_000
    for properties, message in [
        ({"price": 2}, "STOCK cannot be null"),
        ({"stock": None}, "STOCK cannot be null"),
        ({"stock": ""}, "STOCK is '', not a whole number"),
        ({"stock": 1, "itemId": "i"}, "itemId is a member of the record"),
        ({"stock": 1, "isNew": "yes"}, "IS_NEW is 'yes', not true or false"),
        ({"stock": 1, "price": [1]}, "PRICE must be of type float"),
        ({"stock": 1, "creationTimestamp": 1e13}, "CREATION_TIMESTAMP is '10000000000000', which looks like milliseconds"),
    ]:
        with pytest.raises(InvalidInput, match=message):
            put(properties)


def test_each_change_of_entities_has_a_version(store: DatasetStore) -> None:
    def version() -> int:
        users = store.entities("USERS")
        assert users is not None
        return users.version

    versions = [version()]
    for age in (1, 2):
        store.put_entities("USERS", [{"userId": "u", "properties": json.dumps({"age": age})}])
        versions.append(version())
    store.delete_users(["u"])
    versions.append(version())
    assert versions == sorted(set(versions))
    assert version() == versions[-1]


@pytest.mark.parametrize("spelling", ["Taken", "NOT_TAKEN", "Not Taken", "viewed"])
def test_action_interactions_know_three_event_types(store: DatasetStore, spelling: str) -> None:
    def put(event_type: str) -> None:
        record = {"actionId": "a", "sessionId": "s", "userId": "u", "timestamp": 5.0, "eventType": event_type}
        store.put_action_interactions({"trackingId": "t", "actionInteractions": [record]}, 0)

    put(spelling)
    history = store.history("u", kind="ACTION_INTERACTIONS")
    assert (history.item_ids, history.event_types) == (["a"], [spelling])
    assert store.history("u").item_ids == []
    with pytest.raises(InvalidInput, match="Viewed, Taken or Not Taken"):
        put("Purchase")


def test_without_a_dataset_there_is_an_error(tmp_path: Path) -> None:
    store = DatasetStore(tmp_path, {})
    assert store.entities("ITEMS") is None
    with pytest.raises(InvalidInput, match="no dataset of type INTERACTIONS"):
        put_events(store, event())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=2)
)


@settings(deadline=None, max_examples=30)
@given(st.dictionaries(st.sampled_from(["numRatings", "device", "itemId", "eventValue", "DEVICE", "x"]), JSON))
def test_any_properties_are_stored_or_refused(tmp_path_factory: pytest.TempPathFactory, properties: Any) -> None:
    store = open_store(tmp_path_factory.mktemp("store"))
    try:
        put_events(store, event(properties=json.dumps(properties)), user="u")
    except InvalidInput:
        return
    interactions = store.training_data().interactions
    assert set(interactions.event_type_names) == {"View"}
    store.close()

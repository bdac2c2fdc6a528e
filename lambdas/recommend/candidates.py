"""The calls to Personalize and to the catalogue that an answer is made of."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from lambdas.recommend.api import Item
from lambdas.shared import clients

#: BatchGetItem takes this many keys (amazondynamodb/latest/APIReference/API_BatchGetItem.html).
CHUNK = 100

_pool = ThreadPoolExecutor(max_workers=5)
_deserialize = TypeDeserializer().deserialize


def recommendations(call: dict[str, Any]) -> tuple[list[Item], str]:
    """Items of GetRecommendations, best first, and the recommendation id."""
    answer = clients.personalize_runtime().get_recommendations(**call)
    return [to_item(entry) for entry in answer["itemList"]], answer["recommendationId"]


def ranking(call: dict[str, Any]) -> tuple[list[Item], str]:
    """The items of GetPersonalizedRanking, best first, and the recommendation id."""
    answer = clients.personalize_runtime().get_personalized_ranking(**call)
    return [to_item(entry) for entry in answer["personalizedRanking"]], answer["recommendationId"]


def to_item(entry: Any) -> Item:
    return Item(item_id=entry["itemId"], score=entry.get("score"), reason=entry.get("reason"))


def with_attributes(items: Sequence[Item]) -> list[Item]:
    """The same items with what the catalogue knows of them; an item that it does not know stays as it is."""
    keys = list(dict.fromkeys(item.item_id for item in items))
    chunks = [keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK)]
    known = {item_id: attributes for chunk in _pool.map(read_catalogue, chunks) for item_id, attributes in chunk}
    return [item.model_copy(update={"attributes": known.get(item.item_id, {})}) for item in items]


def read_catalogue(item_ids: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """Id and attributes of the items that are in the catalogue table; keys that it put off are asked for again."""
    table, found = os.environ["CATALOGUE_TABLE"], []
    waiting: Any = {table: {"Keys": [{"item_id": {"S": item_id}} for item_id in item_ids]}}
    while waiting:
        answer = clients.dynamodb().batch_get_item(RequestItems=waiting)
        found += answer["Responses"].get(table, [])
        waiting = answer["UnprocessedKeys"]
    return [(_deserialize(row["item_id"]), plain(_deserialize(row["attributes"]))) for row in found]


def plain(value: Any) -> Any:
    """DynamoDB's numbers as JSON has them."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value

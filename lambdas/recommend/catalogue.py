"""Item attributes from the catalogue table, kept in the function for a minute."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.recommend.budget import Budget, start
from lambdas.shared import clients
from lambdas.shared.observability import count, logger
from lambdas.shared.tables import READ_BATCH, deserialize, read_all

#: Seconds for which attributes may be old, and how many items are kept.
FRESH_SECONDS, MOST_ITEMS = 60.0, 20_000

Attributes = dict[str, Any]
#: When each item was read, and what was found; the one that was not asked for longest comes first.
_kept: OrderedDict[str, tuple[float, Attributes]] = OrderedDict()


def attributes(item_ids: Iterable[str], budget: Budget) -> dict[str, Attributes]:
    """What the catalogue knows of the items. When the table does not answer in time, what was known before, or nothing."""
    oldest = time.monotonic() - FRESH_SECONDS
    wanted = list(item_ids)
    missing = [item_id for item_id in wanted if (kept := _kept.get(item_id)) is None or kept[0] < oldest]
    if missing:
        fetch(missing, budget)
    found = {}
    for item_id in wanted:
        entry = _kept.get(item_id)
        if entry is not None:
            _kept.move_to_end(item_id)
            found[item_id] = entry[1]
    while len(_kept) > MOST_ITEMS:
        _kept.popitem(last=False)
    return found


def fetch(item_ids: Sequence[str], budget: Budget) -> None:
    """Read items into the cache, chunks side by side; an item that the table does not know is remembered as empty."""
    chunks = [item_ids[place : place + READ_BATCH] for place in range(0, len(item_ids), READ_BATCH)]
    for chunk, running in [(chunk, start(read, chunk)) for chunk in chunks]:
        try:
            found = budget.wait(running)
        except (TimeoutError, ClientError, BotoCoreError) as error:
            logger.warning("the catalogue did not answer", extra={"reason": repr(error)})
            count(CatalogueFailed=1)
            continue
        remember(chunk, found)


def keep(item_ids: Sequence[str]) -> None:
    """Read items into the cache ahead of a call that may need them. Raises ClientError or BotoCoreError."""
    remember(item_ids, read(item_ids))


def remember(item_ids: Sequence[str], found: dict[str, Attributes]) -> None:
    now = time.monotonic()
    _kept.update((item_id, (now, found.get(item_id, {}))) for item_id in item_ids)


def read(item_ids: Sequence[str]) -> dict[str, Attributes]:
    """The items that are in the table."""
    keys = [{"item_id": {"S": item_id}} for item_id in item_ids]
    rows = read_all(clients.prompt_dynamodb(), os.environ["CATALOGUE_TABLE"], keys)
    return {row["item_id"]["S"]: plain(deserialize(row["attributes"])) for row in rows}


def plain(value: Any) -> Any:
    """DynamoDB's numbers as JSON has them."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def forget() -> None:
    _kept.clear()

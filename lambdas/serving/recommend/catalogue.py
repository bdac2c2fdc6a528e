"""Item attributes from the catalogue table, kept in the function for a minute."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.aws import clients
from lambdas.aws.observability import cause, count, logger
from lambdas.aws.tables import READ_BATCH, deserialize, plain, read_all
from lambdas.serving.recommend.budget import Budget, start

#: Seconds for which attributes may be old, and how many items are kept.
FRESH_SECONDS, MOST_ITEMS = 60.0, 20_000

#: Seconds beyond its time budget that a worker's first answer waits for attributes: it makes its connections and knows nothing.
FIRST_GRACE = 2.0
#: For which items that a call may need are asked for ahead of it.
KEEP_SECONDS = 2.0

Attributes = dict[str, Any]
#: When each item was read, and what was found (None: the shop does not have it); what was not asked for longest comes first.
_kept: OrderedDict[str, tuple[float, Attributes | None]] = OrderedDict()
_has_waited = False


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of some items. Not `in_time`: the table did not answer, so that some are as of longer ago, or not known."""

    items: Mapping[str, Attributes | None]
    in_time: bool = True

    def attributes(self, item_id: str) -> Attributes:
        """None at all where nothing is known of the item."""
        return self.items.get(item_id) or {}

    def is_gone(self, item_id: str) -> bool:
        """Whether the table was asked and does not have the item."""
        return item_id in self.items and self.items[item_id] is None


def look_up(item_ids: Iterable[str], budget: Budget) -> Known:
    """What the catalogue knows of the items; when the table does not answer in time, what was known before."""
    oldest = time.monotonic() - FRESH_SECONDS
    wanted = list(dict.fromkeys(item_ids))  # DynamoDB refuses a call that names a key twice
    missing = [item_id for item_id in wanted if (kept := _kept.get(item_id)) is None or kept[0] < oldest]
    in_time = fetch(missing, budget) if missing else True
    found = {}
    for item_id in wanted:
        entry = _kept.get(item_id)
        if entry is not None:
            _kept.move_to_end(item_id)
            found[item_id] = entry[1]
    while len(_kept) > MOST_ITEMS:
        _kept.popitem(last=False)
    return Known(found, in_time)


def fetch(item_ids: Sequence[str], budget: Budget) -> bool:
    """Read items into the cache, chunks side by side; whether all came in time."""
    global _has_waited
    grace, _has_waited = 0.0 if _has_waited else FIRST_GRACE, True
    seconds = max(budget.deadline + grace - time.monotonic(), 0)  # no thread asks on for an answer that has been given
    chunks = [item_ids[place : place + READ_BATCH] for place in range(0, len(item_ids), READ_BATCH)]
    in_time = True
    for chunk, running in [(chunk, start(read, chunk, seconds)) for chunk in chunks]:
        try:
            found = budget.wait(running, grace=grace)
        except (TimeoutError, ClientError, BotoCoreError) as error:
            logger.warning("the catalogue did not answer", extra={"reason": cause(error)})
            count(CatalogueFailed=1)
            in_time = False
            continue
        remember(chunk, found)
    return in_time


def keep(item_ids: Sequence[str]) -> None:
    """Read items into the cache ahead of a call that may need them. Raises ClientError or BotoCoreError."""
    remember(item_ids, read(item_ids, KEEP_SECONDS))


def remember(item_ids: Sequence[str], found: dict[str, Attributes]) -> None:
    now = time.monotonic()
    _kept.update((item_id, (now, found.get(item_id))) for item_id in item_ids)


def read(item_ids: Sequence[str], seconds: float) -> dict[str, Attributes]:
    """The items that are in the table. Raises TimeoutError where it puts off some for so long."""
    keys = [{"item_id": {"S": item_id}} for item_id in item_ids]
    rows = read_all(clients.prompt_dynamodb(), os.environ["CATALOGUE_TABLE"], keys, seconds=seconds)
    return {row["item_id"]["S"]: plain(deserialize(row["attributes"])) for row in rows}


def forget() -> None:
    """Begin anew, as a new worker does."""
    global _has_waited
    _kept.clear()
    _has_waited = False

"""Item attributes from the catalogue table, kept in the worker for a minute."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.aws.cache import TimedCache
from lambdas.aws.observability import cause, count, logger
from lambdas.aws.tables import READ_BATCH, deserialize, read_all
from lambdas.serving.recommend.budget import Budget, start
from lambdas.stores import keys

if TYPE_CHECKING:
    from lambdas.aws.signed import SignedClient

#: Seconds for which attributes may be old, and how many items are kept.
FRESH_SECONDS, MOST_ITEMS = 60.0, 20_000

#: Seconds beyond its time budget that a worker's first answer waits for attributes: it makes its connections and knows nothing.
_FIRST_GRACE = 2.0
#: Seconds until a table that did not say whether it is empty is asked again.
_AGAIN_SECONDS = 5.0
#: Seconds for which items that a call may need are asked for ahead of it.
_KEEP_SECONDS = 2.0

Attributes = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Known:
    """The attributes of some items, None for an item that the shop does not have.

    Not `in_time`: the table did not answer, so that some are as of longer ago, or absent. `empty`: the table should have all
    items of the shop and has none of any, as after a restore, so that it says of no item whether the shop has it.
    """

    items: Mapping[str, Attributes | None]
    in_time: bool = True
    empty: bool = False

    @property
    def lacks_some(self) -> bool:
        return None in self.items.values()

    def attributes(self, item_id: str) -> Attributes:
        """Empty where nothing is known of the item."""
        return self.items.get(item_id) or {}

    def gone(self) -> set[str]:
        """The items for which the table was asked, and which it does not have."""
        return set() if self.empty else {item_id for item_id, attributes in self.items.items() if attributes is None}


class Catalogue:
    """The catalogue table, as one worker knows it."""

    def __init__(self, client: SignedClient, table: str) -> None:
        self._client, self._table = client, table
        self._kept = TimedCache[str, Attributes | None](FRESH_SECONDS, MOST_ITEMS)
        self._has_waited = False
        self._empty = TimedCache[str, bool](FRESH_SECONDS)

    def look_up(self, item_ids: Iterable[str], budget: Budget) -> Known:
        """What the catalogue knows of the items; when the table does not answer in time, what was known before."""
        wanted = dict.fromkeys(item_ids)  # DynamoDB refuses a call that names a key twice
        kept, now = self._kept.get_all(wanted), time.monotonic()
        known = {item_id: entry[0] for item_id, entry in kept.items()}
        missing = [item_id for item_id, entry in kept.items() if entry[1] <= now]
        if len(kept) < len(wanted):
            missing += [item_id for item_id in wanted if item_id not in kept]
        if not missing:
            return Known(known)
        found, in_time = self._fetch(missing, budget)
        return Known(known | found, in_time)

    def is_empty(self, budget: Budget) -> bool:
        """Whether the table has no item at all; without an answer in time, not as far as we know."""
        kept = self._empty.fresh(self._table)
        if kept is not None:
            return kept.value
        grace = _FIRST_GRACE if self._empty.get(self._table) is None else 0.0
        try:
            first = budget.wait(start(self._client.scan, TableName=self._table, Limit=1), grace=grace)
        except (TimeoutError, ClientError, BotoCoreError) as error:
            logger.warning("the catalogue did not say whether it is empty", extra={"reason": cause(error)})
            count(CatalogueFailed=1)
            return self._empty.put(self._table, value=False, seconds=_AGAIN_SECONDS)
        empty = not first["Items"] and "LastEvaluatedKey" not in first
        if empty:
            logger.error("the catalogue is empty: the next train run fills it", extra={"table": self._table})
        return self._empty.put(self._table, empty)

    def keep(self, item_ids: Sequence[str]) -> None:
        """Read items ahead of a call that may need them. Raises ClientError or BotoCoreError."""
        self._remember(item_ids, self._read(item_ids, _KEEP_SECONDS))

    def _fetch(self, item_ids: Sequence[str], budget: Budget) -> tuple[dict[str, Attributes | None], bool]:
        """Items from the table, chunks side by side; whether all came in time."""
        grace, self._has_waited = 0.0 if self._has_waited else _FIRST_GRACE, True
        seconds = max(budget.deadline + grace - time.monotonic(), 0)  # no thread asks on for an answer that has been given
        chunks = [item_ids[place : place + READ_BATCH] for place in range(0, len(item_ids), READ_BATCH)]
        found: dict[str, Attributes | None] = {}
        in_time = True
        for chunk, running in [(chunk, start(self._read, chunk, seconds)) for chunk in chunks]:
            try:
                rows = budget.wait(running, grace=grace)
            except (TimeoutError, ClientError, BotoCoreError) as error:
                logger.warning("the catalogue did not answer", extra={"reason": cause(error)})
                count(CatalogueFailed=1)
                in_time = False
                continue
            found |= self._remember(chunk, rows)
        return found, in_time

    def _remember(self, item_ids: Sequence[str], rows: Mapping[str, Attributes]) -> dict[str, Attributes | None]:
        return {item_id: self._kept.put(item_id, rows.get(item_id)) for item_id in item_ids}

    def _read(self, item_ids: Sequence[str], seconds: float) -> dict[str, Attributes]:
        """The items that are in the table. Raises TimeoutError where it puts off some for so long."""
        wanted = [keys.key(keys.CATALOGUE, item_id) for item_id in item_ids]
        rows = read_all(self._client, self._table, wanted, seconds=seconds)
        return {keys.partition_of(row, keys.CATALOGUE): deserialize(row["attributes"]) for row in rows}

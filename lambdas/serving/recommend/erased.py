"""Whether a user asked to be forgotten: looked up beside the campaign's call, and remembered for a short while."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING

from lambdas.aws.cache import TimedCache
from lambdas.serving.recommend.budget import start
from lambdas.stores import keys

if TYPE_CHECKING:
    from lambdas.aws.signed import SignedClient

#: Seconds for which an answer is cached, and for how many users.
FRESH_SECONDS, MOST_USERS = 30.0, 20_000


def _known(value: bool) -> Future[bool]:
    done = Future[bool]()
    done.set_result(value)
    return done


_KNOWN = {value: _known(value) for value in (True, False)}


class Erasures:
    """The deletion records of users, as one worker knows them."""

    def __init__(self, client: SignedClient, table: str) -> None:
        self._client, self._table = client, table
        self._kept = TimedCache[str, bool](FRESH_SECONDS, MOST_USERS)

    def look_up(self, user_id: str) -> Future[bool]:
        """Whether there is a deletion record of the user. The result may raise ClientError or BotoCoreError."""
        kept = self._kept.fresh(user_id)
        if kept is None:
            return start(self._read, user_id)
        return _KNOWN[kept.value]

    def _read(self, user_id: str) -> bool:
        key = keys.key(keys.ERASURES, user_id)
        answer = self._client.get_item(TableName=self._table, Key=key, ProjectionExpression="user_id")
        return self._kept.put(user_id, "Item" in answer)

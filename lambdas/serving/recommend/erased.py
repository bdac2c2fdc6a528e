"""Whether a user asked to be forgotten: looked up beside the campaign's call, and remembered for a short while."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from concurrent.futures import Future

from lambdas.aws import clients
from lambdas.serving.recommend.budget import start

#: Seconds for which an answer is believed, and how many users are remembered.
FRESH_SECONDS, MOST_USERS = 30.0, 20_000

_kept: OrderedDict[str, tuple[float, bool]] = OrderedDict()


def look_up(user_id: str) -> Future[bool]:
    """Whether there is a tombstone of the user. The result may raise ClientError or BotoCoreError."""
    until, erased = _kept.get(user_id, (0.0, False))
    if time.monotonic() >= until:
        return start(read, user_id)
    known = Future[bool]()
    known.set_result(erased)
    return known


def read(user_id: str) -> bool:
    key = {"user_id": {"S": user_id}}
    answer = clients.prompt_dynamodb().get_item(TableName=os.environ["ERASURES_TABLE"], Key=key, ProjectionExpression="user_id")
    erased = "Item" in answer
    _kept[user_id] = (time.monotonic() + FRESH_SECONDS, erased)
    while len(_kept) > MOST_USERS:
        _kept.popitem(last=False)
    return erased


def forget() -> None:
    _kept.clear()

"""Where candidates come from: campaigns of Personalize, lists made ahead of time, snapshots of popularity counts."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.recommend.breaker import breaker
from lambdas.recommend.budget import Budget, start
from lambdas.recommend.rules import Candidate
from lambdas.shared import clients
from lambdas.shared.batch_lists import BatchList, read_list
from lambdas.shared.observability import count, logger
from lambdas.shared.snapshots import read_snapshot

#: The share of the time budget that a campaign may take: the rest is for fallbacks.
CAMPAIGN_SHARE = 0.7
#: Seconds for which a snapshot may be old, and those before another attempt when it could not be read.
SNAPSHOT_SECONDS, RETRY_SECONDS = 300.0, 5.0

_snapshots: dict[str, tuple[float, list[str]]] = {}


class SourceFailed(Exception):
    """This source has nothing to give now; the message is for the log."""


def recommendations(call: dict[str, Any], source: str, budget: Budget) -> tuple[list[Candidate], str]:
    """GetRecommendations: candidates, best first, and the recommendation id. Raises SourceFailed."""
    answer = ask("get_recommendations", call, budget)
    return candidates(answer["itemList"], source), answer["recommendationId"]


def ranking(call: dict[str, Any], source: str, budget: Budget) -> tuple[list[Candidate], str]:
    """GetPersonalizedRanking: the given items, best first, and the recommendation id. Raises SourceFailed."""
    answer = ask("get_personalized_ranking", call, budget)
    return candidates(answer["personalizedRanking"], source), answer["recommendationId"]


def candidates(entries: Sequence[Any], source: str) -> list[Candidate]:
    return [Candidate(entry["itemId"], source, entry.get("score"), entry.get("reason")) for entry in entries]


def ask(operation: str, call: dict[str, Any], budget: Budget) -> Any:
    """One attempt; a campaign that keeps failing is not asked for a while. Raises SourceFailed."""
    circuit = breaker(call["campaignArn"])
    if not circuit.allows():
        raise SourceFailed("failed too often lately: not asked")
    running = start(getattr(clients.personalize_runtime(), operation), **call)
    try:
        answer = budget.wait(running, CAMPAIGN_SHARE)
    except (TimeoutError, ClientError, BotoCoreError) as error:
        refused = isinstance(error, ClientError) and error.response["Error"]["Code"] == "InvalidInputException"
        if not refused:
            circuit.failed()
        count(PersonalizeFailed=1)
        raise SourceFailed(repr(error)) from None
    circuit.succeeded()
    return answer


def batch_list(batch: str, key: str, budget: Budget) -> BatchList:
    """The current list of a user or an item. Raises SourceFailed."""
    try:
        found = budget.wait(start(read_list, batch, key))
    except (TimeoutError, ClientError, BotoCoreError) as error:
        count(BatchListsFailed=1)
        raise SourceFailed(repr(error)) from None
    if found is None:
        raise SourceFailed(f"the batch '{batch}' has no list for this call")
    return found


def snapshot(solution: str, budget: Budget) -> list[Candidate]:
    """The list of a popularity count, at most SNAPSHOT_SECONDS old unless it can't be read. Raises SourceFailed."""
    until, item_ids = _snapshots.get(solution, (0.0, []))
    now = time.monotonic()
    if now >= until:
        try:
            item_ids = budget.wait(start(read_snapshot, os.environ["DATA_BUCKET"], solution))
            _snapshots[solution] = (now + SNAPSHOT_SECONDS, item_ids)
        except (TimeoutError, ClientError, BotoCoreError) as error:
            logger.warning("the snapshot could not be read", extra={"solution": solution, "reason": repr(error)})
            _snapshots[solution] = (now + RETRY_SECONDS, item_ids)
    if not item_ids:
        raise SourceFailed(f"there is no snapshot of '{solution}' yet")
    return [Candidate(item_id, solution) for item_id in item_ids]


def forget() -> None:
    _snapshots.clear()

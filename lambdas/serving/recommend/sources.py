"""Where candidates come from: campaigns of Personalize, lists made ahead of time, snapshots of popularity counts."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.aws import clients
from lambdas.aws.observability import cause, count, logger
from lambdas.serving.recommend.breaker import breaker
from lambdas.serving.recommend.budget import Budget, start
from lambdas.serving.recommend.catalogue import keep
from lambdas.serving.recommend.rule_terms import Candidate
from lambdas.stores.batch_lists import BatchList, read_list
from lambdas.stores.snapshots import read_snapshot

if TYPE_CHECKING:
    from types_boto3_personalize_runtime import PersonalizeRuntimeClient

#: The share of the time budget that a campaign may take: the rest is for fallbacks.
CAMPAIGN_SHARE = 0.7
#: Seconds for which a snapshot may be old, and those before another attempt when it could not be read.
SNAPSHOT_SECONDS, RETRY_SECONDS = 300.0, 5.0


@dataclass
class Snapshot:
    """A snapshot in this worker: its list, when to look for a newer one, and the reading that is under way."""

    item_ids: list[str] = field(default_factory=list)
    until: float = 0.0
    loading: Future[None] | None = None


_snapshots: dict[str, Snapshot] = {}


class SourceFailed(Exception):
    """This source has nothing to give now; the message is for the log."""


def begin(seconds: float) -> Budget:
    """The time of an answer, which begins once there are clients: to make them takes a new worker longer than an answer may."""
    runtime(seconds)
    clients.prompt_dynamodb()
    clients.s3()
    return Budget(seconds)


def runtime(seconds: float) -> PersonalizeRuntimeClient:
    """The client for the campaigns of answers that may take so many seconds: it gives up after their share."""
    return clients.personalize_runtime(seconds * CAMPAIGN_SHARE)


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
    operate = getattr(runtime(budget.seconds), operation)
    try:
        answer = budget.call(operate, CAMPAIGN_SHARE, **call)
    except (TimeoutError, ClientError, BotoCoreError) as error:
        refused = isinstance(error, ClientError) and error.response["Error"]["Code"] == "InvalidInputException"
        if not refused:
            circuit.failed()
        count(PersonalizeFailed=1)
        raise SourceFailed(cause(error)) from None
    circuit.succeeded()
    return answer


def batch_list(batch: str, key: str, budget: Budget) -> BatchList:
    """The current list of a user or an item. Raises SourceFailed."""
    try:
        found = budget.wait(start(read_list, batch, key))
    except (TimeoutError, ClientError, BotoCoreError) as error:
        count(BatchListsFailed=1)
        raise SourceFailed(cause(error)) from None
    if found is None:
        raise SourceFailed(f"the batch '{batch}' has no list for this call")
    return found


def prepare(solution: str) -> None:
    """Begin to read a snapshot that is absent or too old, and its items' attributes: once a campaign stalls, it is too late."""
    kept = _snapshots.setdefault(solution, Snapshot())
    if time.monotonic() >= kept.until and (kept.loading is None or kept.loading.done()):
        kept.loading = start(load_snapshot, solution, kept)


def load_snapshot(solution: str, kept: Snapshot) -> None:
    try:
        kept.item_ids = read_snapshot(os.environ["DATA_BUCKET"], solution)
        kept.until = time.monotonic() + SNAPSHOT_SECONDS
        keep(kept.item_ids)
    except (ClientError, BotoCoreError) as error:
        logger.warning("the snapshot could not be read", extra={"solution": solution, "reason": cause(error)})
        kept.until = time.monotonic() + RETRY_SECONDS


def snapshot(solution: str, budget: Budget) -> list[Candidate]:
    """The list of a popularity count, the one before while a newer one is read. Raises SourceFailed."""
    prepare(solution)
    kept = _snapshots[solution]
    if not kept.item_ids and kept.loading is not None:
        try:
            budget.wait(kept.loading)
        except TimeoutError:
            raise SourceFailed(f"the snapshot of '{solution}' did not come in time") from None
    if not kept.item_ids:
        raise SourceFailed(f"there is no snapshot of '{solution}' yet")
    return [Candidate(item_id, solution) for item_id in kept.item_ids]


def forget() -> None:
    _snapshots.clear()

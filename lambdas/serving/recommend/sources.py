"""Where candidates come from: campaigns of Personalize, lists made ahead of time, snapshots of popularity counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.aws.cache import TimedCache
from lambdas.aws.observability import cause, count, logger
from lambdas.serving.recommend.breaker import Breaker
from lambdas.serving.recommend.budget import Budget, start
from lambdas.serving.recommend.rule_terms import Candidate
from lambdas.stores.batch_lists import BatchList, BatchLists
from lambdas.stores.snapshots import read_snapshot

if TYPE_CHECKING:
    from lambdas.aws.signed import SignedClient, SignedObjects

#: The share of the time budget that a campaign may take: the rest is for fallbacks.
CAMPAIGN_SHARE = 0.7
#: Seconds for which a snapshot may be old, and those before another attempt when it could not be read.
SNAPSHOT_SECONDS, RETRY_SECONDS = 300.0, 5.0


class SourceFailed(Exception):
    """This source has nothing to give now; the message is for the log."""


class Campaigns:
    """The campaigns of Personalize, and the circuit breaker of each."""

    def __init__(self, client: SignedClient) -> None:
        self.client = client
        self._breakers: dict[str, Breaker] = defaultdict(Breaker)

    def recommendations(self, call: dict[str, Any], source: str, budget: Budget) -> tuple[list[Candidate], str]:
        """GetRecommendations: candidates, best first, and the recommendation id. Raises SourceFailed."""
        answer = self._ask(self.client.get_recommendations, call, budget)
        return _candidates(answer["itemList"], source), answer["recommendationId"]

    def ranking(self, call: dict[str, Any], source: str, budget: Budget) -> tuple[list[Candidate], str]:
        """GetPersonalizedRanking: the given items, best first, and the recommendation id. Raises SourceFailed."""
        answer = self._ask(self.client.get_personalized_ranking, call, budget)
        return _candidates(answer["personalizedRanking"], source), answer["recommendationId"]

    def _ask(self, operate: Callable[..., Any], call: dict[str, Any], budget: Budget) -> Any:
        """One attempt; a campaign that keeps failing is not asked for a while. Raises SourceFailed."""
        circuit = self._breakers[call["campaignArn"]]
        if not circuit.allows():
            raise SourceFailed("the campaign failed several times in a row: not asked")
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


def _candidates(entries: Sequence[Any], source: str) -> list[Candidate]:
    return [Candidate(entry["itemId"], source, entry.get("score"), entry.get("reason")) for entry in entries]


def batch_list(lists: BatchLists, batch: str, key: str, budget: Budget) -> BatchList:
    """The current list of a user or an item. Raises SourceFailed."""
    try:
        found = budget.wait(start(lists.read, batch, key))
    except (TimeoutError, ClientError, BotoCoreError) as error:
        count(BatchListsFailed=1)
        raise SourceFailed(cause(error)) from None
    if found is None:
        raise SourceFailed(f"the batch '{batch}' has no list for this call")
    return found


class Snapshots:
    """The lists of popularity counts, as one worker knows them. `on_read` is called with the items of a list that came."""

    def __init__(self, objects: SignedObjects, bucket: str, on_read: Callable[[Sequence[str]], None]) -> None:
        self._objects, self._bucket, self._on_read = objects, bucket, on_read
        self._lists = TimedCache[str, list[str]](SNAPSHOT_SECONDS)
        self._loading: dict[str, Future[None]] = {}

    def prepare(self, solution: str) -> None:
        """Begin to read a snapshot that is absent or old, and its items' attributes: once a campaign stalls, it is too late."""
        loading = self._loading.get(solution)
        if self._lists.fresh(solution) is None and (loading is None or loading.done()):
            self._loading[solution] = start(self._load, solution)

    def candidates(self, solution: str, budget: Budget) -> list[Candidate]:
        """The list of a popularity count, the last one while a newer one is read. Raises SourceFailed."""
        self.prepare(solution)
        item_ids = self._item_ids(solution)
        if not item_ids and solution in self._loading:
            try:
                budget.wait(self._loading[solution])
            except TimeoutError:
                raise SourceFailed(f"the snapshot of '{solution}' did not come in time") from None
            item_ids = self._item_ids(solution)
        if not item_ids:
            raise SourceFailed(f"there is no snapshot of '{solution}' yet")
        return [Candidate(item_id, solution) for item_id in item_ids]

    def _item_ids(self, solution: str) -> list[str]:
        kept = self._lists.get(solution)
        return kept.value if kept else []

    def _load(self, solution: str) -> None:
        try:
            item_ids = self._lists.put(solution, read_snapshot(self._objects, self._bucket, solution))
            self._on_read(item_ids)
        except (ClientError, BotoCoreError) as error:
            logger.warning("the snapshot could not be read", extra={"solution": solution, "reason": cause(error)})
            self._lists.put(solution, self._item_ids(solution), RETRY_SECONDS)

"""GetRecommendations, GetPersonalizedRanking and GetActionRecommendations over a trained model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from localaws.personalize.datasets import DatasetStore
from localaws.personalize.filters import CompiledFilter
from localaws.personalize.recipes.model import Model


@dataclass(frozen=True)
class Promotion:
    """One promotion of a request: a share of the answer that comes from the items its filter lets through."""

    name: str
    percent: int
    filter: CompiledFilter | None = None
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Serving:
    """What a campaign (or recommender, or batch job) serves with.

    config: campaignConfig, recommenderConfig or batchInferenceJobConfig, as sent; may be empty.
    """

    model: Model
    store: DatasetStore
    config: Mapping[str, Any] = field(default_factory=dict)


def recommend(
    serving: Serving,
    request: Mapping[str, Any],
    *,
    compiled_filter: CompiledFilter | None = None,
    promotion: Promotion | None = None,
    now: float,
) -> dict[str, Any]:
    """The answer of GetRecommendations: {"itemList": [...], "recommendationId": "RID-..."}.

    request: the parsed request, its members named as in the service model (userId, itemId, numResults,
    context, filterValues, metadataColumns; ARNs are resolved by the caller: `compiled_filter` belongs to
    filterArn and was built over model.ranked_ids, `promotion` to promotions[0]).
    Raises InvalidInput for a missing input that the recipe needs, a wrong kind of recipe, bad filter values,
    numResults over 500 (50 with metadata), metadata that is not enabled.
    """
    raise NotImplementedError


def rank(
    serving: Serving, request: Mapping[str, Any], *, compiled_filter: CompiledFilter | None = None, now: float
) -> dict[str, Any]:
    """The answer of GetPersonalizedRanking: {"personalizedRanking": [...], "recommendationId": "RID-..."}."""
    raise NotImplementedError


def recommend_actions(
    serving: Serving, request: Mapping[str, Any], *, compiled_filter: CompiledFilter | None = None, now: float
) -> dict[str, Any]:
    """The answer of GetActionRecommendations: {"actionList": [...], "recommendationId": "RID-..."}."""
    raise NotImplementedError

"""GetRecommendations, GetPersonalizedRanking and GetActionRecommendations over a trained model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from personalize_emulator.errors import InvalidInput
from personalize_emulator.recipes.actions import ActionModel
from personalize_emulator.recipes.model import Query, Scores, best
from personalize_emulator.recipes.personalization import PersonalizationModel
from personalize_emulator.recipes.semantic import SemanticModel
from personalize_emulator.runtime.choice import Candidates, choose, promote, scored_subset, softmax
from personalize_emulator.runtime.serving import (
    Metadata,
    Promotion,
    Serving,
    model_of,
)
from personalize_rules.limits import MAX_RANKED_ITEMS, MAX_RECOMMENDATIONS

if TYPE_CHECKING:
    from personalize_emulator.filters import CompiledFilter

_DEFAULT_RESULTS = 25
_DEFAULT_ACTIONS = 5
_MAXIMUM_ACTIONS = 100
_RANKING = frozenset({"PERSONALIZED_RANKING"})
_RECOMMENDING = frozenset({"USER_PERSONALIZATION", "RELATED_ITEMS", "POPULAR_ITEMS"})


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
    context, filterValues, metadataColumns). ARNs are resolved by the caller: `compiled_filter` belongs to
    filterArn and was built over model.ranked_ids, `promotion` to promotions[0].
    Raises InvalidInput for a missing input that the recipe needs, a wrong kind of recipe, bad filter values,
    numResults over 500 (50 with metadata), metadata that is not enabled.
    """
    _check_operation(serving, "GetRecommendations", _RECOMMENDING)
    size = _size(request, _DEFAULT_RESULTS, MAX_RECOMMENDATIONS)
    metadata = Metadata(serving, request, size)
    if promotion is not None and not serving.recipe.promotions:
        raise InvalidInput(f"Promotions are not supported by the recipe {serving.recipe.name}.")
    query = serving.query(request, now)
    scores = _scores(serving, query)
    mask = serving.allowed(query, compiled_filter, request.get("filterValues", {}))
    allowed = np.array(mask) if mask is not None else np.ones(len(scores), bool)
    allowed[serving.dropped(query.history)] = False
    promoted = promote(serving, query, scores, promotion, size) if promotion is not None else []
    known = scored_subset(serving, scores)
    shares = softmax(known / np.float32(serving.model.temperature)) if serving.recipe.scores else None
    entries = []
    for chosen in choose(Candidates(serving, query, scores, known, allowed), size, promoted):
        entry: dict[str, Any] = {"itemId": serving.model.item_ids[chosen.item]}
        if shares is not None and chosen.scored:
            entry["score"] = float(shares[chosen.stands_for])
        if chosen.promotion:
            entry["promotionName"] = chosen.promotion
        if chosen.reason and serving.recipe.reasons:
            entry["reason"] = [chosen.reason]
        metadata.add_to(entry)
        entries.append(entry)
    return {"itemList": entries, "recommendationId": serving.recommendation_id()}


def rank(
    serving: Serving, request: Mapping[str, Any], *, compiled_filter: CompiledFilter | None = None, now: float
) -> dict[str, Any]:
    """The answer of GetPersonalizedRanking: {"personalizedRanking": [...], "recommendationId": "RID-..."}.

    Items without interactions at training come last, in their given order and without a score
    (docs: personalize/latest/dg/native-recipe-search.html). Items that a filter takes out are left out.
    """
    _check_operation(serving, "GetPersonalizedRanking", _RANKING)
    model = model_of(serving, "GetPersonalizedRanking", PersonalizationModel)
    given = list(dict.fromkeys(request["inputList"]))
    if len(given) > MAX_RANKED_ITEMS:
        raise InvalidInput(f"inputList has {len(given)} items; at most {MAX_RANKED_ITEMS} are allowed.")
    metadata = Metadata(serving, request, len(given))
    query = serving.query(request, now)
    if compiled_filter is not None:
        given = _let_through(serving, query, compiled_filter, request.get("filterValues", {}), given)
    counts = model.arrays["counts"]
    known = [item for item in given if item in model.index and counts[model.index[item]] > 0]
    scores = model.scores(query)[[model.index[item] for item in known]]
    shares = softmax(scores / np.float32(model.temperature))
    ranking: list[dict[str, Any]] = [
        {"itemId": known[place], "score": float(shares[place])} for place in np.argsort(-scores, kind="stable")
    ]
    ranked = set(known)
    ranking += [{"itemId": item} for item in given if item not in ranked]
    for entry in ranking:
        metadata.add_to(entry)
    return {"personalizedRanking": ranking, "recommendationId": serving.recommendation_id()}


def recommend_actions(
    serving: Serving, request: Mapping[str, Any], *, compiled_filter: CompiledFilter | None = None, now: float
) -> dict[str, Any]:
    """The answer of GetActionRecommendations: {"actionList": [...], "recommendationId": "RID-..."}.

    A score is the probability that the user takes the action. Expired actions, and those that the user took
    within REPEAT_FREQUENCY days, are left out.
    """
    model = model_of(serving, "GetActionRecommendations", ActionModel)
    size = _size(request, _DEFAULT_ACTIONS, _MAXIMUM_ACTIONS)
    query = serving.query(request, now)
    scores = model.scores(query)
    mask = serving.allowed(query, compiled_filter, request.get("filterValues", {}))
    available = model.available(serving.store.history(request["userId"], kind="ACTION_INTERACTIONS"), now)
    ranked = np.where(available if mask is None else available & mask, scores, -np.inf)
    actions = [{"actionId": model.ranked_ids[place], "score": float(scores[place])} for place in best(ranked, size)]
    return {"actionList": actions, "recommendationId": serving.recommendation_id()}


def _let_through(
    serving: Serving, query: Query, compiled: CompiledFilter, values: Mapping[str, str], given: list[str]
) -> list[str]:
    """The given items that pass a filter; those that the model does not know are checked by a filter of their own."""
    index = serving.model.index
    mask = serving.allowed(query, compiled, values)
    passing = {item for item in given if item in index and mask is not None and mask[index[item]]}
    unknown = [item for item in given if item not in index]
    if unknown:
        others = type(compiled)(compiled.filter, unknown, serving.store.entities("ITEMS"), serving.store)
        known = others.mask(values, query.user_id, query.item_id)
        passing.update(item for item, passes in zip(unknown, known, strict=True) if passes)
    return [item for item in given if item in passing]


def _scores(serving: Serving, query: Query) -> Scores:
    if isinstance(serving.model, SemanticModel):
        return serving.model.influenced(query, serving.config.get("rankingInfluence") or {})
    return np.asarray(serving.model.scores(query), np.float32)


def _check_operation(serving: Serving, operation: str, types: frozenset[str]) -> None:
    if serving.recipe.type not in types:
        raise InvalidInput(f"{operation} is not supported by the recipe {serving.recipe.name} ({serving.recipe.type}).")


def _size(request: Mapping[str, Any], default: int, maximum: int) -> int:
    size = int(request.get("numResults", default))
    if not 0 <= size <= maximum:
        raise InvalidInput(f"numResults is {size}; it must be between 0 and {maximum}.")
    return size

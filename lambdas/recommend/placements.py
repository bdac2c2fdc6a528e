"""Answers for a placement: which campaign, which filter, what the call needs."""

from __future__ import annotations

from typing import Any

from lambdas.recommend.api import Answer, BadRequest, RankingRequest, RecommendationRequest
from lambdas.recommend.candidates import ranking, recommendations, with_attributes
from lambdas.recommend.filters import filter_values
from lambdas.shared.config import Config, Placement
from lambdas.shared.deployment import Deployment, NotDeployed
from lambdas.shared.recipes import RECIPES


class NoSuchPlacement(Exception):
    """The config has no placement of that name."""


def recommend(config: Config, deployed: Deployment, name: str, request: RecommendationRequest) -> Answer:
    """Recommendations for one placement. Raises NoSuchPlacement, BadRequest, NotDeployed."""
    placement = find(config, name)
    recipe = RECIPES[config.solutions[placement.solution].recipe]
    if recipe.type == "PERSONALIZED_RANKING":
        raise BadRequest("placement", f"'{name}' ranks given items: call POST /rankings/{name}")
    if recipe.type == "USER_PERSONALIZATION" and request.user_id is None:
        raise BadRequest("user_id", "is required for this placement")
    if recipe.type == "RELATED_ITEMS" and request.item_id is None:
        raise BadRequest("item_id", "is required for this placement")
    wanted = request.num_results or placement.num_results
    call = campaign_call(config, deployed, placement, request) | {"numResults": wanted}
    if request.item_id is not None:
        call["itemId"] = request.item_id
    items, recommendation_id = recommendations(call)
    return Answer(
        placement=name,
        recommendation_id=recommendation_id,
        source=placement.solution,
        items=with_attributes(items),
        requested=wanted,
        returned=len(items),
    )


def rank(config: Config, deployed: Deployment, name: str, request: RankingRequest) -> Answer:
    """The given items in the order that suits the user. Raises NoSuchPlacement, BadRequest, NotDeployed."""
    placement = find(config, name)
    if RECIPES[config.solutions[placement.solution].recipe].type != "PERSONALIZED_RANKING":
        raise BadRequest("placement", f"'{name}' does not rank: call GET /recommendations/{name}")
    call = campaign_call(config, deployed, placement, request) | {"inputList": request.item_ids}
    items, recommendation_id = ranking(call)
    kept = {item.item_id for item in items}
    return Answer(
        placement=name,
        recommendation_id=recommendation_id,
        source=placement.solution,
        items=with_attributes(items),
        requested=len(request.item_ids),
        returned=len(items),
        filtered=[item_id for item_id in request.item_ids if item_id not in kept],
    )


def find(config: Config, name: str) -> Placement:
    if name not in config.placements:
        raise NoSuchPlacement(f"there is no placement '{name}' (there are: {', '.join(config.placements)})")
    return config.placements[name]


def campaign_call(
    config: Config, deployed: Deployment, placement: Placement, request: RecommendationRequest | RankingRequest
) -> dict[str, Any]:
    """The parameters that both calls to the campaign have in common."""
    if placement.solution not in deployed.campaigns:
        raise NotDeployed(f"the campaign of solution '{placement.solution}' is not deployed yet")
    call: dict[str, Any] = {"campaignArn": deployed.campaigns[placement.solution]}
    if request.user_id is not None:
        call["userId"] = request.user_id
    if request.context:
        call["context"] = request.context
    expression = config.filters[placement.filter] if placement.filter else ""
    values = filter_values(expression, request.filter_values)
    if placement.filter:
        if placement.filter not in deployed.filters:
            raise NotDeployed(f"the filter '{placement.filter}' is not deployed yet")
        call["filterArn"] = deployed.filters[placement.filter]
    if values:
        call["filterValues"] = values
    return call

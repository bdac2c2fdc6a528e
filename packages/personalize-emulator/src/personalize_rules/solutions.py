"""What a solution may ask of its training, and a campaign of its answers.

docs: personalize/latest/dg/API_CreateSolution.html, API_SolutionConfig.html, API_CampaignConfig.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast, get_args

from personalize_rules.recipes import HyperParameter, Recipe
from personalize_rules.schemas import Kind, Schema

DEFAULT_SCHEDULE = "rate(7 days)"
Schemas = Mapping[Kind, Schema]

_EXPLORATION = {"explorationWeight": (0.0, 1.0), "explorationItemAgeCutOff": (1.0, float("inf"))}
_SCHEDULE = re.compile(r"rate\(([0-9]+) days?\)")


class Refusal(NamedTuple):
    """A member of a request that breaks a rule: `solutionConfig.eventsConfig`, `is not supported by recipe aws-sims`."""

    member: str
    rule: str

    def __str__(self) -> str:
        return f"{self.member} {self.rule}"


def check_solution(request: Mapping[str, Any], recipe: Recipe | None, schemas: Schemas) -> Iterator[Refusal]:
    """What CreateSolution refuses of a request for a recipe; for None with performAutoML."""
    config = request.get("solutionConfig", {})
    yield from _check_number(config.get("eventValueThreshold"), "solutionConfig.eventValueThreshold")
    yield from check_schedule(config.get("autoTrainingConfig", {}).get("schedulingExpression", DEFAULT_SCHEDULE))
    if recipe is None:
        return
    if recipe.domain:
        yield Refusal("recipeArn:", f"{recipe.name} is a use case of a domain; create a recommender for it")
    yield from _check_hyperparameters(config, recipe, bool(request.get("performHPO")))
    yield from check_events_config(config.get("eventsConfig"), recipe)
    yield from _check_objective(config.get("optimizationObjective"), recipe, schemas)
    yield from check_excluded_columns(config.get("trainingDataConfig"), schemas)


def check_schedule(expression: str) -> Iterator[Refusal]:
    days = schedule_days(expression)
    if days is None or not 1 <= days <= 30:
        yield Refusal("autoTrainingConfig.schedulingExpression", f"must be rate(1 day) to rate(30 days): {expression}")


def schedule_days(expression: str) -> int | None:
    """The days of rate(N days)."""
    match = _SCHEDULE.fullmatch(expression)
    return int(match[1]) if match else None


def check_events_config(events: Mapping[str, Any] | None, recipe: Recipe) -> Iterator[Refusal]:
    """docs: personalize/latest/dg/optimizing-solution-events-config.html"""
    if events is None:
        return
    member = "solutionConfig.eventsConfig"
    if not recipe.events_config:
        yield Refusal(member, f"is not supported by recipe {recipe.name}")
    types = [p.get("eventType") for p in events.get("eventParametersList", [])]
    if len(set(types)) < len(types):
        yield Refusal(f"{member}.eventParametersList", "names an eventType twice")


def check_exploration(config: Mapping[str, str] | None, recipe: Recipe, member: str) -> Iterator[Refusal]:
    """docs: personalize/latest/dg/native-recipe-new-item-USER_PERSONALIZATION.html"""
    if not config:
        return
    if not recipe.exploration:
        # Guess: a recipe that has no such setting refuses itemExplorationConfig (User-Personalization-v2 explores by itself).
        yield Refusal(member, f"is not supported by recipe {recipe.name}")
        return
    for name, value in config.items():
        if name not in _EXPLORATION:
            yield Refusal(member, f"has {', '.join(_EXPLORATION)}, not '{name}'")
        else:
            yield from _check_number(value, f"{member}.{name}", *_EXPLORATION[name])


def check_campaign_config(config: Mapping[str, Any], recipe: Recipe, schemas: Schemas) -> Iterator[Refusal]:
    """What CreateCampaign and UpdateCampaign refuse of a campaignConfig. docs: personalize/latest/dg/campaigns.html"""
    if not recipe.campaign:
        yield Refusal("solutionVersionArn:", f"recipe {recipe.name} is for batch segment jobs only")
    yield from check_exploration(config.get("itemExplorationConfig"), recipe, "campaignConfig.itemExplorationConfig")
    if "rankingInfluence" in config and recipe.family != "semantic":
        yield Refusal("campaignConfig.rankingInfluence", f"is not supported by recipe {recipe.name}")
    yield from check_metadata(config, recipe, schemas)


def check_metadata(config: Mapping[str, Any], recipe: Recipe, schemas: Schemas) -> Iterator[Refusal]:
    if not config.get("enableMetadataWithRecommendations"):
        return
    if recipe.type == "PERSONALIZED_ACTIONS":
        yield Refusal("enableMetadataWithRecommendations", f"is not supported by recipe {recipe.name}")
    elif "ITEMS" not in schemas or not schemas["ITEMS"].metadata:
        yield Refusal("enableMetadataWithRecommendations", "needs an Items dataset with a metadata column")


def check_excluded_columns(config: Mapping[str, Any] | None, schemas: Schemas) -> Iterator[Refusal]:
    """docs: personalize/latest/dg/custom-config-columns.html"""
    for member, name, columns in _named_columns(config):
        path, kind = f"trainingDataConfig.{member}:", _kind(name)
        if kind is None or (schemas and kind not in schemas):
            yield Refusal(path, f"there is no dataset of type {name}")
        elif kind in schemas:
            schema = schemas[kind]
            unknown = [column for column in columns if schema.field(column) is None]
            if unknown:
                yield Refusal(path, f"{kind} has no column {unknown[0]}")
            fixed = {field.name for field in _fields(schema, columns) if field.name == "EVENT_TYPE" or schema.is_required(field)}
            if fixed and member == "excludedDatasetColumns":
                yield Refusal(path, f"{', '.join(sorted(fixed))} cannot be excluded")


def excluded_columns(config: Mapping[str, Any] | None, schemas: Schemas) -> dict[Kind, frozenset[str]]:
    """The columns that training leaves out, by dataset type, of a config that keeps the rules."""
    excluded: dict[Kind, frozenset[str]] = {}
    for member, name, columns in _named_columns(config):
        kind = _kind(name)
        if kind is not None and kind in schemas:
            named = frozenset(field.name for field in _fields(schemas[kind], columns))
            others = frozenset(field.name for field in schemas[kind].metadata) - named
            excluded[kind] = named if member == "excludedDatasetColumns" else others
    return excluded


def _check_number(
    text: str | None, member: str, low: float = -float("inf"), high: float = float("inf"), *, whole: bool = False
) -> Iterator[Refusal]:
    if text is None:
        return
    try:
        value = float(int(text) if whole else text)
    except ValueError:
        yield Refusal(member, f"must be a {'whole ' if whole else ''}number, not '{text}'")
        return
    if not low <= value <= high:
        yield Refusal(member, f"must be from {low:g} to {high:g}, not {text}")


def _named_columns(config: Mapping[str, Any] | None) -> Iterator[tuple[str, str, list[str]]]:
    for member in ("excludedDatasetColumns", "includedDatasetColumns"):
        for name, columns in (config or {}).get(member, {}).items():
            yield member, name, columns


def _kind(name: str) -> Kind | None:
    return cast(Kind, name.upper()) if name.upper() in get_args(Kind) else None


def _fields(schema: Schema, columns: list[str]) -> list[Any]:
    return [field for column in columns if (field := schema.field(column)) is not None]


def _check_hyperparameters(config: Mapping[str, Any], recipe: Recipe, tune: bool) -> Iterator[Refusal]:
    """docs: personalize/latest/dg/customizing-solution-config-hpo.html and the native-recipe-* pages"""
    for member, known in (
        ("algorithmHyperParameters", recipe.hyperparameters),
        ("featureTransformationParameters", recipe.feature_parameters),
    ):
        parameters = {p.name: p for p in known}
        for name, value in config.get(member, {}).items():
            if name not in parameters:
                # Guess: a parameter that the recipe does not have is refused.
                yield Refusal(f"solutionConfig.{member}.{name}", f"is no parameter of recipe {recipe.name}")
            else:
                yield from _check_hyperparameter(parameters[name], value, f"solutionConfig.{member}.{name}")
    if tune and not recipe.hpo:
        yield Refusal("performHPO", f"is not supported by recipe {recipe.name}")
    tunable = {p.name for p in recipe.hyperparameters if p.tunable}
    for ranges in config.get("hpoConfig", {}).get("algorithmHyperParameterRanges", {}).values():
        for entry in ranges:
            if entry.get("name") not in tunable:
                yield Refusal("solutionConfig.hpoConfig:", f"{entry.get('name')} is not tunable in {recipe.name}")


def _check_hyperparameter(parameter: HyperParameter, value: str, member: str) -> Iterator[Refusal]:
    if parameter.kind == "categorical":
        if value not in parameter.values:
            yield Refusal(member, f"must be one of {', '.join(parameter.values)}, not '{value}'")
    else:
        yield from _check_number(value, member, parameter.minimum, parameter.maximum, whole=parameter.kind == "integer")


def _check_objective(objective: Mapping[str, Any] | None, recipe: Recipe, schemas: Schemas) -> Iterator[Refusal]:
    """docs: personalize/latest/dg/optimizing-solution-for-objective.html"""
    if objective is None:
        return
    member = "solutionConfig.optimizationObjective"
    if not recipe.objective:
        yield Refusal(member, f"is not supported by recipe {recipe.name}")
    attribute = objective.get("itemAttribute")
    if attribute is None:
        yield Refusal(f"{member}.itemAttribute", "is missing")
    elif "ITEMS" in schemas:
        found = schemas["ITEMS"].field(attribute)
        if found is None or not found.is_number:
            yield Refusal(f"{member}.itemAttribute:", f"{attribute} is no numeric column of Items")

"""Checks of what a solution asks of its training, and its translation for the training itself.

docs: personalize/latest/dg/API_SolutionConfig.html
"""

import re
from collections.abc import Mapping
from typing import Any, get_args

from personalize_emulator.errors import InvalidInput, ResourceNotFound
from personalize_emulator.recipes import RECIPES, HyperParameter, Recipe, recipe_of
from personalize_emulator.schemas import Kind, Schema

AUTOML_RECIPES = ("aws-user-personalization", "aws-popularity-count")
DEFAULT_SCHEDULE = "rate(7 days)"
_EXPLORATION_LIMITS = {"explorationWeight": (0.0, 1.0), "explorationItemAgeCutOff": (1.0, float("inf"))}
Schemas = Mapping[Kind, Schema]


def find_recipe(arn: str) -> Recipe:
    """Raises ResourceNotFound."""
    recipe = recipe_of(arn) if ":recipe/" in arn else None
    if recipe is None:
        raise ResourceNotFound(f"Resource Arn {arn} does not exist.")
    return recipe


def check_solution(request: Mapping[str, Any], schemas: Schemas) -> None:
    """What CreateSolution refuses.

    Raises InvalidInput that names the member, ResourceNotFound for an unknown recipe.
    """
    config = request.get("solutionConfig", {})
    _check_number(config.get("eventValueThreshold"), "solutionConfig.eventValueThreshold")
    schedule_days(config.get("autoTrainingConfig", {}).get("schedulingExpression", DEFAULT_SCHEDULE))
    if request.get("performAutoML"):
        if "recipeArn" in request:
            raise InvalidInput("recipeArn must not be given together with performAutoML")
        for arn in config.get("autoMLConfig", {}).get("recipeList", []):
            find_recipe(arn)
        return
    if "recipeArn" not in request:
        raise InvalidInput("recipeArn must be given unless performAutoML is true")
    recipe = find_recipe(request["recipeArn"])
    if recipe.domain:
        raise InvalidInput(f"recipeArn: {recipe.name} is a use case of a domain; create a recommender for it")
    _check_hyperparameters(config, recipe, bool(request.get("performHPO")))
    check_events_config(config.get("eventsConfig"), recipe)
    _check_objective(config.get("optimizationObjective"), recipe, schemas)
    excluded_columns(config.get("trainingDataConfig"), schemas)


def schedule_days(expression: str) -> int:
    """The days of rate(N days).

    Raises InvalidInput unless they are 1 to 30.
    """
    match = re.fullmatch(r"rate\((\d+) days?\)", expression)
    if not match or not 1 <= int(match[1]) <= 30:
        raise InvalidInput(f"autoTrainingConfig.schedulingExpression must be rate(1 day) to rate(30 days): {expression}")
    return int(match[1])


def check_events_config(events: Mapping[str, Any] | None, recipe: Recipe) -> None:
    """docs: personalize/latest/dg/optimizing-solution-events-config.html"""
    if events is None:
        return
    if not recipe.events_config:
        raise InvalidInput(f"solutionConfig.eventsConfig is not supported by recipe {recipe.name}")
    types = [p.get("eventType") for p in events.get("eventParametersList", [])]
    if len(set(types)) < len(types):
        raise InvalidInput("solutionConfig.eventsConfig.eventParametersList names an eventType twice")


def check_exploration(config: Mapping[str, str] | None, recipe: Recipe, member: str) -> None:
    """docs: personalize/latest/dg/native-recipe-new-item-USER_PERSONALIZATION.html"""
    if not config:
        return
    if not recipe.exploration:
        raise InvalidInput(f"{member} is not supported by recipe {recipe.name}")
    for name, value in config.items():
        if name not in _EXPLORATION_LIMITS:
            raise InvalidInput(f"{member} has {', '.join(_EXPLORATION_LIMITS)}, not '{name}'")
        low, high = _EXPLORATION_LIMITS[name]
        _check_number(value, f"{member}.{name}", low, high)


def excluded_columns(config: Mapping[str, Any] | None, schemas: Schemas) -> dict[Kind, frozenset[str]]:
    """The columns that training leaves out, by dataset type.

    Raises InvalidInput for a column that is not in the schema or cannot be left out.
    """
    config = config or {}
    excluded: dict[Kind, frozenset[str]] = {}
    for member in ("excludedDatasetColumns", "includedDatasetColumns"):
        for name, columns in config.get(member, {}).items():
            kind = next((k for k in get_args(Kind) if k == name.upper()), None)
            if kind is None or (schemas and kind not in schemas):
                raise InvalidInput(f"trainingDataConfig.{member}: there is no dataset of type {name}")
            if kind in schemas:
                excluded[kind] = _excluded(schemas[kind], columns, member)
    return excluded


def _excluded(schema: Schema, columns: list[str], member: str) -> frozenset[str]:
    named = set()
    for column in columns:
        found = schema.field(column)
        if found is None:
            raise InvalidInput(f"trainingDataConfig.{member}: {schema.kind} has no column {column}")
        named.add(found.name)
    if member == "includedDatasetColumns":
        return frozenset(f.name for f in schema.metadata if f.name not in named)
    fixed = named & ({"EVENT_TYPE"} | {f.name for f in schema.fields if schema.is_required(f)})
    if fixed:
        raise InvalidInput(f"trainingDataConfig.{member}: {', '.join(sorted(fixed))} cannot be excluded")
    return frozenset(named)


def training_options(
    recipe: str, solution: Mapping[str, Any], schemas: Schemas, *, tune: bool = False
) -> tuple[dict[str, Any], dict[str, str]]:
    """The keyword arguments of TrainingOptions as JSON, and the hyperparameters that tuning would report."""
    config = solution.get("solutionConfig", {})
    chosen = {**config.get("algorithmHyperParameters", {}), **config.get("featureTransformationParameters", {})}
    tuned = _tuned(config.get("hpoConfig", {}), RECIPES[recipe]) if tune else {}
    threshold = config.get("eventValueThreshold")
    excluded = excluded_columns(config.get("trainingDataConfig"), schemas)
    options = {
        "recipe": recipe,
        "event_type": solution.get("eventType"),
        "event_value_threshold": float(threshold) if threshold else None,
        "events_config": config.get("eventsConfig", {}).get("eventParametersList"),
        "hyperparameters": {**RECIPES[recipe].defaults, **chosen, **tuned},
        "excluded_columns": {kind: sorted(columns) for kind, columns in excluded.items()},
        "optimization_objective": config.get("optimizationObjective"),
    }
    return options, tuned


def _tuned(hpo: Mapping[str, Any], recipe: Recipe) -> dict[str, str]:
    """What a hyperparameter search answers here: the default of each tunable one, moved into its range."""
    ranges = hpo.get("algorithmHyperParameterRanges", {})
    tuned = {p.name: p.default for p in recipe.hyperparameters if p.tunable}
    for member in ("integerHyperParameterRanges", "continuousHyperParameterRanges"):
        for r in ranges.get(member, []):
            value = min(max(float(tuned[r["name"]]), r.get("minValue", 0)), r.get("maxValue", float("inf")))
            tuned[r["name"]] = str(int(value)) if member.startswith("integer") else str(value)
    for r in ranges.get("categoricalHyperParameterRanges", []):
        if r.get("values") and tuned[r["name"]] not in r["values"]:
            tuned[r["name"]] = r["values"][0]
    return tuned


def _check_hyperparameters(config: Mapping[str, Any], recipe: Recipe, tune: bool) -> None:
    for member, known in (
        ("algorithmHyperParameters", recipe.hyperparameters),
        ("featureTransformationParameters", recipe.feature_parameters),
    ):
        parameters = {p.name: p for p in known}
        for name, value in config.get(member, {}).items():
            if name not in parameters:
                raise InvalidInput(f"solutionConfig.{member}: recipe {recipe.name} has no parameter {name}")
            _check_hyperparameter(parameters[name], value, f"solutionConfig.{member}.{name}")
    if tune and not recipe.hpo:
        raise InvalidInput(f"performHPO is not supported by recipe {recipe.name}")
    tunable = {p.name for p in recipe.hyperparameters if p.tunable}
    for ranges in config.get("hpoConfig", {}).get("algorithmHyperParameterRanges", {}).values():
        for entry in ranges:
            if entry.get("name") not in tunable:
                raise InvalidInput(f"solutionConfig.hpoConfig: {entry.get('name')} is not tunable in {recipe.name}")


def _check_hyperparameter(parameter: HyperParameter, value: str, member: str) -> None:
    if parameter.kind == "categorical":
        if value not in parameter.values:
            raise InvalidInput(f"{member} must be one of {', '.join(parameter.values)}, not '{value}'")
    else:
        _check_number(value, member, parameter.minimum, parameter.maximum, whole=parameter.kind == "integer")


def _check_number(
    text: str | None, member: str, low: float = -float("inf"), high: float = float("inf"), *, whole: bool = False
) -> None:
    if text is None:
        return
    try:
        value = float(int(text) if whole else text)
    except ValueError:
        raise InvalidInput(f"{member} must be a {'whole ' if whole else ''}number, not '{text}'") from None
    if not low <= value <= high:
        raise InvalidInput(f"{member} must be from {low:g} to {high:g}, not {text}")


def _check_objective(objective: Mapping[str, Any] | None, recipe: Recipe, schemas: Schemas) -> None:
    if objective is None:
        return
    if not recipe.objective:
        raise InvalidInput(f"solutionConfig.optimizationObjective is not supported by recipe {recipe.name}")
    attribute = objective.get("itemAttribute")
    if attribute is None:
        raise InvalidInput("solutionConfig.optimizationObjective.itemAttribute is missing")
    if "ITEMS" in schemas:
        found = schemas["ITEMS"].field(attribute)
        if found is None or not found.is_number:
            raise InvalidInput(f"solutionConfig.optimizationObjective.itemAttribute: {attribute} is no numeric column of Items")

"""What a solution asks of its training, as the training takes it. What it may ask is in personalize_rules.solutions."""

from collections.abc import Iterator, Mapping
from typing import Any

from personalize_emulator.errors import InvalidInput, ResourceNotFound
from personalize_rules.recipes import RECIPES, Recipe, recipe_of
from personalize_rules.solutions import Refusal, Schemas, check_solution, excluded_columns

AUTOML_RECIPES = ("aws-user-personalization", "aws-popularity-count")


def find_recipe(arn: str) -> Recipe:
    """Raises ResourceNotFound."""
    recipe = recipe_of(arn) if ":recipe/" in arn else None
    if recipe is None:
        raise ResourceNotFound(f"Resource Arn {arn} does not exist.")
    return recipe


def refuse(refusals: Iterator[Refusal]) -> None:
    """Raises InvalidInput for the first of them, if there is any."""
    for refusal in refusals:
        raise InvalidInput(str(refusal))


def check_create_solution(request: Mapping[str, Any], schemas: Schemas) -> None:
    """What CreateSolution refuses.

    Raises InvalidInput that names the member, ResourceNotFound for an unknown recipe.
    """
    if request.get("performAutoML"):
        if "recipeArn" in request:
            raise InvalidInput("recipeArn must not be given together with performAutoML")
        for arn in request.get("solutionConfig", {}).get("autoMLConfig", {}).get("recipeList", []):
            find_recipe(arn)
    elif "recipeArn" not in request:
        raise InvalidInput("recipeArn must be given unless performAutoML is true")
    recipe = find_recipe(request["recipeArn"]) if "recipeArn" in request else None
    refuse(check_solution(request, recipe, schemas))


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

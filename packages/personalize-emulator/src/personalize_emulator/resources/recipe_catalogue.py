"""What the service itself owns: recipes, algorithms, feature transformations."""

from collections.abc import Mapping
from typing import Any

from personalize_emulator.errors import ResourceNotFound
from personalize_emulator.resources.context import Operation, Request
from personalize_emulator.resources.reading import page
from personalize_emulator.resources.solution_config import find_recipe
from personalize_rules.recipes import RECIPES, HyperParameter, Recipe

_PUBLISHED = 1_577_836_800.0  # recipes carry a date of their own; one stands for all: 2020-01-01


def recipe_operations() -> dict[str, Operation]:
    """The operations of this module by their API names."""
    return {
        "ListRecipes": list_recipes,
        "DescribeRecipe": describe_recipe,
        "DescribeAlgorithm": describe_algorithm,
        "DescribeFeatureTransformation": describe_feature_transformation,
    }


def list_recipes(request: Request) -> dict[str, Any]:
    domain = request.get("domain")
    listed = [_shown(recipe) for recipe in RECIPES.values() if domain in (None, recipe.domain)]
    return page("recipes", listed, request, "recipeArn")


def describe_recipe(request: Request) -> dict[str, Any]:
    recipe = find_recipe(request["recipeArn"])
    return {
        "recipe": _shown(recipe)
        | {
            "algorithmArn": recipe.algorithm_arn,
            "featureTransformationArn": recipe.feature_transformation_arn,
            "description": recipe.description,
            "recipeType": recipe.type,
        }
    }


def describe_algorithm(request: Request) -> dict[str, Any]:
    arn = request["algorithmArn"]
    recipe = next((r for r in RECIPES.values() if r.algorithm_arn == arn), None)
    if recipe is None:
        raise ResourceNotFound(f"Resource Arn {arn} does not exist.")
    return {
        "algorithm": {
            "name": recipe.algorithm,
            "algorithmArn": arn,
            "defaultHyperParameters": {p.name: p.default for p in recipe.hyperparameters},
            "defaultHyperParameterRanges": _ranges(recipe.hyperparameters),
            "trainingInputMode": "File",
            **_dates(),
        }
    }


def describe_feature_transformation(request: Request) -> dict[str, Any]:
    arn = request["featureTransformationArn"]
    recipe = next((r for r in RECIPES.values() if r.feature_transformation_arn == arn), None)
    if recipe is None:
        raise ResourceNotFound(f"Resource Arn {arn} does not exist.")
    return {
        "featureTransformation": {
            "name": recipe.feature_transformation,
            "featureTransformationArn": arn,
            "defaultParameters": {p.name: p.default for p in recipe.feature_parameters},
            "status": "ACTIVE",
            **_dates(),
        }
    }


def _shown(recipe: Recipe) -> dict[str, Any]:
    return {"name": recipe.name, "recipeArn": recipe.arn, "status": "ACTIVE", "domain": recipe.domain, **_dates()}


def _dates() -> Mapping[str, float]:
    return {"creationDateTime": _PUBLISHED, "lastUpdatedDateTime": _PUBLISHED}


def _ranges(parameters: tuple[HyperParameter, ...]) -> dict[str, Any]:
    ranges: dict[str, Any] = {}
    for kind in ("integer", "continuous"):
        number = int if kind == "integer" else float
        ranges[f"{kind}HyperParameterRanges"] = [
            {
                "name": p.name,
                "minValue": number(p.minimum),
                "maxValue": number(p.maximum),
                "isTunable": p.tunable,
            }
            for p in parameters
            if p.kind == kind
        ]
    ranges["categoricalHyperParameterRanges"] = [
        {"name": p.name, "values": list(p.values), "isTunable": p.tunable} for p in parameters if p.kind == "categorical"
    ]
    return ranges

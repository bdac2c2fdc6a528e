"""The variables of each function: what its class says, its stack sets, and its code reads."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from lambdas.config import environment
from lambdas.config.environment import Environment, MissingVariable, class_name
from tests.stacks.conftest import Templates
from tools.rooms import Import, imports, modules

FUNCTIONS = {path.parent.name: path for path in Path("lambdas").glob("*/*/handler.py")}
CLASSES = {made.__name__: made for made in Environment.__subclasses__()}
#: Set for every function.
COMMON = {"CONFIG_PATH", "PYDANTIC_DISABLE_PLUGINS", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_SERVICE_NAME"}


def set_by(template: dict[str, Any]) -> Iterator[tuple[str, set[str]]]:
    """The functions of a template, and the variables that it sets for each."""
    for resource in template["Resources"].values():
        variables = resource.get("Properties", {}).get("Environment", {}).get("Variables", {})
        if resource["Type"] == "AWS::Lambda::Function" and "POWERTOOLS_SERVICE_NAME" in variables:
            yield variables["POWERTOOLS_SERVICE_NAME"], set(variables)


def read_by(file: Path) -> set[str]:
    """The fields of `environment.current()` that a module reads."""
    return {
        node.attr
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func) == "environment.current"
    }


def test_each_function_has_a_class_and_each_class_a_function() -> None:
    assert {class_name(function) for function in FUNCTIONS} == set(CLASSES)


def test_stacks_set_what_the_classes_name_and_nothing_else(templates: Templates, templates_of_prod: Templates) -> None:
    found = [each for made in (templates, templates_of_prod) for template in made.values() for each in set_by(template)]
    assert {function for function, _ in found} == set(FUNCTIONS)
    for function, variables in found:
        model = CLASSES[class_name(function)]
        named = {field.upper() for field in model.fields()}
        optional = {field.upper() for field in model.fields() if hasattr(model, field)}
        assert named - optional <= variables - COMMON <= named, function


@cache
def _modules_and_imports() -> tuple[dict[str, Path], list[Import]]:
    found = modules()
    return found, imports(found)


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_a_function_reads_what_its_class_names_and_nothing_else(function: str) -> None:
    model = CLASSES[class_name(function)]
    own = {field for file in FUNCTIONS[function].parent.glob("*.py") for field in read_by(file)}
    assert own <= set(model.fields())
    if function == "recommend":
        return  # `worker` keeps it under a name of its own
    (found, edges), reached = _modules_and_imports(), {f"lambdas.{FUNCTIONS[function].parts[1]}.{function}.handler"}
    while more := {edge.imported for edge in edges if edge.importer in reached} - reached:
        reached |= more
    assert set(model.fields()) <= {field for name in reached for field in read_by(found[name])}


def test_fields_are_written_once_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    used = {field for model in CLASSES.values() for field in model.fields()}
    assert used == set(Environment.fields())


def test_a_missing_variable_is_named_before_anything_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "plan_training")
    monkeypatch.setenv("DATA_BUCKET", "bucket")
    monkeypatch.setenv("PERSONALIZE_ARN_PREFIX", "arn:aws:personalize:us-east-1:123456789012")
    monkeypatch.delenv("RUNS_TABLE", raising=False)
    environment.current.cache_clear()
    with pytest.raises(MissingVariable, match="RUNS_TABLE of PlanTraining is not set"):
        environment.current()
    monkeypatch.setenv("RUNS_TABLE", "runs")
    assert environment.current().runs_table == "runs"
    with pytest.raises(MissingVariable, match="CATALOGUE_TABLE of PlanTraining"):
        _ = environment.current().catalogue_table
    environment.current.cache_clear()

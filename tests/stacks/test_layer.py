"""What runs in Lambda is what was tested here: the layer holds what the functions import, in the versions of this environment."""

from __future__ import annotations

import ast
import sys
from importlib.metadata import packages_distributions, version
from pathlib import Path

from stacks.layer import REQUIREMENTS, SERVICES

#: config/file.py runs at synth, not in Lambda.
FUNCTIONS = [path for path in Path("lambdas").rglob("*.py") if path != Path("lambdas/config/file.py")]


def pins() -> dict[str, str]:
    lines = [line for line in REQUIREMENTS.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("==") for line in lines)


def imported(path: Path) -> set[str]:
    """Top-level names of the packages that a module imports when it runs."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    ours = ("lambdas", "personalize_rules")
    return {name for name in names if name not in {*sys.stdlib_module_names, *ours} and not name.startswith("types_boto3")}


def test_the_layer_holds_every_package_that_a_function_imports() -> None:
    provided = {name.lower().replace("_", "-") for name in pins()} | {"botocore"}  # boto3 brings botocore of its own version
    owners = packages_distributions()
    for path in FUNCTIONS:
        for name in imported(path):
            packages = {owner.lower().replace("_", "-") for owner in owners[name]}
            assert packages & provided, f"{path} imports {name}, which the layer does not hold"


def test_the_layer_has_the_versions_of_this_environment() -> None:
    for package, pinned in pins().items():
        assert version(package) == pinned


def test_the_layer_keeps_the_service_descriptions_that_functions_use() -> None:
    source = Path("lambdas/aws/clients.py").read_text()
    called = {line.split('"')[1] for line in source.splitlines() if "boto3.client(" in line}
    assert called
    assert called <= SERVICES

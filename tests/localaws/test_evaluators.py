"""Our evaluators of mapping templates and JSONata against recorded answers of Apache Velocity and the JavaScript `jsonata`.

`make conformance` asks the programs themselves, over many more inputs.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from localaws.moto import jsonata
from tests.conformance import __main__ as conformance
from tests.conformance import machines, recordings, templates


def test_recorded_inputs_mean_what_the_references_made_of_them() -> None:
    different, engines = [], set()
    for place, case, answer in recordings.read():
        engine = recordings.engine_of(case)
        engines.add(engine)
        if engine.meaning(engine.ours(case)) != engine.meaning(answer):
            different.append((place, case))
    assert engines == {machines, templates}
    assert different == []


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("'é' & {'é': ['日本', '😀']}", 'é{"é":["日本","😀"]}'),
        ("'' & 1e21", "1e+21"),
        ("'' & 9007199254740992", "9007199254740990"),
        ("[1e-6, 1e-7, 1.5e300, 1/3].$string()", ["0.000001", "1e-7", "1.5e+300", "0.333333333333333"]),
        ("$string({'a': [1, {'b': []}]}, true)", '{\n  "a": [\n    1,\n    {\n      "b": []\n    }\n  ]\n}'),
        ("$string($sum) & {'f': $sum}", '{"f":""}'),
    ],
)
def test_texts_of_values_are_those_of_javascript(expression: str, value: Any) -> None:
    assert jsonata.evaluate(expression) == value


def test_inputs_are_made_for_every_path_of_an_expression() -> None:
    expression = "$states.input.status = 'DONE' and $states.input.parts[0].failed > 0"
    made = [case["text"] for case in machines.cases(expression, 40, conformance.random.Random(1))]
    assert len(set(made)) > 30
    assert any(re.search(r'"status": "DONE"', text) and '"failed"' in text for text in made)
    assert all(text.endswith(f"{expression})") for text in made)


def test_a_difference_is_shown_by_its_place() -> None:
    one = {"Records": [{"a": 1}, {"a": [1, 2]}]}
    other = json.loads(json.dumps(one).replace("2", "3"))
    assert conformance.first_difference(one, other) == ("/Records/1/a/1", 2, 3)

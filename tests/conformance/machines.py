"""JSONata expressions in both evaluators, over inputs made from the paths that an expression reads."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any

from localaws.moto import jsonata

Case = dict[str, Any]
#: `$states.input.parts[0].failure` as its name and its steps; what a `(` follows is a function.
_PATH = re.compile(r"\$(\w+)\b(?!\()((?:\[\d+\]|\.\w+)*)")
_WORD = re.compile(r"(?<![\w.$'])[A-Za-z_]\w*(?![\w(])")
_LITERAL = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_ODD = ["", "a", "DONE", "日本", "😀", "it's", 'say "x"', "\\", "\n", "\u2028", "{% $x %}", "null", "0", "$x"]
_NUMBERS: list[float] = [0, 1, -1, 2, 60, 72.0, 0.5, 1e-7, 1e21, 2**53, -(2**31)]


def cases(expression: str, wanted: int, rng: random.Random) -> Iterator[Case]:
    """Inputs for an expression, as the text that the interpreter evaluates: first of what the expression is meant for, then odd."""
    paths = sorted(set(_PATH.findall(expression)))
    for number in range(wanted):
        oddness = 0.0 if number < wanted // 4 else rng.choice([0.1, 0.3, 0.7])
        variables: dict[str, Any] = {}
        for name, steps in paths:
            _put(variables, [name, *re.findall(r"\w+", steps)], _leaf(expression, rng, oddness), rng, oddness)
        yield {"text": f"({jsonata.declare({f'${name}': value for name, value in variables.items()})}{expression})"}


def ours(case: Case) -> dict[str, Any]:
    """The answer of `localaws`, in the form of the reference's: undefined is no value."""
    try:
        return {"value": jsonata.evaluate(case["text"])}
    except jsonata.Undefined:
        return {}
    except Exception as error:  # whatever it is: it is compared with what the reference says
        return {"error": repr(error)}


def meaning(answer: dict[str, Any]) -> Any:
    """An answer with its numbers as JavaScript has them."""
    if "error" in answer:
        return "error"
    return _numbers(answer["value"]) if "value" in answer else "undefined"


def _numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {"an object of": {name: _numbers(part) for name, part in value.items()}}
    if isinstance(value, list):
        return [_numbers(part) for part in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return repr(value)
    return float(value)


def _put(place: dict[str, Any], steps: list[str], value: Any, rng: random.Random, oddness: float) -> None:
    """Puts the value at the end of the path, which may lead through lists, end early or be a list where an index follows."""
    for step, following in zip(steps, [*steps[1:], ""], strict=True):
        if step.isdigit():
            continue
        if rng.random() < oddness / 4:
            if step in ("states", *place):
                continue
            place[step] = _scalar(rng)  # the path ends early
            return
        if not following:
            if value is not _ABSENT and not isinstance(place.get(step), dict | list):
                place[step] = value
            return
        inner = place.get(step)
        if isinstance(inner, list):
            inner = inner[0] if inner and isinstance(inner[0], dict) else None
        if not isinstance(inner, dict):
            inner = {}
            listed = following.isdigit() or rng.random() < oddness / 4
            place[step] = [inner, *({} for _ in range(rng.randint(0, 2)))] if listed else inner
        place = inner


_ABSENT = object()


def _leaf(expression: str, rng: random.Random, oddness: float) -> Any:
    """A value for what the path names: one of the texts that the expression compares with, an object or a list of the names in it."""
    if rng.random() < oddness / 2:
        return rng.choice([_ABSENT, None, [], {}, [[]], [None], [[1], [2]]])
    names = _WORD.findall(_LITERAL.sub("", expression)) or ["a"]
    texts = [single or double for single, double in _LITERAL.findall(expression)] or ["a"]

    def some(depth: int = 0) -> Any:
        kind = rng.random()
        if depth < 2 and kind < 0.25:
            return [some(depth + 1) for _ in range(rng.choice([0, 1, 1, 2, 3]))]
        if depth < 3 and kind < 0.5:
            return {
                rng.choice([*names, "other", "Ünicode key", ""][: None if oddness else -2]): some(depth + 1) for _ in range(2)
            }
        return rng.choice(texts) if kind < 0.7 else _scalar(rng)

    return some()


def _scalar(rng: random.Random) -> Any:
    return rng.choice([rng.choice(_ODD), rng.choice(_NUMBERS), True, False, None])

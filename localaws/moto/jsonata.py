"""JSONata for the Step Functions interpreter, with the functions that Step Functions adds to the language.

docs: step-functions/latest/dg/transforming-data.html
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import uuid
from decimal import Decimal
from typing import Any

import jsonata
from jsonata.functions import Functions
from jsonata.jexception import JException
from jsonata.utils import Utils

from localaws import evaluations

_HASHES = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}


class Undefined(ValueError):
    """An expression that evaluates to nothing, which Step Functions does not take for a value."""


def evaluate(expression: str) -> Any:
    """The value of a JSONata expression as plain JSON. Raises the library's exception for a faulty expression, or Undefined."""
    evaluations.note(text=expression)
    found = _value(expression)
    if found is None and not _value(f"$exists(({expression}))"):  # null is a value
        raise Undefined("the expression returned nothing (undefined)")
    return json.loads(json.dumps(found, default=lambda _: None))


def _value(expression: str) -> Any:
    compiled = jsonata.Jsonata(expression)
    for name, function in _FUNCTIONS.items():
        compiled.register_lambda(name, function)
    return compiled.evaluate(None)


def declare(bindings: dict[str, Any]) -> str:
    """JSONata text that assigns each value to its variable."""
    return "".join(f"{name}:={json.dumps(value, ensure_ascii=False, default=str)};" for name, value in bindings.items())


def _partition(array: list[Any], size: int) -> list[list[Any]]:
    return [list(array[start : start + int(size)]) for start in range(0, len(array), int(size))]


def _range(first: int, last: int, step: int) -> list[int]:
    first, last, step = int(first), int(last), int(step)
    return list(range(first, last + (1 if step > 0 else -1), step))


def _hash(text: str, algorithm: str) -> str:
    if algorithm not in _HASHES:
        raise ValueError(f"$hash knows {', '.join(_HASHES)}, not {algorithm!r}")
    return hashlib.new(_HASHES[algorithm], text.encode()).hexdigest()


def _random(seed: float | None = None) -> float:
    return (random.Random(seed) if seed is not None else random).random()  # noqa: S311


def _string(value: Any, prettify: bool, margin: str = "\n") -> str:
    """What `$string` and `&` make of a value that is no text: JSON as JavaScript writes it, numbers with 15 digits."""
    if isinstance(value, bool) or value is None or value is Utils.NULL_VALUE:
        return json.dumps(value if isinstance(value, bool) else None)
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list):
        return '""'  # a function
    inner = f"{margin}  " if prettify else ""
    if isinstance(value, list):
        return _enclosed("[]", [_string(part, prettify, inner) for part in value], inner, margin)
    colon = ": " if prettify else ":"
    members = [json.dumps(name, ensure_ascii=False) + colon + _string(part, prettify, inner) for name, part in value.items()]
    return _enclosed("{}", members, inner, margin)


def _enclosed(brackets: str, parts: list[str], inner: str, margin: str) -> str:
    if not parts:
        return brackets
    return f"{brackets[0]}{inner}{f',{inner}'.join(parts)}{margin if inner else ''}{brackets[1]}"


def _number(value: float) -> str:
    """A number as JavaScript writes it: `1e+21`, `0.000001`, `1e-7`. Raises JException for one that is not finite."""
    if not math.isfinite(value):
        raise JException("D3001", -1)
    rounded = float(f"{value:.15g}")
    if rounded.is_integer() and abs(rounded) < 1e21:
        return str(int(rounded))
    if abs(rounded) < 1e-6 or abs(rounded) >= 1e21:
        mantissa, exponent = (repr(rounded) if "e" in repr(rounded) else f"{rounded:e}").split("e")
        return f"{mantissa}e{int(exponent):+d}"
    return format(Decimal(repr(rounded)), "f")


def _text(value: Any, prettify: bool) -> str:
    """`_string` for a value that stands alone: a function is an empty text."""
    text = _string(value, prettify)
    return "" if text == '""' else text


#: The library escapes what is not ASCII, and writes large and small numbers in Python's way.
Functions._string = staticmethod(_text)

_FUNCTIONS = {
    "partition": _partition,
    "range": _range,
    "hash": _hash,
    "random": _random,
    "uuid": lambda: str(uuid.uuid4()),
    "parse": json.loads,
}

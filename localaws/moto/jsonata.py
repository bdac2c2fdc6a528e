"""JSONata for the Step Functions interpreter, with the functions that Step Functions adds to the language.

docs: step-functions/latest/dg/transforming-data.html
"""

from __future__ import annotations

import hashlib
import json
import random
import uuid
from typing import Any

import jsonata

_HASHES = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}


def evaluate(expression: str) -> Any:
    """The value of a JSONata expression as plain JSON. Raises the library's exception for a faulty expression."""
    compiled = jsonata.Jsonata(expression)
    for name, function in _FUNCTIONS.items():
        compiled.register_lambda(name, function)
    return json.loads(json.dumps(compiled.evaluate(None), default=lambda _: None))


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


_FUNCTIONS = {
    "partition": _partition,
    "range": _range,
    "hash": _hash,
    "random": _random,
    "uuid": lambda: str(uuid.uuid4()),
    "parse": json.loads,
}

"""Mapping templates in both engines: odd and ordinary requests, and answers of the services behind them."""

from __future__ import annotations

import base64
import copy
import json
import random
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl

from localaws.gateway import vtl

Case = dict[str, Any]
#: Texts that have a meaning in Velocity, JSON, JavaScript, HTML, a URL or UTF-16.
ODD = [
    *(
        "",
        "a",
        '"',
        "\\",
        '\\"',
        "$x",
        "${x}",
        "$!{q}",
        "$q",
        "\\$x",
        "$util",
        "$input.body",
        "#set($a=1)",
        "#",
        "##c",
        "#*",
        "#end",
    ),
    *("#foreach($a in $b)", "\\#if", "$foreach.index", "${context.requestId}", "$esc.d", "é", "日本", "😀", "\n", "\r\n", "\t"),
    *(
        "\0",
        "\u2028",
        "'",
        "</script>",
        '{"a":1}',
        "\\u0041",
        "%20&=+",
        "x" * 192,
        "😀" * 192,
        "x" * 300,
        " ",
        "null",
        "0",
        "user-17",
    ),
]
#: As they may stand in a body.
NUMBERS = ["0", "1", "1.0", "-0", "1e5", "1.50", "0.1", "1e-7", "1e22", "12345678901234567890", "1764438000.123", "100000000.0"]


def cases(template: str, wanted: int, rng: random.Random) -> Iterator[Case]:
    """Inputs for a template: requests or answers of the kind that it reads."""
    body = next((make for sign, make in _KINDS.items() if sign in template), _document)
    names = sorted({*re.findall(r"\$input\.params\(['\"]([^'\"]+)", template), "unused"})
    for number in range(wanted):
        yield {
            "template": template,
            "body": body(rng, number),
            "parameters": {place: _some(rng, names) for place in ("path", "querystring", "header")},
            "context": _context(),
            "stage_variables": {},
        }


def ours(case: Case) -> dict[str, Any]:
    """The answer of `localaws`, in the form of the reference's."""
    context = copy.deepcopy(case["context"])
    try:
        text = vtl.render(case["template"], case["body"], case["parameters"], context, case["stage_variables"])
    except Exception as error:  # whatever it is: it is compared with what the reference says
        return {"error": repr(error)}
    return {"text": text, "context": context}


def meaning(answer: dict[str, Any]) -> Any:
    """What an answer says to whoever reads it: JSON without its spaces, what stands in base64 or a form decoded."""
    if "error" in answer:
        return "error"
    return {"text": _meaning(answer["text"]), "context": answer["context"]}


def _meaning(text: str) -> Any:
    if text.strip().startswith("Action="):
        return {name: _meaning(value) for name, value in parse_qsl(text.strip(), keep_blank_values=True)}
    try:
        read = json.loads(text)
    except ValueError:
        return text
    return _decoded(read)


def _decoded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _decoded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_decoded(part) for part in value]
    if isinstance(value, str) and len(value) > 7:
        try:
            text = base64.b64decode(value, validate=True).decode()
        except ValueError:
            return value
        return _meaning(text)
    return value


def _context() -> dict[str, Any]:
    overrides = {"responseOverride": {"header": {}}, "requestOverride": {"header": {}, "path": {}, "querystring": {}}}
    ids = {"requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef", "extendedRequestId": "S8GjGHb9oAMFbJg=", "httpMethod": "POST"}
    return {**ids, "requestTimeEpoch": 1764438000123, **overrides}


def _some(rng: random.Random, names: Iterable[str]) -> dict[str, str]:
    values = [*ODD, "https://shop.example", "https://www.shop.example", "https://shop.example.evil"]
    return {name: rng.choice(values) for name in names if rng.random() < 0.6}


def _events(rng: random.Random, number: int) -> str:
    count = 500 if number == 0 else rng.choice([1, 1, 2, 3, 10])
    return f'{{"events":[{",".join(_event(rng) for _ in range(count))}]}}'


def _event(rng: random.Random) -> str:
    members = [f'"event_type":{_text(rng)}']
    members += [f'"{name}":{_text(rng)}' for name in ("session_id", "user_id", "item_id", "event_id") if rng.random() < 0.6]
    members += [f'"{name}":{rng.choice(NUMBERS)}' for name in ("timestamp", "event_value") if rng.random() < 0.4]
    members += [f'"properties":{json.dumps(_value(rng))}'] * (rng.random() < 0.4)
    members += ['"user_id":null', '"event_type":"twice"', '"size":5,"class":"x","empty":true'][: rng.choice([0, 0, 0, 1, 2, 3])]
    return f"{{{','.join(members)}}}"


def _record(rng: random.Random, number: int) -> str:
    return json.dumps({_word(rng): _value(rng) for _ in range(rng.randint(1, 4))}, ensure_ascii=bool(number % 2))


def _kinesis_answer(rng: random.Random, number: int) -> str:
    failed = rng.choice([0, 0.2, 0.5, 1])
    records: list[dict[str, Any]] = [
        {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": rng.choice(ODD)}
        if rng.random() < failed
        else {"SequenceNumber": "1", "ShardId": "s", **({"ErrorCode": None, "ErrorMessage": None} if rng.random() < 0.2 else {})}
        for _ in range([500, 0, 1][number] if number < 3 else rng.randint(1, 12))
    ]
    count = sum(bool(record.get("ErrorCode")) for record in records)
    return json.dumps({"FailedRecordCount": count, "EncryptionType": "KMS", "Records": records})


def _error(rng: random.Random, _: int) -> str:
    names = ["ValidationException", "InvalidArgumentException", "ProvisionedThroughputExceededException", "", None, 5, *ODD]
    answer = {"__type": f"com.amazonaws.kinesis#{rng.choice(names)}" if rng.random() < 0.3 else rng.choice(names)}
    return rng.choice(["{}", json.dumps({"message": rng.choice(ODD)}), json.dumps(answer), json.dumps(answer)])


def _document(rng: random.Random, number: int) -> str:
    return "" if number == 0 else json.dumps(_value(rng))


#: What a template that holds the sign reads.
_KINDS: dict[str, Callable[[random.Random, int], str]] = {
    "$.events": _events,
    "SendMessage": _record,
    "FailedRecordCount": _kinesis_answer,
    "__type": _error,
}


def _text(rng: random.Random) -> str:
    return json.dumps(_word(rng), ensure_ascii=rng.random() < 0.5)


def _word(rng: random.Random) -> str:
    return "".join(rng.choice(ODD) for _ in range(rng.choice([1, 1, 1, 2])))


def _value(rng: random.Random, depth: int = 0) -> Any:
    if depth < 3 and rng.random() < 0.4:
        parts = range(rng.randint(0, 3))
        return (
            [_value(rng, depth + 1) for _ in parts] if rng.random() < 0.5 else {_word(rng): _value(rng, depth + 1) for _ in parts}
        )
    return rng.choice([_word(rng), rng.randint(-5, 10**12), rng.random() * 1000, True, False, None])

"""The reference of the config, a page of Markdown made from the JSON schema of its models."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from lambdas.config.validation import json_schema

Schema = Mapping[str, Any]

_INTRODUCTION = """# The config, key by key

Made from the models in `lambdas/config/` by `reco validate --write-reference docs/config.md`. The same models check a
config, and `config/schema.json` lets editors do so while you type. A key that is not here is an error. *required* keys have no
default; `NAME` stands for a name of your own. [Put in your own data](own-data.md) goes through a config from top to bottom.
"""
#: Said on a page of their own: the columns of datasets.
_ELSEWHERE = {"AvroSchema": "the schema itself ([its rules](exports.md#the-schemas))"}
#: Models that stand in too many places to be named by them.
_TITLES = {"FromContext": "A value of the call"}


def reference() -> str:
    """The page: a table for each part of a config, in the order in which they are met."""
    schema = json_schema()
    paths = _paths_of(schema)
    parts = [section("The file", schema, paths)]
    parts += [section(_heading(name, paths), schema["$defs"][name], paths) for name in paths]
    return "\n".join([_INTRODUCTION, *parts])


def _paths_of(schema: Schema) -> dict[str, list[str]]:
    """Where each part may stand, by the name of its model."""
    found: dict[str, list[str]] = {}

    def visit(part: Schema, path: str) -> None:
        for key, value in part.get("properties", {}).items():
            for name, below in _references(value, f"{path}{key}"):
                first = name not in found
                found.setdefault(name, []).append(below)
                if first:
                    visit(schema["$defs"][name], f"{below}.")

    visit(schema, "")
    return found


def _references(value: Schema, path: str) -> Iterator[tuple[str, str]]:
    """The models that a value may be of, with their paths."""
    if "$ref" in value:
        yield value["$ref"].rsplit("/", 1)[-1], path
    for option in value.get("anyOf", []):
        yield from _references(option, path)
    if "items" in value:
        yield from _references(value["items"], f"{path}[]")
    for each in [value.get("additionalProperties"), *value.get("patternProperties", {}).values()]:
        if isinstance(each, Mapping):
            yield from _references(each, f"{path}.NAME")


def _heading(name: str, paths: Mapping[str, list[str]]) -> str:
    """A model's title: where it stands."""
    return _TITLES.get(name) or ", ".join(f"`{path}`" for path in paths[name])


def anchor(title: str) -> str:
    """The fragment that a heading gets on GitHub."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def section(title: str, part: Schema, paths: Mapping[str, list[str]]) -> str:
    required = part.get("required", [])
    rows = [row(key, value, key in required, paths) for key, value in part["properties"].items()]
    about = " ".join(part.get("description", "").split())
    return "\n".join([f"## {title}\n", f"{about}\n", "| key | value | default | |", "|---|---|---|---|", *rows, ""])


def row(key: str, value: Schema, required: bool, paths: Mapping[str, list[str]]) -> str:
    default = "*required*" if required else _shown_default(value.get("default"))
    about = value.get("description", "")
    cells = [f"`{key}`", _words(value, paths), default, " ".join(about.split())]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _shown_default(default: Any) -> str:
    if default in (None, [], {}, ""):
        return ""
    if isinstance(default, Mapping):
        return f"`{{{', '.join(f'{key}: {value}' for key, value in default.items())}}}`"
    return f"`{json.dumps(default) if isinstance(default, bool | list) else default}`"


def _words(value: Schema, paths: Mapping[str, list[str]]) -> str:
    """What a value may be, in words; parts are linked."""
    if value.get("title") in _ELSEWHERE:
        return _ELSEWHERE[value["title"]]
    if "$ref" in value:
        name = value["$ref"].rsplit("/", 1)[-1]
        return f"[{_TITLES.get(name, 'see below').lower()}](#{anchor(_heading(name, paths))})"
    if "anyOf" in value:
        return " or ".join(dict.fromkeys(_words(option, paths) for option in value["anyOf"] if option.get("type") != "null"))
    if "enum" in value:
        return ", ".join(f"`{option}`" for option in value["enum"])
    kind = value.get("type")
    if kind == "array":
        return f"list of {_words(value.get('items', {}), paths)}{length(value)}"
    if kind == "object":
        each: Any = value.get("additionalProperties") or next(iter(value.get("patternProperties", {}).values()), {})
        return f"`NAME`: {_words(each, paths)}, …" if each else "mapping"
    return _scalar(value)


def _scalar(value: Schema) -> str:
    kinds = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true`, `false`"}
    said = (("minimum", "at least"), ("exclusiveMinimum", "more than"), ("maximum", "at most"), ("exclusiveMaximum", "less than"))
    return ", ".join([kinds[value["type"]], *(f"{word} {value[key]:,}" for key, word in said if key in value)])


def length(value: Schema) -> str:
    """How long a list may be."""
    said = (("minItems", "at least"), ("maxItems", "at most"))
    limits = [f"{word} {value[key]:,}" for key, word in said if key in value]
    return f" ({', '.join(limits)})" if limits else ""

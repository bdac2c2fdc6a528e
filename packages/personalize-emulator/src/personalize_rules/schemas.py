"""Avro schemas of datasets.

docs: personalize/latest/dg/how-it-works-dataset-schema.html, custom-datasets-and-schemas.html,
ECOMMERCE-datasets-and-schemas.html, VIDEO-ON-DEMAND-datasets-and-schemas.html
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, get_args

from personalize_rules.limits import MAX_SCHEMA

Kind = Literal["INTERACTIONS", "ITEMS", "USERS", "ACTIONS", "ACTION_INTERACTIONS"]
_FieldType = Literal["string", "int", "long", "float", "double", "boolean"]
Domain = Literal["ECOMMERCE", "VIDEO_ON_DEMAND"]

_NAMESPACE = "com.amazonaws.personalize.schema"
_FLAGS = ("categorical", "textual", "itemName")
_TYPES: tuple[_FieldType, ...] = get_args(_FieldType)
# As the API writes the names of columns: API_TrainingDataConfig.html.
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,149}")


class Problem(NamedTuple):
    """A rule that a schema breaks. `where` is the place in the document, such as `fields[2].type`; empty for the document."""

    where: str
    rule: str

    def __str__(self) -> str:
        return f"{self.where}: {self.rule}" if self.where else self.rule


class InvalidSchema(ValueError):
    """A schema that CreateSchema refuses, with all its problems."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True)
class Field:
    """One column."""

    name: str
    type: _FieldType
    nullable: bool = False
    categorical: bool = False
    textual: bool = False
    item_name: bool = False

    @property
    def is_text(self) -> bool:
        return self.type == "string"

    @property
    def is_number(self) -> bool:
        return self.type not in ("string", "boolean")


@dataclass(frozen=True)
class Schema:
    """A schema without problems. `text` is what CreateSchema gets: the same for all documents that say the same."""

    kind: Kind
    fields: tuple[Field, ...]
    text: str
    domain: str | None = None

    @cached_property
    def _by_name(self) -> Mapping[str, Field]:
        return {normalized(field.name): field for field in self.fields}

    def field(self, name: str) -> Field | None:
        """The field of this name; case and underscores do not count."""
        return self._by_name.get(normalized(name))

    def column(self, name: str) -> Field | None:
        """The field that is spelled so."""
        return next((field for field in self.fields if field.name == name), None)

    @property
    def document(self) -> dict[str, Any]:
        """The schema as JSON."""
        found: dict[str, Any] = json.loads(self.text)
        return found

    @property
    def fingerprint(self) -> str:
        """Eight hex digits that change with the text: a schema can't be changed, so a changed one needs a new name."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:8]

    @property
    def id_field(self) -> str:
        """The field that identifies a record of Items, Users or Actions."""
        return next(iter(RULES[self.kind].required))

    @property
    def metadata(self) -> tuple[Field, ...]:
        """The fields that are neither required nor reserved."""
        return tuple(field for field in self.fields if field.name not in RULES[self.kind].types)

    def is_required(self, field: Field) -> bool:
        return field.name in RULES[self.kind].required


def camel_case(column: str) -> str:
    """`CREATION_TIMESTAMP` -> `creationTimestamp`."""
    return re.sub(r"_+(.)", lambda match: match[1].upper(), column.lower())


def normalized(name: str) -> str:
    """How column names are compared: `NUM_RATINGS`, `numRatings` and `NUMRATINGS` are one.

    docs: preparing-training-data.html; recording-item-interaction-events.html for the camel case of properties
    """
    # Guess: case does not count, in filters, in properties and among the columns of a schema.
    return name.replace("_", "").upper()


@dataclass(frozen=True)
class _KindRules:
    """What the schema of a dataset type has: its name, its fields with their types, and how much metadata."""

    name: str
    required: Mapping[str, tuple[_FieldType, ...]]
    reserved: Mapping[str, tuple[_FieldType, ...]]
    max_metadata: int
    needs_metadata: bool = False

    @cached_property
    def types(self) -> Mapping[str, tuple[_FieldType, ...]]:
        return {**self.required, **self.reserved}


_TEXT: tuple[_FieldType, ...] = ("string",)
_LONG: tuple[_FieldType, ...] = ("long",)
_TRACE = {"IMPRESSION": _TEXT, "RECOMMENDATION_ID": _TEXT}

#: docs: custom-datasets-and-schemas.html, limits.html
RULES: Mapping[Kind, _KindRules] = {
    "INTERACTIONS": _KindRules(
        name="Interactions",
        required={"USER_ID": _TEXT, "ITEM_ID": _TEXT, "TIMESTAMP": _LONG},
        reserved={"EVENT_TYPE": _TEXT, "EVENT_VALUE": ("float",), "EVENT_ATTRIBUTION_SOURCE": _TEXT, **_TRACE},
        max_metadata=5,
    ),
    "ITEMS": _KindRules(
        name="Items",
        required={"ITEM_ID": _TEXT},
        # Guess: CREATION_TIMESTAMP may be null; the pages list no null for it.
        reserved={"CREATION_TIMESTAMP": _LONG},
        max_metadata=100,
        needs_metadata=True,
    ),
    "USERS": _KindRules(name="Users", required={"USER_ID": _TEXT}, reserved={}, max_metadata=25, needs_metadata=True),
    "ACTIONS": _KindRules(
        name="Actions",
        required={"ACTION_ID": _TEXT},
        reserved={
            "CREATION_TIMESTAMP": _LONG,
            "VALUE": _LONG,
            "TYPE": _TEXT,
            # Guess: both names of an action's expiration are reserved; the page that lists them uses the one and the other.
            "EXPIRATION_TIMESTAMP": _LONG,
            "ACTION_EXPIRATION_TIMESTAMP": _LONG,
            "REPEAT_FREQUENCY": _LONG,
        },
        max_metadata=10,
        needs_metadata=True,
    ),
    "ACTION_INTERACTIONS": _KindRules(
        name="ActionInteractions",
        required={"USER_ID": _TEXT, "ACTION_ID": _TEXT, "EVENT_TYPE": _TEXT, "TIMESTAMP": _LONG},
        reserved=_TRACE,
        max_metadata=5,
    ),
}
#: Words that may not be values of data. docs: custom-datasets-and-schemas.html
KEYWORDS = frozenset(name for rules in RULES.values() for name in rules.types)

_NOT_NULLABLE = frozenset({"EVENT_TYPE"})
_DOMAIN_FIELDS: Mapping[tuple[str, Kind], tuple[str, ...]] = {
    ("ECOMMERCE", "INTERACTIONS"): ("EVENT_TYPE",),
    ("VIDEO_ON_DEMAND", "INTERACTIONS"): ("EVENT_TYPE",),
    ("ECOMMERCE", "ITEMS"): ("PRICE", "CATEGORY_L1"),
    ("VIDEO_ON_DEMAND", "ITEMS"): ("CREATION_TIMESTAMP", "GENRES"),
}
_DOMAIN_NUMBERS = frozenset({"PRICE", "CREATION_TIMESTAMP"})
_DOMAIN_CATEGORIES = frozenset({"CATEGORY_L1", "GENRES"})


def parse_schema(text: str, domain: str | None = None) -> Schema:
    """The schema of an Avro document. Raises InvalidSchema."""
    _check_length(text)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidSchema([Problem("", f"the schema is not valid JSON: {error}")]) from None
    return read_schema(document, domain)


def read_schema(document: Any, domain: str | None = None) -> Schema:
    """The schema of a document that was parsed already. Raises InvalidSchema."""
    if not isinstance(document, dict) or document.get("type") != "record":
        raise InvalidSchema([Problem("", 'the schema must be an Avro record: a JSON object with "type": "record"')])
    problems = [*_wrong_texts(document)]
    kind = _kind_of(document.get("name"))
    if kind is None:
        names = ", ".join(rules.name for rules in RULES.values())
        problems.append(Problem("name", f"must match the dataset type, one of {names}, not {json.dumps(document.get('name'))}"))
    entries = document.get("fields")
    if not isinstance(entries, list) or not entries:
        raise InvalidSchema([*problems, Problem("fields", "the schema must list its fields")])
    read = [_read_field(position, entry) for position, entry in enumerate(entries)]
    problems += [problem for _, found in read for problem in found]
    fields = tuple(field for field, _ in read if field is not None)
    problems += _wrong_names(entries)
    if kind is not None:
        problems += _wrong_fields(kind, fields, entries, domain)
    if kind is None or problems:
        raise InvalidSchema(problems)
    normal = _normal_text(document)
    _check_length(normal)
    return Schema(kind, fields, normal, domain)


def json_schema() -> dict[str, Any]:
    """The shape of a schema for editors, as JSON Schema; the rules above say more."""
    one = {"enum": [*_TYPES]}
    union = {"type": "array", "items": {"enum": [*_TYPES, "null"]}, "minItems": 1, "maxItems": 2}
    flags = {flag: {"type": "boolean", "default": False} for flag in _FLAGS}
    name = {"type": "string", "pattern": f"^{_FIELD_NAME.pattern}$"}
    field = {
        "type": "object",
        "required": ["name", "type"],
        "properties": {"name": name, "type": {"anyOf": [one, union]}, **flags},
    }
    return {
        "title": "AvroSchema",
        "type": "object",
        "description": "An Avro schema as Amazon Personalize takes it.",
        "required": ["type", "name", "fields"],
        "properties": {
            "type": {"const": "record"},
            "name": {"type": "string"},
            "namespace": {"type": "string", "default": _NAMESPACE},
            "fields": {"type": "array", "minItems": 1, "items": field},
            "version": {"type": "string", "default": "1.0"},
        },
    }


def _check_length(text: str) -> None:
    if len(text) > MAX_SCHEMA:
        raise InvalidSchema([Problem("", f"the schema has {len(text)} characters; at most {MAX_SCHEMA} are allowed")])


def _kind_of(name: object) -> Kind | None:
    """The dataset type of a schema's name; case does not count."""
    # Guess: the name of a schema may be in any case; the samples of AWS's own solutions have `users` and `interactions`.
    wanted = name.lower() if isinstance(name, str) else None
    return next((kind for kind, rules in RULES.items() if rules.name.lower() == wanted), None)


def _wrong_texts(document: Mapping[str, Any]) -> Iterator[Problem]:
    # Guess: a schema may leave out its namespace and its version, as Avro allows, and has no other type than text for them.
    for name in ("namespace", "version"):
        if not isinstance(document.get(name, ""), str):
            yield Problem(name, "must be a text")


def _read_field(position: int, entry: Any) -> tuple[Field | None, list[Problem]]:
    """A field, None where it can't be known, and what is wrong with it by itself."""
    where = f"fields[{position}]"
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        return None, [Problem(where, 'each field must be a JSON object with a "name" and a "type"')]
    name, problems = entry["name"], []
    if not _FIELD_NAME.fullmatch(name):
        rule = "must consist of letters, digits and underscores, begin with none of the digits and have at most 150 characters"
        problems.append(Problem(f"{where}.name", f"{json.dumps(name[:160])} {rule}"))
    kind, nullable = _read_type(entry.get("type"))
    if kind is None:
        problems.append(Problem(
            f"{where}.type",
            f"{name[:160]} has the type {json.dumps(entry.get('type'))}. Use one of {', '.join(_TYPES)}, or a union of it with "
            '"null". Arrays, maps and nested records are not supported.',
        ))  # fmt: skip
    flags = {flag: entry.get(flag, False) for flag in _FLAGS}
    for flag, value in flags.items():
        if not isinstance(value, bool):
            problems.append(Problem(f"{where}.{flag}", f"of {name[:160]} must be true or false, not {json.dumps(value)}"))
        elif value and kind not in (None, "string"):
            problems.append(Problem(f"{where}.{flag}", f"only a string field can be {flag}, {name[:160]} is of type {kind}"))
    if flags["categorical"] is True and flags["textual"] is True:
        problems.append(Problem(f"{where}.textual", f"{name[:160]} cannot be both categorical and textual"))
    if kind is None:
        return None, problems
    marks = [value is True for value in flags.values()]
    return Field(name, kind, nullable, *marks), problems


def _read_type(declared: Any) -> tuple[_FieldType | None, bool]:
    """The type, and whether it may be null: a union with null has either order; default schemas of domains have `["string"]`."""
    union = declared if isinstance(declared, list) else [declared]
    types = [entry for entry in union if entry != "null"]
    if len(types) != 1 or types[0] not in _TYPES or len(union) > 2:
        return None, False
    return types[0], "null" in union


def _wrong_names(entries: list[Any]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for position, entry in enumerate(entries):
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str):
            continue
        if first := seen.get(normalized(name)):
            rule = f"field names must be unique, underscores and case ignored: {first} and {name} collide"
            yield Problem(f"fields[{position}].name", rule)
        seen.setdefault(normalized(name), name)


def _wrong_fields(kind: Kind, fields: tuple[Field, ...], entries: list[Any], domain: str | None) -> Iterator[Problem]:
    """What a dataset type asks of the fields together."""
    rules, named = RULES[kind], {field.name: field for field in fields}
    names = [entry.get("name") if isinstance(entry, dict) else None for entry in entries]
    places = {name: f"fields[{position}]" for position, name in enumerate(names) if isinstance(name, str)}
    missing = [name for name in rules.required if name not in places]
    if missing:
        yield Problem("fields", f"the {rules.name} schema is missing the required fields: [{', '.join(missing)}]")
    for name, types in rules.types.items():
        if name in named:
            yield from _wrong_reserved(named[name], places[name], _allowed(name, types, domain), name in rules.required)
    metadata = [field for field in fields if field.name not in rules.types]
    if rules.needs_metadata and not metadata and len(fields) == len(entries):
        yield Problem("fields", f"the {rules.name} schema needs at least one metadata field")
    if len(metadata) > rules.max_metadata:
        yield Problem(
            "fields", f"the {rules.name} schema has {len(metadata)} metadata fields; at most {rules.max_metadata} are allowed"
        )
    for flag, chosen in (
        ("textual", [field.name for field in fields if field.textual]),
        ("itemName", [field.name for field in fields if field.item_name]),
    ):
        if chosen and kind != "ITEMS":
            yield Problem(f"{places[chosen[0]]}.{flag}", f"only an Items schema can have {flag} fields, {chosen[0]} is one")
        elif len(chosen) > 1:
            yield Problem(f"{places[chosen[1]]}.{flag}", f"only one field can be {flag}: {', '.join(chosen)}")
    if domain is not None:
        yield from _wrong_for_domain(domain, kind, named, places)


def _allowed(name: str, types: tuple[_FieldType, ...], domain: str | None) -> tuple[_FieldType, ...]:
    """The page of the ECOMMERCE domain writes CREATION_TIMESTAMP as float, all others as long."""
    return (*types, "float") if name == "CREATION_TIMESTAMP" and domain == "ECOMMERCE" else types


def _wrong_reserved(field: Field, place: str, types: tuple[_FieldType, ...], required: bool) -> Iterator[Problem]:
    if field.type not in types:
        yield Problem(f"{place}.type", f"{field.name} must be of type {' or '.join(types)}, it is of type {field.type}")
    if field.nullable and (required or field.name in _NOT_NULLABLE):
        yield Problem(f"{place}.type", f"{field.name} cannot be null")
    if field.textual or field.categorical:
        flag = "textual" if field.textual else "categorical"
        yield Problem(f"{place}.{flag}", f"{field.name} is required or reserved: it cannot be categorical or textual")


def _wrong_for_domain(domain: str, kind: Kind, named: Mapping[str, Field], places: Mapping[Any, str]) -> Iterator[Problem]:
    names = _DOMAIN_FIELDS.get((domain, kind), ())
    missing = [name for name in names if name not in places]
    if missing:
        yield Problem("fields", f"the {domain} domain requires the fields: [{', '.join(missing)}]")
    for name in names:
        field = named.get(name)
        if field and name in _DOMAIN_NUMBERS and not field.is_number:
            yield Problem(f"{places[name]}.type", f"{name} must be a number in the {domain} domain")
        if field and name in _DOMAIN_CATEGORIES and not field.categorical:
            yield Problem(f"{places[name]}.categorical", f"{name} must be a categorical string in the {domain} domain")


def _normal_text(document: Mapping[str, Any]) -> str:
    """What the rules know of a document, in one order."""
    fields = [
        {"name": entry["name"], "type": entry["type"]} | {flag: True for flag in _FLAGS if entry.get(flag)}
        for entry in document["fields"]
    ]
    head = {"type": "record", "name": document["name"], "namespace": document.get("namespace", _NAMESPACE)}
    return json.dumps(head | {"fields": fields, "version": document.get("version", "1.0")})

"""Avro schemas of datasets: parsed, and checked against the rules of Amazon Personalize.

docs: personalize/latest/dg/how-it-works-dataset-schema.html, custom-datasets-and-schemas.html,
ECOMMERCE-datasets-and-schemas.html, VIDEO-ON-DEMAND-datasets-and-schemas.html, updating-dataset-schema.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from personalize_emulator.errors import InvalidInput

Kind = Literal["INTERACTIONS", "ITEMS", "USERS", "ACTIONS", "ACTION_INTERACTIONS"]
FieldType = Literal["string", "int", "long", "float", "double", "boolean"]

MAX_SCHEMA_LENGTH = 20_000
FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z\d_]{0,149}")


@dataclass(frozen=True)
class Field:
    name: str
    type: FieldType
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
    kind: Kind
    fields: tuple[Field, ...]
    domain: str | None = None

    def field(self, name: str) -> Field | None:
        """The field of this name; case and underscores do not count."""
        wanted = normalized(name)
        return next((field for field in self.fields if normalized(field.name) == wanted), None)

    @property
    def id_field(self) -> str:
        """The field that identifies a record of Items, Users or Actions."""
        return next(iter(_RULES[self.kind].required))

    @property
    def metadata(self) -> tuple[Field, ...]:
        """The fields that are neither required nor reserved."""
        rules = _RULES[self.kind]
        return tuple(f for f in self.fields if f.name not in rules.required and f.name not in rules.reserved)

    def is_required(self, field: Field) -> bool:
        return field.name in _RULES[self.kind].required


def normalized(name: str) -> str:
    """How Personalize compares column names: `NUM_RATINGS`, `numRatings` and `NUMRATINGS` are one."""
    return name.replace("_", "").upper()


@dataclass(frozen=True)
class _KindRules:
    name: str
    required: Mapping[str, tuple[FieldType, ...]]
    reserved: Mapping[str, tuple[FieldType, ...]]
    max_metadata: int
    needs_metadata: bool = False


_TRACE: Mapping[str, tuple[FieldType, ...]] = {"IMPRESSION": ("string",), "RECOMMENDATION_ID": ("string",)}

_RULES: Mapping[Kind, _KindRules] = {
    "INTERACTIONS": _KindRules(
        name="Interactions",
        required={"USER_ID": ("string",), "ITEM_ID": ("string",), "TIMESTAMP": ("long",)},
        reserved={
            "EVENT_TYPE": ("string",),
            "EVENT_VALUE": ("float",),
            "EVENT_ATTRIBUTION_SOURCE": ("string",),
            **_TRACE,
        },
        max_metadata=5,
    ),
    "ITEMS": _KindRules(
        name="Items",
        required={"ITEM_ID": ("string",)},
        # long in custom dataset groups, float on the page of the ECOMMERCE domain
        reserved={"CREATION_TIMESTAMP": ("long", "float")},
        max_metadata=100,
        needs_metadata=True,
    ),
    "USERS": _KindRules(name="Users", required={"USER_ID": ("string",)}, reserved={}, max_metadata=25, needs_metadata=True),
    "ACTIONS": _KindRules(
        name="Actions",
        required={"ACTION_ID": ("string",)},
        reserved={
            "CREATION_TIMESTAMP": ("long",),
            "VALUE": ("long",),
            "TYPE": ("string",),
            # the documentation uses both names
            "EXPIRATION_TIMESTAMP": ("long",),
            "ACTION_EXPIRATION_TIMESTAMP": ("long",),
            "REPEAT_FREQUENCY": ("long",),
        },
        max_metadata=10,
        needs_metadata=True,
    ),
    "ACTION_INTERACTIONS": _KindRules(
        name="ActionInteractions",
        required={
            "USER_ID": ("string",),
            "ACTION_ID": ("string",),
            "EVENT_TYPE": ("string",),
            "TIMESTAMP": ("long",),
        },
        reserved=_TRACE,
        max_metadata=5,
    ),
}

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
    """The schema of an Avro document; raises InvalidInput that names the field and the rule it breaks."""
    if len(text) > MAX_SCHEMA_LENGTH:
        raise InvalidInput(f"The schema has {len(text)} characters; at most {MAX_SCHEMA_LENGTH} are allowed.")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"The schema is not valid JSON: {error}") from None
    if not isinstance(document, dict) or document.get("type") != "record":
        raise InvalidInput('The schema must be an Avro record: a JSON object with "type": "record".')
    kind = _kind_of(document.get("name"))
    entries = document.get("fields")
    if not isinstance(entries, list) or not entries:
        raise InvalidInput('The schema must list its fields under "fields".')
    schema = Schema(kind, tuple(_parse_field(entry) for entry in entries), domain)
    _check_names(schema)
    _check_required_and_reserved(schema)
    _check_metadata(schema)
    _check_domain(schema)
    return schema


def check_schema_update(old: Schema, new: Schema) -> None:
    """The rules of UpdateDataset (docs: updating-dataset-schema.html); raises InvalidInput."""
    if old.kind not in ("ITEMS", "USERS"):
        raise InvalidInput(f"The schema of a dataset of type {old.kind} cannot be replaced, only of ITEMS and USERS.")
    if new.kind != old.kind:
        raise InvalidInput(f"The new schema is for {new.kind}, the dataset is of type {old.kind}.")
    fields = {field.name: field for field in new.fields}
    for field in old.fields:
        if fields.pop(field.name, None) != field:
            raise InvalidInput(f"Field {field.name} must be kept unchanged in the new schema.")
    for field in fields.values():
        if not field.nullable:
            union = f'["null", "{field.type}"]'
            raise InvalidInput(f'New field {field.name} must allow null: use "type": {union}.')


def _kind_of(name: object) -> Kind:
    for kind, rules in _RULES.items():
        if rules.name == name:
            return kind
    names = ", ".join(rules.name for rules in _RULES.values())
    raise InvalidInput(f"The schema's name must match the dataset type, one of {names}; it is {name!r}.")


def _parse_field(entry: Any) -> Field:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise InvalidInput('Each field of the schema must be a JSON object with a "name" and a "type".')
    name = entry["name"]
    if not FIELD_NAME.fullmatch(name):
        raise InvalidInput(
            f"Field name {name!r} must consist of letters, digits and underscores, start with a letter and "
            "have at most 150 characters."
        )
    kind, nullable = _parse_type(name, entry.get("type"))
    flags = {flag: entry.get(flag, False) for flag in ("categorical", "textual", "itemName")}
    for flag, value in flags.items():
        if not isinstance(value, bool):
            raise InvalidInput(f"Field {name}: {flag} must be true or false.")
        if value and kind != "string":
            raise InvalidInput(f"Field {name}: only a string field can be {flag}, it is of type {kind}.")
    if flags["categorical"] and flags["textual"]:
        raise InvalidInput(f"Field {name} cannot be both categorical and textual.")
    return Field(name, kind, nullable, flags["categorical"], flags["textual"], flags["itemName"])


def _parse_type(name: str, declared: Any) -> tuple[FieldType, bool]:
    """A type, or a union of one with null in either order; default schemas of domains have `["string"]`."""
    union = declared if isinstance(declared, list) else [declared]
    types = [entry for entry in union if entry != "null"]
    if len(types) != 1 or types[0] not in get_args(FieldType) or len(union) > 2:
        allowed = ", ".join(get_args(FieldType))
        raise InvalidInput(
            f"Field {name}: type {json.dumps(declared)} is not supported. Use one of {allowed}, or a union "
            'of it with "null". Arrays, maps and nested records are not supported.'
        )
    return types[0], "null" in union


def _check_names(schema: Schema) -> None:
    seen: dict[str, str] = {}
    for field in schema.fields:
        key = normalized(field.name)
        if key in seen:
            raise InvalidInput(f"Field names must be unique, underscores and case ignored: {seen[key]} and {field.name} collide.")
        seen[key] = field.name


def _check_required_and_reserved(schema: Schema) -> None:
    rules = _RULES[schema.kind]
    by_name = {field.name: field for field in schema.fields}
    missing = [name for name in rules.required if name not in by_name]
    if missing:
        raise InvalidInput(f"The {rules.name} schema is missing the required fields: [{', '.join(missing)}].")
    for name, types in {**rules.required, **rules.reserved}.items():
        field = by_name.get(name)
        if field is None:
            continue
        if field.type not in types:
            allowed = " or ".join(types)
            raise InvalidInput(f"Field {name} must be of type {allowed}, it is of type {field.type}.")
        if field.nullable and (name in rules.required or name in _NOT_NULLABLE):
            raise InvalidInput(f"Field {name} cannot be null.")
        if field.textual or field.categorical:
            raise InvalidInput(f"Field {name} is required or reserved: it cannot be categorical or textual.")


def _check_metadata(schema: Schema) -> None:
    rules = _RULES[schema.kind]
    if rules.needs_metadata and len(schema.fields) == len(rules.required):
        raise InvalidInput(f"The {rules.name} schema needs at least one metadata field.")
    if len(schema.metadata) > rules.max_metadata:
        raise InvalidInput(
            f"The {rules.name} schema has {len(schema.metadata)} metadata fields; at most {rules.max_metadata} are allowed."
        )
    for flag, chosen in (
        ("textual", [field.name for field in schema.fields if field.textual]),
        ("itemName", [field.name for field in schema.fields if field.item_name]),
    ):
        if chosen and schema.kind != "ITEMS":
            raise InvalidInput(f"Field {chosen[0]}: only an Items schema can have {flag} fields.")
        if len(chosen) > 1:
            raise InvalidInput(f"Only one field can be {flag}: {', '.join(chosen)}.")


def _check_domain(schema: Schema) -> None:
    if schema.domain is None:
        return
    names = _DOMAIN_FIELDS.get((schema.domain, schema.kind), ())
    fields = {field.name: field for field in schema.fields}
    missing = [name for name in names if name not in fields]
    if missing:
        raise InvalidInput(f"The {schema.domain} domain requires the fields: [{', '.join(missing)}].")
    for name in names:
        if name in _DOMAIN_NUMBERS and not fields[name].is_number:
            raise InvalidInput(f"Field {name} must be a number in the {schema.domain} domain.")
        if name in _DOMAIN_CATEGORIES and not fields[name].categorical:
            raise InvalidInput(f"Field {name} must be a categorical string in the {schema.domain} domain.")

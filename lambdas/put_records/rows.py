"""One item or user as the API takes it (the columns of the dataset's schema) and as PutItems, PutUsers and the catalogue want it.

docs: personalize/latest/dg/importing-items.html, personalize/latest/dg/importing-users.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from personalize_rules.schemas import Field, Schema
from personalize_rules.values import json_value

#: Python types that a column of each Avro type takes; a boolean is no number.
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "int": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
}
WORDS = {"string": "a string", "int": "a whole number", "long": "a whole number", "boolean": "true or false"}


class Unusable(Exception):
    """A record that can never be put; the message names the column and the rule."""


def read_row(schema: Schema, id_column: str, given: Any) -> dict[str, Any]:
    """The columns of a record; categories may come as a list. Raises Unusable."""
    if not isinstance(given, dict):
        raise Unusable("the body must be an object of columns")
    columns = {field.name: field for field in schema.fields if field.name != id_column}
    unknown = next((name for name in given if name not in columns), None)
    if unknown is not None:
        raise Unusable(f"{unknown[:100]}: there is no such column (there are: {', '.join(columns)})")
    row = {}
    for name, field in columns.items():
        value = given.get(name)
        if value is not None:
            row[name] = checked(schema, field, value)
        elif not field.nullable:
            raise Unusable(f"{name}: is required")
    return row


def checked(schema: Schema, field: Field, value: Any) -> Any:
    """The value of a column, a list of categories as the service writes it. Raises Unusable."""
    if field.categorical and isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        value = "|".join(value)
    allowed = TYPES[field.type]
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
        raise Unusable(f"{field.name}: must be {WORDS.get(field.type, 'a number')}")
    try:
        json_value(schema, field, value)
    except ValueError as error:
        raise Unusable(f"{field.name}: {error}") from None
    return value


def properties_text(row: Mapping[str, Any], limit: int) -> str:
    """The row as the JSON string that the service takes: names in camel case. Raises Unusable."""
    text = json.dumps({camel_case(name): value for name, value in row.items()}, separators=(",", ":"))
    if len(text) > limit:
        raise Unusable(f"the record is longer than {limit} characters")
    return text


def camel_case(column: str) -> str:
    """`CREATION_TIMESTAMP` -> `creationTimestamp`."""
    return re.sub(r"_+(.)", lambda match: match[1].upper(), column.lower())


def attributes(schema: Schema, row: Mapping[str, Any]) -> dict[str, Any]:
    """The row as the catalogue keeps it: categories as lists, no free text."""
    kept = {}
    for name, value in row.items():
        field = schema.column(name)
        if field is None or field.textual:
            continue
        if field.categorical:
            value = value.split("|")
        kept[name] = value
    return kept

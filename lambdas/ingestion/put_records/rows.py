"""One item or user as the API takes it (the columns of the dataset's schema) and as PutItems, PutUsers and the catalogue want it.

docs: personalize/latest/dg/importing-items.html, personalize/latest/dg/importing-users.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from personalize_rules.schemas import Field, Schema, camel_case
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
_WORDS = {"string": "a string", "int": "a whole number", "long": "a whole number", "boolean": "true or false"}


class Unusable(Exception):
    """A record that can never be put; the message names the column and the rule."""


def read_columns(schema: Schema, id_column: str, given: Any) -> dict[str, Any]:
    """Those columns of a record that are given, None for one without a value; categories may come as a list. Raises Unusable."""
    if not isinstance(given, dict):
        raise Unusable("the body must be an object of columns")
    columns = {field.name: field for field in schema.fields if field.name != id_column}
    unknown = next((name for name in given if name not in columns), None)
    if unknown is not None:
        shown = unknown[:100].encode(errors="replace").decode()
        raise Unusable(f"{shown}: there is no such column (there are: {', '.join(columns)})")
    return {name: checked(schema, columns[name], value) for name, value in given.items()}


def complete(schema: Schema, id_column: str, columns: Mapping[str, Any]) -> dict[str, Any]:
    """A record's columns that have a value, in the order of the schema. Raises Unusable if one is missing."""
    fields = [field for field in schema.fields if field.name != id_column]
    missing = next((field.name for field in fields if not field.nullable and columns.get(field.name) is None), None)
    if missing is not None:
        raise Unusable(f"{missing}: is required")
    return {field.name: columns[field.name] for field in fields if columns.get(field.name) is not None}


def checked(schema: Schema, field: Field, value: Any) -> Any:
    """The value of a column, a list of categories as the service writes it; None, "" and [] are no value. Raises Unusable."""
    if value is None or value in ("", []):
        if not field.nullable:
            raise Unusable(f"{field.name}: is required")
        return None
    if field.categorical and isinstance(value, list) and all(isinstance(part, str) for part in value):
        wrong = next((part for part in value if not part or "|" in part), None)
        if wrong is not None:
            raise Unusable(f"{field.name}: a category can't be empty, nor have a | in it, which stands between categories")
        value = "|".join(value)
    allowed = TYPES[field.type]
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
        raise Unusable(f"{field.name}: must be {_WORDS.get(field.type, 'a number')}")
    try:
        json_value(schema, field, value)
    except ValueError as error:
        raise Unusable(f"{field.name}: {error}") from None
    return value


def properties_text(row: Mapping[str, Any], limit: int) -> str:
    """The row as the JSON string that the service takes: names in camel case. Raises Unusable."""
    named = {camel_case(name): value for name, value in row.items()}
    text = json.dumps(named, separators=(",", ":"), ensure_ascii=False)  # the service counts characters, not escapes
    if len(text) > limit:
        raise Unusable(f"the record is longer than {limit} characters")
    return text

"""Avro schemas as Amazon Personalize wants them, and what they say of a CSV's columns.

docs: personalize/latest/dg/how-it-works-dataset-schema.html, personalize/latest/dg/custom-datasets-and-schemas.html
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

DatasetKind = Literal["interactions", "items", "users"]
DATASET_TYPES: tuple[DatasetKind, ...] = ("interactions", "items", "users")

#: Columns that must be there, with their type.
REQUIRED: dict[DatasetKind, dict[str, str]] = {
    "interactions": {"USER_ID": "string", "ITEM_ID": "string", "TIMESTAMP": "long"},
    "items": {"ITEM_ID": "string"},
    "users": {"USER_ID": "string"},
}
RECORD_NAME: dict[DatasetKind, str] = {"interactions": "Interactions", "items": "Items", "users": "Users"}
#: Most metadata columns (docs: personalize/latest/dg/limits.html).
MAX_METADATA: dict[DatasetKind, int] = {"interactions": 5, "items": 100, "users": 25}
RESERVED: dict[DatasetKind, set[str]] = {
    "interactions": {
        "EVENT_TYPE", "EVENT_VALUE", "IMPRESSION", "RECOMMENDATION_ID", "EVENT_ATTRIBUTION_SOURCE",
    },
    "items": {"CREATION_TIMESTAMP"},
    "users": set(),
}  # fmt: skip

Primitive = Literal["string", "int", "long", "float", "double", "boolean", "null"]


class AvroField(BaseModel):
    """One column. `type` is a primitive, or a pair of a primitive and null (then an empty cell is allowed)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=150)
    type: Primitive | tuple[Primitive, Primitive]
    categorical: bool = False
    textual: bool = False
    itemName: bool = False  # noqa: N815  the schema's own spelling

    @property
    def nullable(self) -> bool:
        return isinstance(self.type, tuple) and "null" in self.type

    @property
    def primitive(self) -> Primitive:
        """The type without its null."""
        return next(t for t in self.type if t != "null") if isinstance(self.type, tuple) else self.type

    @model_validator(mode="after")
    def one_type(self) -> AvroField:
        kinds = self.type if isinstance(self.type, tuple) else (self.type,)
        if sum(kind != "null" for kind in kinds) != 1:
            raise ValueError("type: a column has one type, or a type and null")
        if (self.categorical or self.textual) and self.primitive != "string":
            raise ValueError("type: a categorical or textual column is a string")
        return self


class AvroSchema(BaseModel):
    """A record schema; `text()` is what CreateSchema gets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["record"]
    name: str
    namespace: str
    fields: list[AvroField] = Field(min_length=1)
    version: str = "1.0"

    def text(self) -> str:
        return json.dumps(self.model_dump(mode="json", exclude_defaults=True) | {"version": self.version})

    def fingerprint(self) -> str:
        """Eight hex digits that change with the schema: schemas are immutable, so a changed one needs a new name."""
        return hashlib.sha256(self.text().encode()).hexdigest()[:8]

    def column(self, name: str) -> AvroField | None:
        return next((field for field in self.fields if field.name == name), None)

    def problems(self, kind: DatasetKind) -> list[str]:
        """The rules of a dataset of this kind that the schema breaks, as sentences."""
        found = []
        if self.name != RECORD_NAME[kind]:
            found.append(f"name must be '{RECORD_NAME[kind]}', not '{self.name}'")
        for name, primitive in REQUIRED[kind].items():
            field = self.column(name)
            if field is None:
                found.append(f"the column {name} ({primitive}) is required")
            elif field.type != primitive:
                found.append(f"the column {name} must be of type {primitive} and not nullable")
        plain = [field.name.replace("_", "").upper() for field in self.fields]
        found += [f"the column {f.name} stands twice" for f, p in zip(self.fields, plain, strict=True) if plain.count(p) > 1]
        metadata = [f for f in self.fields if f.name not in REQUIRED[kind] and f.name not in RESERVED[kind]]
        if len(metadata) > MAX_METADATA[kind]:
            found.append(f"at most {MAX_METADATA[kind]} metadata columns, found {len(metadata)}")
        if kind != "interactions" and len(self.fields) < 2:
            found.append("at least one metadata column is required")
        if sum(field.textual for field in self.fields) > (1 if kind == "items" else 0):
            found.append("at most one textual column, in items only")
        return found


def cell_reader(field: AvroField) -> Callable[[str], Any]:
    """A function from a cell's text to its value, None when empty; it raises ValueError with the rule that the cell breaks."""
    nullable, primitive = field.nullable, field.primitive
    whole = primitive in ("int", "long")
    number: Callable[[str], Any] = int if whole else float

    def read(text: str) -> Any:
        if text == "":
            if nullable:
                return None
            raise ValueError("is empty, and the schema does not allow null")
        if primitive == "string":
            return text
        if primitive == "boolean":
            if text not in ("true", "false"):
                raise ValueError(f"is '{text[:40]}', not true or false")
            return text == "true"
        try:
            return number(text)
        except ValueError:
            raise ValueError(f"is '{text[:40]}', not a {'whole number' if whole else 'number'}") from None

    return read

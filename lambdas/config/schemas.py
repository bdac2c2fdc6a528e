"""The Avro schemas of a deployment's datasets, as models of the config hold them; their rules: personalize_rules.schemas."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from personalize_rules.schemas import RULES, Kind, Schema, json_schema, read_schema

DatasetKind = Literal["interactions", "items", "users"]
DATASET_TYPES: tuple[DatasetKind, ...] = ("interactions", "items", "users")
#: The dataset types of Amazon Personalize, and how CreateDataset calls them.
KINDS: dict[DatasetKind, Kind] = {"interactions": "INTERACTIONS", "items": "ITEMS", "users": "USERS"}
RECORD_NAME: dict[DatasetKind, str] = {kind: RULES[KINDS[kind]].name for kind in DATASET_TYPES}


def _read(value: Any) -> Schema:
    return value if isinstance(value, Schema) else read_schema(value)


#: A schema that CreateSchema takes; packed as the document that it was read from.
AvroSchema = Annotated[
    Schema, PlainValidator(_read), PlainSerializer(lambda schema: schema.document), WithJsonSchema(json_schema())
]

"""What a deployment learns from: datasets and event types."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from lambdas.config.problems import Broken, Problem
from lambdas.config.schemas import DATASET_TYPES, KINDS, RECORD_NAME, AvroSchema, DatasetKind
from lambdas.config.section import Section
from personalize_rules.schemas import RULES

#: Of pages for people.
Language = Literal["en", "ko"]


class Dataset(Section):
    """One dataset: its Avro schema (in the file: a path beside the config, or the schema itself) and how CSVs are imported."""

    avro: AvroSchema = Field(alias="schema")
    import_mode: Literal["FULL", "INCREMENTAL"] = Field(
        "FULL", description="INCREMENTAL: CSVs after the first import add to the data, and replace rows by id"
    )


class Datasets(Section):
    """What Personalize learns from. Only interactions must be there; filters, rules and attributes in answers want items."""

    interactions: Dataset
    items: Dataset | None = None
    users: Dataset | None = None

    @model_validator(mode="after")
    def schemas_match_their_dataset(self) -> Datasets:
        """The name of a schema says which dataset it is for."""
        wrong = [
            Problem((kind, "schema"), f"name must be '{RECORD_NAME[kind]}', not '{RULES[dataset.avro.kind].name}'")
            for kind, dataset in self.present().items()
            if dataset.avro.kind != KINDS[kind]
        ]
        if wrong:
            raise Broken(wrong)
        return self

    def present(self) -> dict[DatasetKind, Dataset]:
        """The configured datasets in the order in which they are imported."""
        found = {kind: getattr(self, kind) for kind in DATASET_TYPES}
        return {kind: dataset for kind, dataset in found.items() if dataset is not None}


class EventType(Section):
    """A kind of event that the shop sends."""

    archive_only: bool = Field(False, description="kept in the archive, never sent to Personalize (an event without an item)")


class Display(Section):
    """What people are shown of an item: by `reco recommend`, in reports, on approvals and in the storefront."""

    title: str | None = Field(
        None, description="the column of the items that holds their name; without it TITLE, if there is one"
    )
    language: Language = Field("en", description="of the report of a train run and of the page of an approval: English or Korean")

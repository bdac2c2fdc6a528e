"""Ensures that the datasets hold the CSVs in S3, and that the catalogue table knows the items."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ConfigDict

from lambdas.import_data.catalogue import load_catalogue, remove_gone
from lambdas.import_data.datasets import ensure_dataset, ensure_import
from lambdas.import_data.without_erased import copy_without_erased, source_of
from lambdas.shared.config import Config, packed_config
from lambdas.shared.ensure import Look, answer, part, pending
from lambdas.shared.observability import logger
from lambdas.shared.schemas import DatasetKind

#: Milliseconds that are left for answering when a long catalogue is put off to the next look.
RESERVE = 30_000


class Dataset(BaseModel):
    """A dataset of the plan: where its CSVs are, and their fingerprint."""

    model_config = ConfigDict(extra="ignore")

    kind: DatasetKind
    location: str
    files: str


class ImportRequest(BaseModel):
    """How far the catalogue had got at the last look: rows of the CSVs, and items removed that they lack."""

    model_config = ConfigDict(extra="ignore")

    run_id: str
    datasets: list[Dataset]
    catalogue_rows: int = 0
    items_removed: int = 0
    waited_seconds: int = 0


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request, config = ImportRequest.model_validate(event), packed_config()
    rows, removed = request.catalogue_rows, request.items_removed

    def out_of_time() -> bool:
        return bool(context.get_remaining_time_in_millis() < RESERVE)

    def look(dataset: Dataset) -> Look:
        nonlocal rows, removed
        seen = ensure_data(config, dataset, request.run_id)
        if dataset.kind == "items" and seen.active:
            schema = config.datasets.present()["items"].avro
            rows, complete = load_catalogue(schema, dataset.files, rows, out_of_time)
            if complete and seen.more["import_mode"] == "FULL":
                count, complete = remove_gone(dataset.files, out_of_time)
                removed += count
            seen = replace(seen, more={**seen.more, "items_removed": removed}) if complete else pending(seen.arn)
        return seen

    parts = [part({"kind": dataset.kind}, partial(look, dataset)) for dataset in request.datasets]
    return answer(parts, request.waited_seconds, catalogue_rows=rows, items_removed=removed)


def ensure_data(config: Config, dataset: Dataset, run_id: str) -> Look:
    """The dataset itself, then its import: of the CSVs, or of a copy without the rows of erased users where there are such."""
    seen = ensure_dataset(config, dataset.kind)
    if not seen.active:
        return seen
    source = source_of(dataset.kind, dataset.files, run_id)

    def location() -> str:
        return copy_without_erased(dataset.kind, run_id) if source.rows_left_out else dataset.location

    seen = ensure_import(config, dataset.kind, location, source.files, run_id)
    return replace(seen, more={**seen.more, "rows_left_out": source.rows_left_out}) if source.rows_left_out else seen

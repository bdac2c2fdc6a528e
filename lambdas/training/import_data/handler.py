"""Ensures that the datasets hold the CSVs in S3, and that the records of items and users are kept."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, Field

from lambdas.aws.ensure import StepResult, pending, result_of, step_output
from lambdas.aws.observability import logger
from lambdas.config import Config
from lambdas.config.packed import packed_config
from lambdas.config.schemas import DatasetKind
from lambdas.training.import_data.datasets import ensure_dataset, ensure_import
from lambdas.training.import_data.records import load_records, remove_gone
from lambdas.training.import_data.without_erased import copy_without_erased, source_of

#: Milliseconds that are left for answering when the rest of many records is put off to the next look.
RESERVE = 30_000


class Dataset(BaseModel):
    """A dataset of the plan: where its CSVs are, and their fingerprint."""

    kind: DatasetKind
    location: str
    files: str


class ImportRequest(BaseModel):
    """How far the last look had got, by dataset: rows of the CSVs that are kept, and records removed that they lack."""

    run_id: str
    datasets: list[Dataset]
    loaded: dict[str, int] = Field(default_factory=dict)
    removed: dict[str, int] = Field(default_factory=dict)
    waited_seconds: int = 0


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request, config = ImportRequest.model_validate(event), packed_config()
    loaded, removed = dict(request.loaded), dict(request.removed)

    def out_of_time() -> bool:
        return bool(context.get_remaining_time_in_millis() < RESERVE)

    def ensure(dataset: Dataset) -> StepResult:
        seen, kind = _ensure_data(config, dataset, request.run_id), dataset.kind
        if kind == "interactions" or not seen.active:
            return seen
        schema = config.datasets.present()[kind].avro
        loaded[kind], complete = load_records(kind, schema, dataset.files, loaded.get(kind, 0), out_of_time)
        if complete and seen.extra["import_mode"] == "FULL":
            count, complete = remove_gone(kind, dataset.files, out_of_time)
            removed[kind] = removed.get(kind, 0) + count
        if not complete:
            return pending(seen.arn)
        return replace(seen, extra={**seen.extra, "items_removed": removed.get(kind, 0)}) if kind == "items" else seen

    parts = [result_of({"kind": dataset.kind}, partial(ensure, dataset)) for dataset in request.datasets]
    return step_output(parts, request.waited_seconds, loaded=loaded, removed=removed)


def _ensure_data(config: Config, dataset: Dataset, run_id: str) -> StepResult:
    """The dataset itself, then its import: of the CSVs, or of a copy without the rows of erased users where there are such."""
    seen = ensure_dataset(config, dataset.kind)
    if not seen.active:
        return seen
    source = source_of(dataset.kind, dataset.files, run_id)

    def location() -> str:
        return copy_without_erased(dataset.kind, run_id) if source.rows_left_out else dataset.location

    seen = ensure_import(config, dataset.kind, location, source.files, run_id)
    return replace(seen, extra={**seen.extra, "rows_left_out": source.rows_left_out}) if source.rows_left_out else seen

"""Ensures that one dataset holds the CSVs in S3, and that the catalogue table knows the items."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ConfigDict

from lambdas.import_data.catalogue import load_catalogue
from lambdas.import_data.datasets import ensure_dataset, ensure_import
from lambdas.shared.config import packed_config
from lambdas.shared.ensure import pending
from lambdas.shared.observability import logger
from lambdas.shared.schemas import DatasetKind

#: Milliseconds that are left for answering when a long catalogue is put off to the next look.
RESERVE = 30_000


class ImportRequest(BaseModel):
    """A dataset of the plan; `catalogue_rows` is how far the catalogue had got at the last look."""

    model_config = ConfigDict(extra="ignore")

    run_id: str
    kind: DatasetKind
    location: str
    files: str
    catalogue_rows: int = 0


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = ImportRequest.model_validate(event)
    config, kind = packed_config(), request.kind
    step = ensure_dataset(config, kind)
    if step.status == "ACTIVE":
        step = ensure_import(config, kind, request.location, request.files, request.run_id)
    rows = request.catalogue_rows
    if kind == "items" and step.status == "ACTIVE":
        schema = config.datasets.present()[kind].avro
        rows, complete = load_catalogue(schema, rows, lambda: context.get_remaining_time_in_millis() < RESERVE)
        step = step if complete else pending(step.arn)
    return step.answer(kind=kind, catalogue_rows=rows)

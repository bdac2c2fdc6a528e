"""What a train run is going to do, and whether the data allows it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from lambdas.aws import clients
from lambdas.config import Config, environment
from lambdas.config.names import dataset_arn, imported_files
from lambdas.config.schemas import DatasetKind
from lambdas.stores import prefixes
from lambdas.stores.reports import write_report
from lambdas.training.csv_files import CsvFile, csv_files, files_fingerprint, location
from lambdas.training.data_checks import DataCheck, Earlier
from lambdas.training.findings import Findings
from lambdas.training.imports import import_jobs


class InvalidData(Exception):
    """The CSVs can't be imported or trained on; the message lists the findings."""


def make_plan(config: Config, selected: list[str] | None) -> dict[str, Any]:
    """The plan of a run: what to import, to prepare, to train. Raises ValueError for an unknown solution."""
    unknown = [name for name in selected or [] if name not in config.solutions]
    if unknown:
        raise ValueError(f"input.solutions: there is no solution '{unknown[0]}' (there are: {', '.join(config.solutions)})")
    kinds = list(config.datasets.present())
    return {
        "datasets": [_dataset_plan(kind, csv_files(kind)) for kind in kinds],
        "resources": [
            {"kind": "event_tracker"},
            *({"kind": "filter", "name": name} for name in config.filters),
        ],
        "solutions": selected or list(config.solutions),
    }


def _dataset_plan(kind: DatasetKind, files: list[CsvFile]) -> dict[str, Any]:
    return {
        "kind": kind,
        "location": location(kind),
        "files": files_fingerprint(files),
        "bytes": sum(f.size for f in files),
    }


def check_data(config: Config, solutions: Sequence[str]) -> Findings:
    """What the beginnings of the CSVs, samples of the rest and the minimums of these solutions show."""
    incremental = config.datasets.interactions.import_mode == "INCREMENTAL"
    files = csv_files("interactions")
    fingerprint = files_fingerprint(files)
    check = DataCheck(config, solutions, earlier=_earlier_counts(config, fingerprint) if incremental else ())
    check.check("interactions", location("interactions"), files)
    if incremental:
        write_report(_counts_key(fingerprint), json.dumps(check.counted()))
    for kind in config.datasets.present():
        if kind != "interactions":
            check.check(kind, location(kind), csv_files(kind))
    return check.findings


def _earlier_counts(config: Config, fingerprint: str) -> list[Earlier]:
    """What each import brought to which this one adds, as the plans of those runs counted it; None where that is not known."""
    jobs = [job for job in _imports_of(config) if job["status"] == "ACTIVE"]
    jobs.sort(key=lambda job: job["creationDateTime"], reverse=True)
    last_full = next((place for place, job in enumerate(jobs) if job.get("importMode") != "INCREMENTAL"), len(jobs) - 1)
    return [_counts_of(files) for files in map(_files, jobs[: last_full + 1]) if files != fingerprint]


def _files(job: dict[str, Any]) -> str:
    return imported_files(job["jobName"])


def _imports_of(config: Config) -> list[dict[str, Any]]:
    """The import jobs of the interactions; none before the dataset is there."""
    client = clients.personalize()
    try:
        return import_jobs(dataset_arn(config, "interactions"))
    except (client.exceptions.ResourceNotFoundException, client.exceptions.InvalidInputException):
        return []


def _counts_key(fingerprint: str) -> str:
    return f"counts/interactions-{fingerprint}.json"


def _counts_of(fingerprint: str) -> Earlier:
    """What the plan of an earlier run counted of its files."""
    client = clients.s3()
    try:
        body = client.get_object(Bucket=environment.current().data_bucket, Key=prefixes.REPORTS + _counts_key(fingerprint))[
            "Body"
        ]
    except client.exceptions.NoSuchKey:
        return None
    found: dict[str, Any] = json.load(body)
    return found

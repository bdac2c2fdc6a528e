"""Where a batch run keeps its files, and what its steps hand to each other.

Below `batch/<batch or segment>/<version>/` of the data bucket: `input/`, `output/`, `rejected/`, `candidates.txt`, `input.json`
(what the job that built the input reports). The version is the time at which the run began.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel

from lambdas.config import environment
from lambdas.stores import prefixes

Kind = Literal["batch", "segment"]


class Making(BaseModel):
    """A batch or a segment that a run makes."""

    kind: Kind
    name: str
    version: str

    def key(self, name: str) -> str:
        return f"{prefixes.BATCH}{self.name}/{self.version}/{name}"

    def address(self, name: str) -> str:
        return prefixes.address(environment.current().data_bucket, self.key(name))


def version_of(run_started: datetime) -> str:
    """A later run has a greater version."""
    return run_started.strftime("%Y%m%dT%H%M%S%f")[:-3] + "Z"


def started(version: str) -> datetime:
    """When the run of a version started."""
    return datetime.strptime(version, "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC)


def erased_key(version: str) -> str:
    """The object that lists the erased users, one JSON line each, for the Spark jobs of a run."""
    return f"{prefixes.ERASED}{version}.jsonl"

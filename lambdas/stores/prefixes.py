"""What is where in the data bucket: each prefix is written here once, for stacks, functions and commands."""

from __future__ import annotations

#: The CSVs that are imported: a folder for each dataset, as `datasets/interactions/`.
DATASETS = "datasets/"
INTERACTIONS = f"{DATASETS}interactions/"
#: An object that tells that all CSVs are there, where a deployment trains by it.
READY = f"{DATASETS}_READY"
#: The archive: events as they came, by hour.
EVENTS = "events/"
#: What Firehose could not write to the archive.
EVENTS_ERRORS = "events-errors/"
#: Events that are written anew without erased users.
EVENTS_STAGING = "events-staging/"
#: Files of batch runs: a folder for each batch or segment.
BATCH = "batch/"
#: A list of the erased users for the Spark jobs of each run.
ERASED = f"{BATCH}erased/"
#: What the job that rebuilds the Interactions CSVs from the archive reports, and the events that it rejected.
INTERACTIONS_REPORT, REJECTED_INTERACTIONS = f"{BATCH}interactions.json", f"{BATCH}rejected-interactions/"
#: The lists of popularity counts: a folder for each solution.
SNAPSHOTS = "snapshots/"
#: What the jobs for sample lists read and write: a folder for each run.
SAMPLES = "samples/"
#: What runs found and did: a folder for each run.
REPORTS = "reports/"
#: What the archive run did for erased users: a file for each run.
ERASURE_REPORTS = f"{REPORTS}erasures/"
#: Tables of retention figures.
RETENTION = "retention/"
#: Rejected records that are too large for a message.
DEAD_LETTERS = "dead-letters/"
#: Batches that Lambda gave up: it chooses the prefix. docs: lambda/latest/dg/kinesis-on-failure-destination.html
GIVEN_UP = "aws/lambda/"
#: Results of queries over experiments.
ATHENA = "athena/"


def dataset(kind: str) -> str:
    """`datasets/items/`, the folder that an import job of `items` reads."""
    return f"{DATASETS}{kind}/"


def without_erased(kind: str) -> str:
    """Copies of a dataset's CSVs without erased users: a folder for each run."""
    return f"{dataset(kind)}without-erased/"


def address(bucket: str, key: str) -> str:
    return f"s3://{bucket}/{key}"

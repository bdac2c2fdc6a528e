"""Every store of a deployment, and how what it holds of a user who asked to be forgotten goes from there.

A new table, bucket, queue, stream or prefix of the data bucket gets a line here: tests/stacks/test_user_stores.py holds the list
against the templates, `prefixes.py` and docs/ingestion.md. The data bucket takes its days from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from lambdas.stores import prefixes


class Gone(StrEnum):
    """When something of an erased user is gone."""

    AT_ONCE = "when the user is erased, and each day again for what was on its way"
    DAILY = "by the daily deletion job"
    WEEKLY = "by the weekly archive run, which writes the files anew"
    EXPIRED = "after some days, by lifecycle, retention or time to live"
    BY_THE_SHOP = "when the shop takes it out: these are its own files, of which runs read copies without the user"
    NEVER = "it is what says that the user is erased"
    NOTHING_THERE = "nothing of a user gets there"


@dataclass(frozen=True)
class Store:
    """A table, queue or stream by its name behind `<deployment>_`, a bucket by its logical id, a prefix of the data bucket.

    `days` are those of a lifecycle rule or a retention period. Rows of a table expire at a time of their own, and need none.
    """

    kind: Literal["table", "queue", "stream", "bucket", "prefix", "service"]
    name: str
    gone: Gone
    days: int | None = None


STORES = (
    Store("service", "Personalize", Gone.DAILY),
    Store("table", "recent-items", Gone.AT_ONCE),
    Store("table", "records", Gone.AT_ONCE),
    Store("table", "batch-lists", Gone.AT_ONCE),
    Store("table", "segments", Gone.EXPIRED),
    Store("table", "erasures", Gone.NEVER),
    Store("table", "catalogue", Gone.NOTHING_THERE),
    Store("table", "runs", Gone.NOTHING_THERE),
    Store("stream", "events", Gone.EXPIRED, days=7),
    Store("queue", "records", Gone.EXPIRED, days=7),
    Store("queue", "records-stuck", Gone.EXPIRED, days=14),
    Store("queue", "dead-letters", Gone.EXPIRED, days=14),
    Store("queue", "missed-starts", Gone.NOTHING_THERE),
    # The lists of erased users for the jobs of Personalize.
    Store("bucket", "ErasureLists", Gone.EXPIRED, days=7),
    # Which objects were asked for: no key of one has the id of a user.
    Store("bucket", "AccessLogs", Gone.NOTHING_THERE),
    Store("prefix", prefixes.DATASETS, Gone.BY_THE_SHOP),
    # Copies of CSVs for one import.
    Store("prefix", prefixes.without_erased("interactions"), Gone.EXPIRED, days=7),
    Store("prefix", prefixes.without_erased("users"), Gone.EXPIRED, days=7),
    Store("prefix", prefixes.EVENTS, Gone.WEEKLY),
    # Inputs and outputs of batch jobs.
    Store("prefix", prefixes.BATCH, Gone.EXPIRED, days=30),
    # Inputs and outputs of the jobs for sample lists, which are kept without users.
    Store("prefix", prefixes.SAMPLES, Gone.EXPIRED, days=1),
    # Records that could not be put: large ones, batches that Lambda gave up, what Firehose could not write.
    Store("prefix", prefixes.DEAD_LETTERS, Gone.EXPIRED, days=14),
    Store("prefix", prefixes.GIVEN_UP, Gone.EXPIRED, days=14),
    Store("prefix", prefixes.EVENTS_ERRORS, Gone.EXPIRED, days=14),
    # Events that are written anew without erased users: of a job that died, since a job deletes its own.
    Store("prefix", prefixes.EVENTS_STAGING, Gone.EXPIRED, days=2),
    # What queries of experiments answered.
    Store("prefix", prefixes.ATHENA, Gone.EXPIRED, days=7),
    Store("prefix", prefixes.SNAPSHOTS, Gone.NOTHING_THERE),
    Store("prefix", prefixes.REPORTS, Gone.NOTHING_THERE),
    Store("prefix", prefixes.RETENTION, Gone.NOTHING_THERE),
)


def expiring_prefixes() -> dict[str, int]:
    """What names users in the data bucket and is of use for a time only: days by prefix."""
    return {store.name: store.days for store in STORES if store.kind == "prefix" and store.days}

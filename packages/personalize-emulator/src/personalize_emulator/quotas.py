"""Service quotas (docs: personalize/latest/dg/limits.html), all changeable."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from personalize_emulator.errors import LimitExceeded, Throttling
from personalize_rules import limits


@dataclass(frozen=True)
class Quotas:
    """The default values of the service. Counts per account and region unless the name says otherwise."""

    schemas: int = limits.SCHEMAS
    dataset_groups: int = limits.DATASET_GROUPS
    pending_import_jobs: int = 5
    pending_export_jobs: int = 5
    pending_batch_inference_jobs: int = 5
    pending_batch_segment_jobs: int = 5
    pending_solution_versions: int = 20
    pending_deletion_jobs_per_dataset_group: int = 5
    solutions_per_dataset_group: int = limits.SOLUTIONS_PER_DATASET_GROUP
    campaigns_per_dataset_group: int = limits.CAMPAIGNS_PER_DATASET_GROUP
    recommenders_per_dataset_group: int = 5
    filters_per_dataset_group: int = limits.FILTERS_PER_DATASET_GROUP
    fields_per_filter: int = limits.FIELDS_PER_FILTER
    filter_fields_per_dataset_group: int = limits.FIELDS_PER_DATASET_GROUP
    tags_per_resource: int = 50
    put_events_per_second: int = 1000
    put_action_interactions_per_second: int = 1000
    put_records_per_second: int = 10
    """PutItems, PutUsers and PutActions together, per dataset group."""
    recommendations_per_second: int = 500
    """Calls of one operation per campaign or recommender."""
    event_bytes: int = limits.EVENT_BYTES
    batch_input_files: int = limits.MAX_BATCH_FILES

    def changed(self, values: Mapping[str, Any]) -> "Quotas":
        """These quotas with some set anew.

        Raises ValueError for a name that does not exist or a value that is not a count.
        """
        known = {f.name for f in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"unknown quota '{name}'; there are: {', '.join(sorted(known))}")
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ValueError(f"quota '{name}' must be a whole number from 0, not {value!r}")
        return replace(self, **values)


def check_pending(count: int, quota: int) -> None:
    if count >= quota:
        raise LimitExceeded(f"More than {quota} resources with PENDING or IN_PROGRESS status")


def check_active(count: int, quota: int, what: str) -> None:
    if count >= quota:
        raise LimitExceeded(
            f"Cannot create a {what}. More than {quota} resources in ACTIVE state. Please delete some and try again."
        )


class RateLimiter:
    """Token buckets by name: `rate` calls a second, and as many at once after a quiet second."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}  # name -> (tokens, when)

    def take(self, bucket: str, rate: int) -> None:
        """Raises Throttling when the bucket is empty."""
        now = time.monotonic()
        with self._lock:
            tokens, when = self._buckets.get(bucket, (float(rate), now))
            tokens = min(float(rate), tokens + (now - when) * rate)
            if tokens < 1:
                self._buckets[bucket] = (tokens, now)
                raise Throttling(f"Rate exceeded: {rate} requests per second")
            self._buckets[bucket] = (tokens - 1, now)

"""Event trackers and filters of a dataset group."""

import logging
import secrets
import uuid
from typing import Any

from personalize_emulator.errors import InvalidInput, LimitExceeded, ResourceAlreadyExists
from personalize_emulator.quotas import check_active
from personalize_emulator.resources.context import Context, Operation, Request
from personalize_emulator.resources.records import Resource
from personalize_rules.filters import checked_filter, distinct_fields, parse_filter

log = logging.getLogger(__name__)


class TrackersAndFilters:
    def __init__(self, context: Context) -> None:
        self.context = context

    def operations(self) -> dict[str, Operation]:
        """The operations of this module by their API names."""
        return {
            "CreateEventTracker": self.create_event_tracker,
            "DeleteEventTracker": self.delete_event_tracker,
            "CreateFilter": self.create_filter,
            "DeleteFilter": self.delete_filter,
        }

    def create_event_tracker(self, request: Request) -> dict[str, Any]:
        context = self.context
        group = context.find_active("dataset-group", request["datasetGroupArn"])
        if present := context.store.of_type("event-tracker", group=group.arn):
            # Guess: a second event tracker of a dataset group exists already.
            raise ResourceAlreadyExists(f"Dataset group {group.arn} already has the event tracker {present[0].arn}")
        if any(t.name == request["name"] for t in context.store.of_type("event-tracker")):
            raise ResourceAlreadyExists(f"Another event tracker of the name {request['name']} already exists")
        tracking_id = str(uuid.uuid4())
        tracker = context.create(
            "event-tracker",
            f"event-tracker/{secrets.token_hex(4)}",
            request,
            group=group.arn,
            fields={"trackingId": tracking_id, "accountId": context.account},
        )
        return {"eventTrackerArn": tracker.arn, "trackingId": tracking_id}

    def delete_event_tracker(self, request: Request) -> None:
        self.context.delete(self.context.find("event-tracker", request["eventTrackerArn"]))

    def create_filter(self, request: Request) -> dict[str, Any]:
        context = self.context
        group = context.find_active("dataset-group", request["datasetGroupArn"])
        parsed = checked_filter(request["filterExpression"], context.stores.schemas(group.arn))
        if parsed.mixes_and_with_or:
            log.warning("Filter mixes AND and OR; AND is taken to bind closer: %s", parsed.text)
        present = context.store.of_type("filter", group=group.arn)
        check_active(len(present), context.quotas.filters_per_dataset_group, "filter")
        self._check_fields(set(parsed.fields), present)
        created = context.create("filter", f"filter/{request['name']}", request, group=group.arn)
        return {"filterArn": created.arn}

    def _check_fields(self, fields: set[str], present: list[Resource]) -> None:
        quotas = self.context.quotas
        if len(fields) > quotas.fields_per_filter:
            raise InvalidInput(
                f"filterExpression: a filter can use at most {quotas.fields_per_filter} distinct fields, not {len(fields)}"
            )
        together = fields | distinct_fields(parse_filter(f.fields["filterExpression"]) for f in present)
        if len(together) > quotas.filter_fields_per_dataset_group:
            raise LimitExceeded(
                f"The filters of a dataset group can use at most {quotas.filter_fields_per_dataset_group} distinct "
                f"fields together, not {len(together)}"
            )

    def delete_filter(self, request: Request) -> None:
        found = self.context.find("filter", request["filterArn"])
        users = [
            job
            for resource_type in ("batch-inference-job", "batch-segment-job")
            for job in self.context.in_transition(resource_type, group=str(found.group))
            if job.fields.get("filterArn") == found.arn
        ]
        self.context.refuse_while(found, users)
        self.context.delete(found)

"""The events API: individual records streamed into datasets."""

import json
from typing import Any

from personalize_emulator.errors import InvalidInput, ResourceInUse, ResourceNotFound
from personalize_emulator.resources.context import Context, Operation, Request
from personalize_emulator.resources.records import Resource
from personalize_rules.schemas import Kind


class Events:
    def __init__(self, context: Context) -> None:
        self.context = context
        self._trackers: dict[str, str] = {}  # tracking id -> ARN of a tracker, or of an action interactions dataset

    def operations(self) -> dict[str, Operation]:
        """The operations of this module by their API names."""
        return {
            "PutEvents": self.put_events,
            "PutItems": lambda request: self._put_entities(request, "ITEMS", "items"),
            "PutUsers": lambda request: self._put_entities(request, "USERS", "users"),
            "PutActions": lambda request: self._put_entities(request, "ACTIONS", "actions"),
            "PutActionInteractions": self.put_action_interactions,
        }

    def put_events(self, request: Request) -> None:
        context = self.context
        tracker = self._tracker(request["trackingId"], "event-tracker")
        if tracker is None or tracker.status != "ACTIVE":
            # Guess: an unknown trackingId is an invalid input; the model declares no other error.
            status = f"the event tracker is {tracker.status}" if tracker else "there is no such event tracker"
            raise InvalidInput(f"trackingId '{request['trackingId']}': {status}")
        group = context.store.get(str(tracker.group))
        if group is None or context.store.get(context.arn(f"dataset/{group.name}/INTERACTIONS")) is None:
            raise InvalidInput("trackingId: the dataset group has no Interactions dataset")
        self._check_size(request["eventList"], "eventList")
        context.rates.take(f"PutEvents {tracker.group}", context.quotas.put_events_per_second)
        context.stores.of(group.arn).put_events(request, context.clock.now())

    def put_action_interactions(self, request: Request) -> None:
        context = self.context
        dataset = self._tracker(request["trackingId"], "dataset")
        if dataset is None:
            # Guess: an unknown trackingId is not found, where the model declares that.
            raise ResourceNotFound(f"trackingId '{request['trackingId']}': there is no such Action_Interactions dataset")
        self._check_dataset(dataset)
        self._check_size(request["actionInteractions"], "actionInteractions")
        rate = context.quotas.put_action_interactions_per_second
        context.rates.take(f"PutActionInteractions {dataset.group}", rate)
        context.stores.of(str(dataset.group)).put_action_interactions(request, context.clock.now())

    def _put_entities(self, request: Request, kind: Kind, member: str) -> dict[str, Any] | None:
        context = self.context
        dataset = context.find("dataset", request["datasetArn"])
        self._check_dataset(dataset)
        if dataset.fields["datasetType"] != kind:
            raise InvalidInput(f"datasetArn: {dataset.arn} is not a dataset of type {kind}")
        context.rates.take(f"Put {dataset.group}", context.quotas.put_records_per_second)
        context.stores.of(str(dataset.group)).put_entities(kind, request[member])
        return None

    def _check_dataset(self, dataset: Resource) -> None:
        if dataset.status != "ACTIVE":
            raise ResourceInUse(f"Resource Arn {dataset.arn} is not ACTIVE: its status is {dataset.status}")

    def _check_size(self, events: list[dict[str, Any]], member: str) -> None:
        most = self.context.quotas.event_bytes
        for i, event in enumerate(events):
            size = len(json.dumps(event, ensure_ascii=False).encode())
            if size > most:
                raise InvalidInput(f"{member}.{i + 1}.member: an event can have at most {most} bytes, not {size}")

    def _tracker(self, tracking_id: str, resource_type: str) -> Resource | None:
        resource = self.context.store.get(self._trackers.get(tracking_id, ""))
        if resource is None:
            resource = next(
                (r for r in self.context.store.of_type(resource_type) if r.fields.get("trackingId") == tracking_id), None
            )
            if resource:
                self._trackers[tracking_id] = resource.arn
        return resource if resource and resource.fields.get("trackingId") == tracking_id else None

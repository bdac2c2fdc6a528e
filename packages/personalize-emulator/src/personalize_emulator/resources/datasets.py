"""Schemas, dataset groups and datasets."""

import uuid
from collections.abc import Mapping
from typing import Any, cast, get_args

from personalize_emulator.errors import InvalidInput, ResourceAlreadyExists, ResourceInUse
from personalize_emulator.quotas import check_active
from personalize_emulator.resources.attributions import measured_kinds
from personalize_emulator.resources.context import Context, Operation, Request
from personalize_emulator.resources.records import Resource
from personalize_rules.schema_updates import check_schema_update
from personalize_rules.schemas import Kind, parse_schema


class Datasets:
    def __init__(self, context: Context) -> None:
        self.context = context
        context.lifecycle.finish("dataset", "create", self._created)
        context.lifecycle.finish("dataset", "delete", self._deleted)
        context.lifecycle.finish("dataset", "update", self._updated)
        context.lifecycle.finish("dataset-group", "delete", self._group_deleted)

    def operations(self) -> dict[str, Operation]:
        """The operations of this module by their API names."""
        return {
            "CreateSchema": self.create_schema,
            "DeleteSchema": self.delete_schema,
            "CreateDatasetGroup": self.create_dataset_group,
            "DeleteDatasetGroup": self.delete_dataset_group,
            "CreateDataset": self.create_dataset,
            "UpdateDataset": self.update_dataset,
            "DeleteDataset": self.delete_dataset,
        }

    def create_schema(self, request: Request) -> dict[str, Any]:
        parse_schema(request["schema"], request.get("domain"))
        context = self.context
        check_active(len(context.store.of_type("schema")), context.quotas.schemas, "schema")
        schema = context.create("schema", f"schema/{request['name']}", request, group=None, course=None)
        return {"schemaArn": schema.arn}

    def delete_schema(self, request: Request) -> None:
        schema = self.context.find("schema", request["schemaArn"])
        users = [d for d in self.context.store.of_type("dataset") if schema.arn in _schemas_of(d)]
        self.context.refuse_while(schema, users)
        self.context.store.remove(schema)

    def create_dataset_group(self, request: Request) -> dict[str, Any]:
        if ("kmsKeyArn" in request) != ("roleArn" in request):
            raise InvalidInput("kmsKeyArn and roleArn must be given together: the role is for using the key")
        context = self.context
        check_active(len(context.store.of_type("dataset-group")), context.quotas.dataset_groups, "dataset group")
        group = context.create("dataset-group", f"dataset-group/{request['name']}", request, group=None)
        group.group = group.arn
        context.store.put(group)
        return {"datasetGroupArn": group.arn, "domain": request.get("domain")}

    def delete_dataset_group(self, request: Request) -> None:
        group = self.context.find("dataset-group", request["datasetGroupArn"])
        remaining = [
            r
            for resource_type in ("event-tracker", "solution", "dataset", "recommender", "filter", "metric-attribution")
            for r in self.context.store.of_type(resource_type, group=group.arn)
        ]
        self.context.refuse_while(group, remaining)
        self.context.delete(group)

    def _group_deleted(self, group: Resource, _: Mapping[str, Any]) -> None:
        self.context.stores.discard(group)
        for resource in self.context.store.all():
            if resource.group == group.arn:
                self.context.store.remove(resource)

    def create_dataset(self, request: Request) -> dict[str, Any]:
        context = self.context
        kind = _kind(request["datasetType"])
        group = context.find_active("dataset-group", request["datasetGroupArn"])
        self._check_schema(request["schemaArn"], kind, group)
        path = f"dataset/{group.name}/{kind}"
        if context.store.get(context.arn(path)):
            raise ResourceAlreadyExists(f"Dataset group {group.arn} already has a dataset of type {kind}")
        fields: dict[str, Any] = {"datasetType": kind}
        if kind == "ACTION_INTERACTIONS":
            fields["trackingId"] = str(uuid.uuid4())
        dataset = context.create("dataset", path, request, group=group.arn, fields=fields)
        return {"datasetArn": dataset.arn}

    def _check_schema(self, arn: str, kind: Kind, group: Resource) -> None:
        schema = self.context.find("schema", arn)
        domain = group.fields.get("domain")
        parsed = parse_schema(schema.fields["schema"], domain)
        if parsed.kind != kind:
            raise InvalidInput(f"schemaArn: the schema is for {parsed.kind}, the dataset is of type {kind}")
        if schema.fields.get("domain") not in (None, domain):
            raise InvalidInput(f"schemaArn: the schema is of domain {schema.fields['domain']}, the dataset group of {domain}")

    def _created(self, dataset: Resource, _: Mapping[str, Any]) -> None:
        self.context.stores.changed(str(dataset.group))

    def update_dataset(self, request: Request) -> dict[str, Any]:
        context = self.context
        dataset = context.find_active("dataset", request["datasetArn"])
        if dataset.in_transition:
            raise ResourceInUse(f"Resource Arn {dataset.arn} is being updated")
        group = context.find("dataset-group", str(dataset.group))
        self._check_schema(request["schemaArn"], dataset.fields["datasetType"], group)
        old, new = (
            parse_schema(context.find("schema", arn).fields["schema"], group.fields.get("domain"))
            for arn in (dataset.fields["schemaArn"], request["schemaArn"])
        )
        check_schema_update(old, new)
        dataset.fields["latestDatasetUpdate"] = {
            "schemaArn": request["schemaArn"],
            "creationDateTime": context.clock.now(),
        }
        context.lifecycle.begin(dataset, "update", on="latestDatasetUpdate")
        context.lifecycle.begin(dataset, "update")
        return {"datasetArn": dataset.arn}

    def _updated(self, dataset: Resource, _: Mapping[str, Any]) -> None:
        dataset.fields["schemaArn"] = dataset.fields["latestDatasetUpdate"]["schemaArn"]
        self.context.stores.changed(str(dataset.group))

    def delete_dataset(self, request: Request) -> None:
        dataset = self.context.find("dataset", request["datasetArn"])
        self.context.refuse_while(dataset, self._users_of(dataset))
        self.context.delete(dataset)

    def _users_of(self, dataset: Resource) -> list[Resource]:
        """What forbids deleting a dataset (docs: personalize/latest/dg/deleting-resources.html)."""
        context, group, kind = self.context, dataset.group, dataset.fields["datasetType"]
        users = list(context.store.of_type("filter", group=group))
        if kind == "INTERACTIONS":
            users += context.store.of_type("event-tracker", group=group)
        users += [a for a in context.store.of_type("metric-attribution", group=group) if kind in measured_kinds(a)]
        users += [c for c in context.store.of_type("campaign", group=group) if c.status != "CREATE FAILED"]
        for resource_type in ("recommender", "solution-version", "batch-inference-job", "batch-segment-job"):
            users += context.in_transition(resource_type, group=group)
        for resource_type in ("dataset-import-job", "dataset-export-job"):
            users += context.in_transition(resource_type, parent=dataset.arn)
        return users + context.in_transition("data-deletion-job", group=group)

    def _deleted(self, dataset: Resource, _: Mapping[str, Any]) -> None:
        self.context.stores.of(str(dataset.group)).delete_dataset(dataset.fields["datasetType"])
        self.context.stores.changed(str(dataset.group))


def _kind(dataset_type: str) -> Kind:
    kinds = get_args(Kind)
    if dataset_type.upper() not in kinds:
        raise InvalidInput(
            f"datasetType must be one of Interactions, Items, Users, Actions, Action_Interactions, not '{dataset_type}'"
        )
    return cast(Kind, dataset_type.upper())


def _schemas_of(dataset: Resource) -> tuple[str, ...]:
    return dataset.fields["schemaArn"], dataset.fields.get("latestDatasetUpdate", {}).get("schemaArn", "")

"""Dataset group, event tracker and filters: each a look, and a creation when it is absent."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from lambdas.aws import clients
from lambdas.aws.ensure import StepResult, create_or_wait, described, found_status, refuse_stranger
from lambdas.config import Config
from lambdas.config.names import arn, dataset_group_arn, event_tracker_name, filter_name
from lambdas.config.tags import deployment_tags


def ensure_dataset_group(config: Config) -> StepResult:
    group = dataset_group_arn(config)
    there = described(lambda: dict(clients.personalize().describe_dataset_group(datasetGroupArn=group)))
    if there is None:
        return create_or_wait(
            group, lambda: clients.personalize().create_dataset_group(name=config.name, tags=deployment_tags(config))
        )
    return found_status(group, there)


def ensure_event_tracker(config: Config) -> StepResult:
    """The tracker and its tracking id. A dataset group has one tracker at the most, whose ARN its name does not give."""
    group, client = dataset_group_arn(config), clients.personalize()
    trackers = client.list_event_trackers(datasetGroupArn=group)["eventTrackers"]
    if not trackers:
        name = event_tracker_name(config)
        create = partial(client.create_event_tracker, name=name, datasetGroupArn=group, tags=deployment_tags(config))
        return create_or_wait(group, create)
    arn = trackers[0]["eventTrackerArn"]
    tracker = client.describe_event_tracker(eventTrackerArn=arn)["eventTracker"]
    return found_status(arn, cast(dict[str, Any], tracker), tracking_id=tracker["trackingId"])


def ensure_filter(config: Config, name: str) -> StepResult:
    full_name = filter_name(config, name)
    there = described(lambda: dict(clients.personalize().describe_filter(filterArn=arn(f"filter/{full_name}"))))
    if there is None:
        return create_or_wait(
            arn(f"filter/{full_name}"),
            lambda: clients.personalize().create_filter(
                name=full_name,
                datasetGroupArn=dataset_group_arn(config),
                filterExpression=config.filters[name],
                tags=deployment_tags(config),
            ),
        )
    refuse_stranger(arn(f"filter/{full_name}"), there, dataset_group_arn(config))
    return found_status(arn(f"filter/{full_name}"), there)

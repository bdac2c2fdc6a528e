"""Dataset group, event tracker and filters: each a look, and a creation when it is absent."""

from __future__ import annotations

from lambdas.shared import clients
from lambdas.shared.config import Config
from lambdas.shared.ensure import Step, create_or_wait, found, step_for
from lambdas.shared.names import arn, dataset_group_arn, event_tracker_name, filter_name
from lambdas.shared.tags import deployment_tags


def ensure_dataset_group(config: Config) -> Step:
    group = dataset_group_arn(config)
    there = found(lambda: dict(clients.personalize().describe_dataset_group(datasetGroupArn=group)))
    if there is None:
        return create_or_wait(
            group, lambda: clients.personalize().create_dataset_group(name=config.name, tags=deployment_tags(config))
        )
    return step_for(group, there)


def ensure_event_tracker(config: Config) -> tuple[Step, str]:
    """The step, and the tracking id ("" until the tracker is active). A dataset group has one tracker at the most."""
    group = dataset_group_arn(config)
    trackers = clients.personalize().list_event_trackers(datasetGroupArn=group)["eventTrackers"]
    if not trackers:
        return create_or_wait(
            group,
            lambda: clients.personalize().create_event_tracker(
                name=event_tracker_name(config), datasetGroupArn=group, tags=deployment_tags(config)
            ),
        ), ""
    tracker = trackers[0]["eventTrackerArn"]
    there = found(lambda: dict(clients.personalize().describe_event_tracker(eventTrackerArn=tracker))) or {}
    return step_for(tracker, there), there["trackingId"]


def ensure_filter(config: Config, name: str) -> Step:
    full_name = filter_name(config, name)
    there = found(lambda: dict(clients.personalize().describe_filter(filterArn=arn(f"filter/{full_name}"))))
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
    return step_for(arn(f"filter/{full_name}"), there)

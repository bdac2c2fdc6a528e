"""What the config no longer names: old filters go once no reader uses them; campaigns and solutions are listed, or pruned.

A reader may go on with the deployment that it has for CACHE_SECONDS: an old filter is deleted after twice that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lambdas.aws import clients
from lambdas.aws.ensure import IN_TRANSITION, short
from lambdas.config import Config
from lambdas.config.names import dataset_group_arn, own_name, solution_arn
from lambdas.config.tags import deployment_tag, deployment_tags
from lambdas.stores.deployment import CACHE_SECONDS, Deployment

GRACE_SECONDS = round(2 * CACHE_SECONDS)


@dataclass(frozen=True)
class _Leftovers:
    """ARNs of what this deployment has in Personalize and the config does not name."""

    filters: list[str]
    campaigns: list[str]
    solutions: list[str]


def find_leftovers(config: Config, deployed: Deployment) -> _Leftovers:
    group = dataset_group_arn(config)
    present = [arn for arn in solutions(group) if ours(config, arn)]
    wanted = {solution_arn(config, name) for name in config.solutions}
    served = {solution_arn(config, name) for name, solution in config.solutions.items() if solution.campaign is not None}
    return _Leftovers(
        filters=[arn for arn in filters(group) if arn not in deployed.filters.values() and ours(config, arn)],
        campaigns=[arn for solution in present if solution not in served for arn in campaigns(solution) if ours(config, arn)],
        solutions=[arn for arn in present if arn not in wanted],
    )


def ours(config: Config, arn: str) -> bool:
    """Whether the deployment made it: what somebody made by hand has another name, or no tag."""
    if not arn.rpartition("/")[2].startswith(own_name(config, "")):
        return False  # the role may not even read its tags
    try:
        return deployment_tag(config) in clients.personalize().list_tags_for_resource(resourceArn=arn)["tags"]
    except clients.personalize().exceptions.ResourceNotFoundException:  # gone since it was listed
        return False


def solutions(group: str) -> Iterator[str]:
    for page in clients.personalize().get_paginator("list_solutions").paginate(datasetGroupArn=group):
        yield from (entry["solutionArn"] for entry in page["solutions"])


def filters(group: str) -> Iterator[str]:
    for page in clients.personalize().get_paginator("list_filters").paginate(datasetGroupArn=group):
        yield from (entry["filterArn"] for entry in page["Filters"] if entry["status"] not in IN_TRANSITION)


def campaigns(solution: str) -> Iterator[str]:
    for page in clients.personalize().get_paginator("list_campaigns").paginate(solutionArn=solution):
        yield from (entry["campaignArn"] for entry in page["campaigns"])


def delete_filters(leftovers: _Leftovers) -> None:
    for arn in leftovers.filters:
        clients.personalize().delete_filter(filterArn=arn)


def prune(leftovers: _Leftovers) -> None:
    """Delete the campaigns; once they are gone, the solutions with their versions. Called again until nothing is left."""
    client = clients.personalize()
    for arn in leftovers.campaigns:
        if client.describe_campaign(campaignArn=arn)["campaign"]["status"] in ("ACTIVE", "CREATE FAILED"):
            client.delete_campaign(campaignArn=arn)
    for arn in leftovers.solutions if not leftovers.campaigns else []:
        if client.describe_solution(solutionArn=arn)["solution"]["status"] in ("ACTIVE", "CREATE FAILED"):
            client.delete_solution(solutionArn=arn)


def retag(config: Config, deployed: Deployment) -> None:
    """Give what was made before the config's tags changed the tags that it has now."""
    client, wanted = clients.personalize(), deployment_tags(config)
    group = deployed.dataset_group_arn
    named = {solution_arn(config, name) for name in config.solutions}.intersection(solutions(group))
    for arn in (group, *sorted(named), *deployed.campaigns.values(), *deployed.filters.values()):
        present = client.list_tags_for_resource(resourceArn=arn)["tags"]
        missing = [tag for tag in wanted if tag not in present]
        if missing:
            client.tag_resource(resourceArn=arn, tags=missing)


def names(leftovers: _Leftovers) -> list[str]:
    """Campaigns and solutions as a report lists them."""
    return [short(arn) for arn in (*leftovers.campaigns, *leftovers.solutions)]

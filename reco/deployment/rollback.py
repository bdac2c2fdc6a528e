"""Takes a campaign back to the version that served before."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from lambdas.config.names import SEPARATOR
from lambdas.stores.runs import read_versions, version_key
from reco.errors import RecoError
from reco.target import Target


def rollback(target: Target, solution: str, on_wait: Callable[[], None] = lambda: None, every: float = 2.0) -> tuple[str, str]:
    """Move the solution's campaign to the version that was deployed before the one it serves, and wait until it serves.

    The version that is left is remembered as rolled back: later runs do not deploy it again. Returns both versions' ARNs, the one
    left and the one taken. Raises RecoError when there is no campaign or no earlier version.
    """
    personalize = target.client("personalize")
    campaign = _find_campaign(target, solution)
    serving = campaign["solutionVersionArn"]
    remembered = read_versions(target.client("dynamodb"), target.output("training", "RunsTable"), solution)
    earlier = [r for r in remembered if r.deployed and r.version_arn != serving and r.decision != "rolled_back"]
    if not earlier:
        raise RecoError(f"No version of '{solution}' was deployed before the version that serves ({serving}).")
    back_to = earlier[-1].version_arn
    personalize.update_campaign(campaignArn=campaign["campaignArn"], solutionVersionArn=back_to)
    while not _serves(personalize.describe_campaign(campaignArn=campaign["campaignArn"])["campaign"], back_to):
        on_wait()
        time.sleep(every)
    _mark_rolled_back(target, solution, serving)
    return serving, back_to


def _find_campaign(target: Target, solution: str) -> dict[str, Any]:
    """The campaign of a solution, by the name that the deployment gives it."""
    wanted = f"{target.deployment}{SEPARATOR}{solution}"
    for page in target.client("personalize").get_paginator("list_campaigns").paginate():
        for summary in page["campaigns"]:
            if summary["name"] == wanted:
                return dict(target.client("personalize").describe_campaign(campaignArn=summary["campaignArn"])["campaign"])
    raise RecoError(f"There is no campaign {wanted}.")


def _mark_rolled_back(target: Target, solution: str, version: str) -> None:
    target.client("dynamodb").update_item(
        TableName=target.output("training", "RunsTable"),
        Key=version_key(solution, version),
        UpdateExpression="SET decision = :decision, deployed = :no, solution = :solution, version_arn = :version",
        ExpressionAttributeValues={
            ":decision": {"S": "rolled_back"},
            ":no": {"BOOL": False},
            ":solution": {"S": solution},
            ":version": {"S": version},
        },
    )


def _serves(campaign: dict[str, Any], version: str) -> bool:
    """Whether the update has ended. Raises RecoError when it failed."""
    update = campaign.get("latestCampaignUpdate") or {}
    if "FAILED" in update.get("status", ""):
        raise RecoError(f"The campaign could not be updated: {update.get('failureReason')}")
    return campaign["solutionVersionArn"] == version and update.get("status") == "ACTIVE"

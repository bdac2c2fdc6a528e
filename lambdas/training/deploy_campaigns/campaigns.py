"""One campaign: made, or moved to the new solution version."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from lambdas.aws import clients
from lambdas.aws.ensure import (
    IN_TRANSITION,
    ConfigurationDrift,
    ResourceFailed,
    StepResult,
    create_or_wait,
    described,
    found_or_made_anew,
    pending,
)
from lambdas.config import Campaign, Config
from lambdas.config.names import campaign_arn, campaign_name, solution_arn
from lambdas.config.requests import campaign_config
from lambdas.config.tags import deployment_tags


def ensure_campaign(config: Config, solution: str, version: str, run_started: datetime, *, moves: bool) -> StepResult:
    """The campaign of a solution, with the capacity and settings of the config.

    It serves `version` if it `moves` or is made, else what it serves already: a rollback may have come after the run's verdict.
    What failed in an earlier run, a creation or an update, is tried again; what failed in this run raises ResourceFailed.
    While an update runs, the campaign's own status stays ACTIVE and the old version answers: `latestCampaignUpdate` tells
    (personalize/latest/dg/update-campaigns.html).
    """
    campaign, settings = campaign_arn(config, solution), config.solutions[solution].campaign or Campaign()
    there = described(lambda: dict(clients.personalize().describe_campaign(campaignArn=campaign)))
    if there is None:
        return create_or_wait(
            campaign,
            lambda: clients.personalize().create_campaign(
                name=campaign_name(config, solution), tags=deployment_tags(config), **_desired(settings, version)
            ),
        )
    if there["solutionVersionArn"].rpartition("/")[0] != solution_arn(config, solution):
        raise ConfigurationDrift(
            f"campaign/{campaign_name(config, solution)} is there already and serves a version of another solution "
            f"({there['solutionVersionArn']}): delete it, or give the deployment another name"
        )
    update = there.get("latestCampaignUpdate")
    if update and update["status"] in IN_TRANSITION:
        return pending(campaign)
    served = version if moves else there["solutionVersionArn"]
    ours = update and update["solutionVersionArn"] == served and update["creationDateTime"] >= run_started
    if update and ours and "FAILED" in update["status"]:
        raise ResourceFailed(f"campaign/{campaign_name(config, solution)}: update failed: {update.get('failureReason')}")
    wanted = _desired(settings, served)
    if there["status"] == "ACTIVE" and differs(there, wanted):
        return create_or_wait(campaign, lambda: clients.personalize().update_campaign(campaignArn=campaign, **wanted))
    delete = partial(clients.personalize().delete_campaign, campaignArn=campaign)
    return found_or_made_anew(campaign, there, run_started, delete, version_arn=served)


def _desired(campaign: Campaign, version: str) -> dict[str, Any]:
    """What create and update take alike."""
    settings = campaign_config(campaign)
    wanted: dict[str, Any] = {"solutionVersionArn": version, "minProvisionedTPS": campaign.min_provisioned_tps}
    return wanted | ({"campaignConfig": settings} if settings else {})


def differs(there: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether the campaign serves something else. Settings that the config leaves to the service are not compared."""
    served = there.get("campaignConfig") or {}
    asked = wanted.get("campaignConfig") or {}
    return (
        there["solutionVersionArn"] != wanted["solutionVersionArn"]
        or there["minProvisionedTPS"] != wanted["minProvisionedTPS"]
        or any(served.get(key) != value for key, value in asked.items())
    )

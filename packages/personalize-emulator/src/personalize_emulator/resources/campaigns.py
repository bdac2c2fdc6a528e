"""Campaigns: solution versions that answer in real time."""

from collections.abc import Mapping
from typing import Any

from personalize_emulator.errors import InvalidInput, ResourceInUse
from personalize_emulator.quotas import check_active
from personalize_emulator.resources.context import Context, Operation, Request
from personalize_emulator.resources.records import Resource
from personalize_emulator.resources.solution_config import find_recipe, refuse
from personalize_rules.solutions import check_campaign_config

LATEST = "/$LATEST"
_UPDATE = "latestCampaignUpdate"


class Campaigns:
    def __init__(self, context: Context) -> None:
        self.context = context
        context.lifecycle.finish("campaign", "create", self._updated, on=_UPDATE)

    def operations(self) -> dict[str, Operation]:
        """The operations of this module by their API names."""
        return {
            "CreateCampaign": self.create_campaign,
            "UpdateCampaign": self.update_campaign,
            "DeleteCampaign": self.delete_campaign,
        }

    def create_campaign(self, request: Request) -> dict[str, Any]:
        context = self.context
        version = self._version(request["solutionVersionArn"])
        self._check_config(request.get("campaignConfig", {}), version, request["solutionVersionArn"])
        present = context.store.of_type("campaign", group=version.group)
        check_active(len(present), context.quotas.campaigns_per_dataset_group, "campaign")
        campaign = context.create(
            "campaign",
            f"campaign/{request['name']}",
            request,
            group=version.group,
            parent=version.parent,
            fields={
                "solutionVersionArn": version.arn,
                "minProvisionedTPS": request.get("minProvisionedTPS", 1),
                "campaignConfig": request.get("campaignConfig", {}),
            },
        )
        return {"campaignArn": campaign.arn}

    def update_campaign(self, request: Request) -> dict[str, Any]:
        context = self.context
        campaign = context.find("campaign", request["campaignArn"])
        if campaign.in_transition:
            raise ResourceInUse(f"Resource Arn {campaign.arn} cannot be updated while it is {context.state_of(campaign)}")
        requested = request.get("solutionVersionArn", campaign.fields["solutionVersionArn"])
        version = self._version(requested)
        config = request.get("campaignConfig", self._kept_config(campaign, version))
        if config.get("syncWithLatestSolutionVersion") and "solutionVersionArn" not in request:
            requested = f"{campaign.parent}{LATEST}"
        self._check_config(config, version, requested)
        self._begin_update(
            campaign,
            version,
            config,
            request.get("minProvisionedTPS", campaign.fields["minProvisionedTPS"]),
        )
        return {"campaignArn": campaign.arn}

    def _kept_config(self, campaign: Resource, version: Resource) -> Mapping[str, Any]:
        """The present configuration; metadata end with the change from a v2 recipe to an older one."""
        config: dict[str, Any] = dict(campaign.fields["campaignConfig"])
        present = self.context.store.get(campaign.fields["solutionVersionArn"])
        recipes = [find_recipe(v.fields["recipeArn"]) for v in (present, version) if v]
        if recipes[0].metadata == "default" and recipes[-1].metadata != "default":
            config.pop("enableMetadataWithRecommendations", None)
        return config

    def _begin_update(self, campaign: Resource, version: Resource, config: Mapping[str, Any], tps: int) -> None:
        campaign.fields[_UPDATE] = {
            "solutionVersionArn": version.arn,
            "minProvisionedTPS": tps,
            "campaignConfig": config,
            "creationDateTime": self.context.clock.now(),
        }
        fail = self.context.faults.creation_failure("UpdateCampaign")
        self.context.lifecycle.begin(campaign, "create", on=_UPDATE, fail=fail)

    def _updated(self, campaign: Resource, _: Mapping[str, Any]) -> str | None:
        update = campaign.fields[_UPDATE]
        version = self.context.store.get(update["solutionVersionArn"])
        if version is None:
            return f"Resource Arn {update['solutionVersionArn']} does not exist."
        for member in ("solutionVersionArn", "minProvisionedTPS", "campaignConfig"):
            campaign.fields[member] = update[member]
        campaign.parent = version.parent
        campaign.status = "ACTIVE"
        campaign.fields.pop("failureReason", None)
        return None

    def delete_campaign(self, request: Request) -> None:
        self.context.delete(self.context.find("campaign", request["campaignArn"]))

    def sync(self, campaign: Resource) -> None:
        """Begin an update of a campaign that follows its solution, if there is a newer version."""
        if not campaign.fields["campaignConfig"].get("syncWithLatestSolutionVersion") or campaign.in_transition:
            return
        latest = self._latest(str(campaign.parent))
        if campaign.status == "ACTIVE" and latest and latest.arn != campaign.fields["solutionVersionArn"]:
            self._begin_update(campaign, latest, campaign.fields["campaignConfig"], campaign.fields["minProvisionedTPS"])

    def _version(self, arn: str) -> Resource:
        """The solution version of an ARN, or the latest one for the ARN of a solution with /$LATEST."""
        if not arn.endswith(LATEST):
            return self.context.find_active("solution-version", arn)
        solution = self.context.find("solution", arn.removesuffix(LATEST))
        latest = self._latest(solution.arn)
        if latest is None:
            raise InvalidInput(f"solutionVersionArn: {solution.arn} has no ACTIVE solution version")
        return latest

    def _latest(self, solution: str) -> Resource | None:
        versions = self.context.store.of_type("solution-version", parent=solution)
        return next((v for v in reversed(versions) if v.status == "ACTIVE"), None)

    def _check_config(self, config: Mapping[str, Any], version: Resource, requested: str) -> None:
        recipe = find_recipe(version.fields["recipeArn"])
        if config.get("syncWithLatestSolutionVersion") and not requested.endswith(LATEST):
            raise InvalidInput(
                "campaignConfig.syncWithLatestSolutionVersion needs a solutionVersionArn of the form SolutionArn/$LATEST"
            )
        refuse(check_campaign_config(config, recipe, self.context.stores.schemas(str(version.group))))

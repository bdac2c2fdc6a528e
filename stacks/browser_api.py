"""The browsers' API: what a page may call, with a key that all can read. It opens no route of the servers' API."""

from __future__ import annotations

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from constructs import Construct

from lambdas.config import Config
from lambdas.config.api import BROWSERS, CALLERS
from lambdas.config.recipes import RECIPES
from stacks import names
from stacks.ingestion_api import IngestionRoutes, allow_pages
from stacks.rest_api import rest_api, settings_of


class BrowserApi(Construct):
    """`api`, and its `key`. A key's throttle and quota are best effort, so that the stage has a throttle too.

    docs: apigateway/latest/developerguide/api-gateway-api-usage-plans.html
    """

    def __init__(self, scope: Construct, config: Config, role: iam.Role, recommend: apigateway.Integration) -> None:
        super().__init__(scope, "Browser")
        name, throttle = names.browser_api(config), config.api.browser_throttle
        self.api = rest_api(
            self,
            "Api",
            name,
            description=f"What pages may call of {config.name}",
            throttle=throttle,
            origins=config.api.cors_origins,
            browsers_may=config.api.browsers_may,
            browsers=True,
            variables={CALLERS: BROWSERS},
        )
        routes = IngestionRoutes(self, config, self.api, role, origins=config.api.cors_origins)
        routes.add_events({"api_key_required": True})
        if config.api.browser_placements:
            self._add_recommendations(config, recommend)
        plan = self.api.add_usage_plan(
            "Plan",
            name=name,
            throttle=settings_of(throttle),
            quota=apigateway.QuotaSettings(limit=config.api.browser_calls_per_day, period=apigateway.Period.DAY),
        )
        self.key = apigateway.ApiKey(self, "Key", api_key_name=name)
        plan.add_api_key(self.key)
        plan.add_api_stage(stage=self.api.deployment_stage)

    def _add_recommendations(self, config: Config, recommend: apigateway.Integration) -> None:
        """`GET /recommendations/{placement}`, and `POST /rankings/{placement}` where one of the placements ranks."""
        types = {
            RECIPES[config.solutions[config.placements[name].solution].recipe].type for name in config.api.browser_placements
        }
        routes = {"GET": "recommendations"} if types - {"PERSONALIZED_RANKING"} else {}
        routes |= {"POST": "rankings"} if "PERSONALIZED_RANKING" in types else {}
        for verb, path in routes.items():
            resource = self.api.root.resource_for_path(f"{path}/{{placement}}")
            resource.add_method(verb, recommend, api_key_required=True)
            allow_pages(resource, config.api.cors_origins, verb)

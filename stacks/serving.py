"""Recommendations for placements: the function that asks a campaign and answers the API."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from constructs import Construct

from lambdas.shared.config import Config
from lambdas.shared.deployment import parameter_name
from stacks import names
from stacks.functions import Functions
from stacks.grants import OWN_NAMES, Grant


class ServingStack(cdk.Stack):
    """The function `recommend`; the API calls it by its name."""

    def __init__(self, scope: Construct, id_: str, config: Config, **kwargs: Any) -> None:
        super().__init__(scope, id_, **kwargs)
        parameter, table = parameter_name(config.name), names.catalogue_table(config)
        ours = [f"{names.personalize_prefix()}:{kind}/{config.name}-*" for kind in ("campaign", "filter")]
        Functions(self, config).add(
            "recommend",
            description="Answers recommendations and rankings for placements",
            may=[
                Grant(["personalize:GetRecommendations", "personalize:GetPersonalizedRanking"], ours, OWN_NAMES),
                Grant(["ssm:GetParameter"], [self.format_arn(service="ssm", resource=f"parameter{parameter}")]),
                Grant(["dynamodb:BatchGetItem"], [self.format_arn(service="dynamodb", resource=f"table/{table}")]),
            ],
            environment={"DEPLOYMENT_PARAMETER": parameter, "CATALOGUE_TABLE": table},
            memory_mb=1024,
            timeout=cdk.Duration.seconds(10),
        )

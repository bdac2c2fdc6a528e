"""One Lambda function: its role with exactly the grants it is given, its log group, the shared code and layer."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from lambdas.config import Config
from lambdas.config.environment import Environment, class_name
from stacks import names
from stacks.acknowledged import acknowledge
from stacks.code import CONFIG_PATH, code_directory
from stacks.grants import Grant
from stacks.layer import layer_directory

_RUNTIME = lambda_.Runtime.PYTHON_3_13


class Functions(Construct):
    """Makes the functions of one capability, and so of one stack; they share one layer version."""

    def __init__(self, scope: Construct, config: Config, capability: str) -> None:
        super().__init__(scope, "Functions")
        self.config = config
        self.capability = capability
        self.code = lambda_.Code.from_asset(str(code_directory(self, config)))
        self.layer = lambda_.LayerVersion(
            self,
            "Layer",
            code=lambda_.Code.from_asset(str(layer_directory())),
            compatible_runtimes=[_RUNTIME],
            compatible_architectures=[lambda_.Architecture.ARM_64],
            description="Powertools, pydantic, boto3",
        )

    def add(
        self,
        folder: str,
        *,
        description: str,
        grants: Sequence[Grant],
        environment: Environment,
        memory_mb: int = 512,
        timeout: cdk.Duration | None = None,
        snap_start: bool = False,
    ) -> lambda_.Function:
        """The function of `lambdas/<capability>/<folder>/`, allowed the `grants` and to write its own log and traces.

        With `snap_start` its published versions have snapshots; what calls it must then call an alias.
        """
        name, title = names.function(self.config, folder), class_name(folder)
        log_group = logs.LogGroup(
            self,
            f"{title}Log",
            log_group_name=f"/aws/lambda/{name}",
            retention=logs.RetentionDays.THREE_MONTHS,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        function = lambda_.Function(
            self,
            title,
            function_name=name,
            description=description,
            runtime=_RUNTIME,
            architecture=lambda_.Architecture.ARM_64,
            code=self.code,
            handler=f"lambdas.{self.capability}.{folder}.handler.handler",
            layers=[self.layer],
            role=self._role(title, name, log_group, grants),
            memory_size=memory_mb,
            timeout=timeout or cdk.Duration.seconds(30),
            tracing=lambda_.Tracing.ACTIVE,
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            environment={
                "CONFIG_PATH": CONFIG_PATH,
                "POWERTOOLS_SERVICE_NAME": folder,
                "POWERTOOLS_METRICS_NAMESPACE": f"recostack/{self.config.name}",
                "PYDANTIC_DISABLE_PLUGINS": "__all__",  # to look for some at each cold start took ten milliseconds
                **environment.variables(),
            },
            snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if snap_start else None,
        )
        acknowledge(
            function,
            {"AwsSolutions-L1": "the runtime is pinned to the Python for which the layer's wheels are built; both move together"},
        )
        return function

    def _role(self, title: str, function_name: str, log_group: logs.LogGroup, grants: Sequence[Grant]) -> iam.Role:
        role = iam.Role(
            self,
            f"{title}Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"Permissions of {function_name}",
        )
        log_group.grant_write(role)
        for grant in grants:
            grant.give(role)
        acknowledge(role, {"AwsSolutions-IAM5[Resource::*]": "X-Ray and Personalize's List calls take no resource but *"})
        return role

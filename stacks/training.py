"""From CSVs to campaigns: the train state machine, its functions, the role that Personalize reads the data with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from lambdas.shared.config import Config
from lambdas.shared.deployment import parameter_name
from stacks import names
from stacks.acknowledged import acknowledge
from stacks.functions import Functions
from stacks.grants import NO_RESOURCE, OWN_NAMES, Grant

DEFINITION = Path(__file__).parents[1] / "statemachines" / "train.asl.json"


class TrainingStack(cdk.Stack):
    """Outputs: TrainStateMachine, RunTopic."""

    def __init__(self, scope: Construct, id_: str, config: Config, **kwargs: Any) -> None:
        super().__init__(scope, id_, **kwargs)
        self.config = config
        self.bucket = f"arn:{cdk.Aws.PARTITION}:s3:::{names.data_bucket(config)}"
        self.functions = Functions(self, config)
        self.personalize_role = self._personalize_role()
        self.topic = sns.Topic(self, "Runs", topic_name=f"{config.name}-runs", enforce_ssl=True)
        machine = self._state_machine(
            {
                "PlanTraining": self._plan_training(),
                "PrepareResources": self._prepare_resources(),
                "ImportData": self._import_data(),
                "TrainSolution": self._train_solution(),
                "DeployCampaign": self._deploy_campaign(),
                "PublishDeployment": self._publish_deployment(),
                "Report": self._report(),
            }
        )
        cdk.CfnOutput(self, "TrainStateMachine", value=machine.state_machine_arn)
        cdk.CfnOutput(self, "RunTopic", value=self.topic.topic_arn)

    def _ours(self, *patterns: str) -> list[str]:
        """ARNs of this deployment's Personalize resources: `solution/{}-*`, `dataset-group/{}`."""
        return [f"{names.personalize_prefix()}:{pattern.format(self.config.name)}" for pattern in patterns]

    def _read_csvs(self) -> list[Grant]:
        below = {"StringLike": {"s3:prefix": "datasets/*"}}
        return [
            Grant(["s3:ListBucket"], [self.bucket], conditions=below),
            Grant(["s3:GetObject"], [f"{self.bucket}/datasets/*"], "the names of the CSVs are the shop's to choose"),
        ]

    def _write_reports(self) -> Grant:
        return Grant(["s3:PutObject"], [f"{self.bucket}/reports/*"], "each run has a folder of its own")

    def _personalize_role(self) -> iam.Role:
        """Personalize assumes it to read the CSVs; for this account's resources only."""
        role = iam.Role(
            self,
            "PersonalizeRole",
            assumed_by=iam.ServicePrincipal(
                "personalize.amazonaws.com",
                conditions={
                    "StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID},
                    "ArnLike": {"aws:SourceArn": f"{names.personalize_prefix()}:*"},
                },
            ),
            description="Lets Amazon Personalize read the CSVs",
        )
        for grant in self._read_csvs():
            grant.give(role)
        return role

    def _plan_training(self) -> lambda_.Function:
        return self.functions.add(
            "plan_training",
            description="Checks the CSVs and says what a train run will do",
            may=[*self._read_csvs(), self._write_reports()],
            environment={"DATA_BUCKET": names.data_bucket(self.config)},
            memory_mb=1024,
            timeout=cdk.Duration.minutes(15),
        )

    def _prepare_resources(self) -> lambda_.Function:
        group, filters = self._ours("dataset-group/{}", "filter/{}-*")
        trackers = f"{names.personalize_prefix()}:event-tracker/*"
        return self.functions.add(
            "prepare_resources",
            description="Ensures the dataset group, the event tracker and the filters",
            may=[
                Grant(["personalize:DescribeDatasetGroup", "personalize:CreateDatasetGroup", "personalize:TagResource"], [group]),
                Grant(["personalize:ListEventTrackers"], ["*"], NO_RESOURCE),
                Grant(
                    ["personalize:DescribeEventTracker", "personalize:CreateEventTracker", "personalize:TagResource"],
                    [group, trackers],
                    "Personalize chooses the name in a tracker's ARN",
                ),
                Grant(
                    ["personalize:DescribeFilter", "personalize:CreateFilter", "personalize:TagResource"],
                    [group, filters],
                    OWN_NAMES,
                ),
            ],
            environment={"PERSONALIZE_ARN_PREFIX": names.personalize_prefix()},
        )

    def _import_data(self) -> lambda_.Function:
        datasets, schemas, jobs = self._ours("dataset/{}/*", "schema/{}-*", "dataset-import-job/{}-*")
        catalogue = f"table/{names.catalogue_table(self.config)}"
        return self.functions.add(
            "import_data",
            description="Ensures that a dataset holds the CSVs in S3, and that the catalogue knows the items",
            may=[
                *self._read_csvs(),
                Grant(["personalize:DescribeSchema", "personalize:CreateSchema"], [schemas], OWN_NAMES),
                Grant(
                    ["personalize:DescribeDataset", "personalize:CreateDataset", "personalize:TagResource"],
                    [datasets, *self._ours("dataset-group/{}")],
                    OWN_NAMES,
                ),
                Grant(
                    ["personalize:CreateDatasetImportJob", "personalize:TagResource"],
                    [jobs, datasets],
                    OWN_NAMES,
                ),
                Grant(["personalize:ListDatasetImportJobs"], ["*"], NO_RESOURCE),
                Grant(
                    ["iam:PassRole"],
                    [self.personalize_role.role_arn],
                    conditions={"StringEquals": {"iam:PassedToService": "personalize.amazonaws.com"}},
                ),
                Grant(["dynamodb:BatchWriteItem"], [self.format_arn(service="dynamodb", resource=catalogue)]),
            ],
            environment={
                "DATA_BUCKET": names.data_bucket(self.config),
                "CATALOGUE_TABLE": names.catalogue_table(self.config),
                "PERSONALIZE_ARN_PREFIX": names.personalize_prefix(),
                "PERSONALIZE_ROLE_ARN": self.personalize_role.role_arn,
            },
            memory_mb=1024,
            timeout=cdk.Duration.minutes(15),
        )

    def _train_solution(self) -> lambda_.Function:
        calls = ["DescribeSolution", "CreateSolution", "ListSolutionVersions", "CreateSolutionVersion"]
        calls += ["DescribeSolutionVersion", "GetSolutionMetrics", "TagResource"]
        return self.functions.add(
            "train_solution",
            description="Ensures a solution and its trained version, and fetches the metrics",
            may=[
                Grant([f"personalize:{call}" for call in calls], self._ours("solution/{}-*", "dataset-group/{}"), OWN_NAMES),
                Grant(["personalize:ListDatasetImportJobs"], ["*"], NO_RESOURCE),
            ],
            environment={"PERSONALIZE_ARN_PREFIX": names.personalize_prefix()},
        )

    def _deploy_campaign(self) -> lambda_.Function:
        calls = ["DescribeCampaign", "CreateCampaign", "UpdateCampaign", "TagResource"]
        return self.functions.add(
            "deploy_campaign",
            description="Ensures that a campaign serves a solution version",
            may=[Grant([f"personalize:{call}" for call in calls], self._ours("campaign/{}-*", "solution/{}-*"), OWN_NAMES)],
            environment={"PERSONALIZE_ARN_PREFIX": names.personalize_prefix()},
        )

    def _publish_deployment(self) -> lambda_.Function:
        parameter = parameter_name(self.config.name)
        return self.functions.add(
            "publish_deployment",
            description="Publishes what is deployed, for those who serve",
            may=[
                Grant(
                    ["ssm:GetParameter", "ssm:PutParameter"],
                    [self.format_arn(service="ssm", resource=f"parameter{parameter}")],
                )
            ],
            environment={
                "DEPLOYMENT_PARAMETER": parameter,
                "PERSONALIZE_ARN_PREFIX": names.personalize_prefix(),
            },
        )

    def _report(self) -> lambda_.Function:
        return self.functions.add(
            "report",
            description="Reports how a train run went",
            may=[self._write_reports(), Grant(["sns:Publish"], [self.topic.topic_arn])],
            environment={
                "DATA_BUCKET": names.data_bucket(self.config),
                "DEPLOYMENT": self.config.name,
                "TOPIC_ARN": self.topic.topic_arn,
            },
        )

    def _state_machine(self, steps: Mapping[str, lambda_.Function]) -> stepfunctions.StateMachine:
        """The definition names functions by their folder in camel case: `${PlanTraining}`."""
        name = names.state_machine(self.config, "train")
        machine = stepfunctions.StateMachine(
            self,
            "Train",
            state_machine_name=name,
            definition_body=stepfunctions.DefinitionBody.from_file(str(DEFINITION)),
            definition_substitutions={step: function.function_arn for step, function in steps.items()},
            logs=stepfunctions.LogOptions(
                destination=logs.LogGroup(
                    self,
                    "TrainLog",
                    log_group_name=f"/aws/vendedlogs/states/{name}",
                    retention=logs.RetentionDays.THREE_MONTHS,
                    removal_policy=cdk.RemovalPolicy.DESTROY,
                ),
                level=stepfunctions.LogLevel.ALL,
            ),
            tracing_enabled=True,
        )
        machine.add_to_role_policy(
            iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[f.function_arn for f in steps.values()])
        )
        acknowledge(machine, {"AwsSolutions-IAM5[Resource::*]": "log delivery and X-Ray take no resource but *"})
        return machine

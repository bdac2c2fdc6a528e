"""From CSVs to campaigns: the train state machine, its functions, the role that Personalize reads the data with."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from lambdas.config import Config, environment
from lambdas.stores import keys, prefixes
from lambdas.stores.deployment import parameter_name
from stacks import names, sample_lists
from stacks.alarms import Alarms
from stacks.functions import Functions
from stacks.grants import NO_RESOURCE, OWN_NAMES, Grant, use_key
from stacks.machines import add_machine, executions, machine_arn, unsuccessful
from stacks.metrics import Metrics
from stacks.personalize_role import list_below, pass_role, personalize_role, use_key_in_jobs
from stacks.run_topic import run_topic
from stacks.tables import add_table
from stacks.train_starts import add_starts


class TrainingStack(cdk.Stack):
    """Outputs: PersonalizeRoleArn, RunsTable, TrainStateMachine, RunTopic."""

    def __init__(self, scope: Construct, id_: str, config: Config, **kwargs: Any) -> None:
        super().__init__(scope, id_, **kwargs)
        self.config = config
        self.bucket = f"arn:{cdk.Aws.PARTITION}:s3:::{names.data_bucket(config)}"
        self.functions = Functions(self, config, "training")
        self.personalize_role = self._personalize_role()
        self.topic = run_topic(self, config)
        self.runs = self._runs_table()
        machine = add_machine(
            self,
            config,
            "train",
            {
                "PlanTraining": self._plan_training(),
                "PrepareResources": self._prepare_resources(),
                "ImportData": self._import_data(),
                "TrainSolutions": self._train_solutions(),
                "ApproveVersions": self._approve_versions(),
                "DeployCampaigns": self._deploy_campaigns(),
                "PublishDeployment": self._publish_deployment(),
                "Report": self._report(),
            },
        )
        self._approval_page()
        # cfn-lint 1.58 takes a number alone for TimeoutSeconds, where Step Functions takes JSONata as well.
        machine.node.default_child.add_metadata("cfn-lint", {"config": {"ignore_checks": ["E3601"]}})  # type: ignore[union-attr]
        add_starts(self, config, machine)
        self._alarm(machine)
        cdk.CfnOutput(self, "PersonalizeRoleArn", value=self.personalize_role.role_arn)
        cdk.CfnOutput(self, "RunsTable", value=self.runs.table_name)
        cdk.CfnOutput(self, "TrainStateMachine", value=machine.state_machine_arn)
        cdk.CfnOutput(self, "RunTopic", value=self.topic.topic_arn)

    def _ours(self, *patterns: str) -> list[str]:
        """ARNs of this deployment's Personalize resources: `solution/{}_*`, `dataset-group/{}`."""
        return [f"{names.personalize_prefix()}:{pattern.format(self.config.name)}" for pattern in patterns]

    def _read_csvs(self) -> list[Grant]:
        below = {"StringLike": {"s3:prefix": f"{prefixes.DATASETS}*"}}
        return [
            Grant(["s3:ListBucket"], [self.bucket], conditions=below),
            self._get_csvs(),
            *use_key(self.config, "Decrypt"),
        ]

    def _get_csvs(self) -> Grant:
        return Grant(["s3:GetObject"], [f"{self.bucket}/{prefixes.DATASETS}*"], "the names of the CSVs are the shop's to choose")

    def _earlier_imports(self) -> list[Grant]:
        """Where imports add interactions to what is there, the plan looks up what they brought."""
        if self.config.datasets.interactions.import_mode != "INCREMENTAL":
            return []
        return [
            Grant(["personalize:ListDatasetImportJobs"], ["*"], NO_RESOURCE),
            Grant(["s3:ListBucket"], [self.bucket], conditions={"StringLike": {"s3:prefix": f"{prefixes.REPORTS}*"}}),
            Grant(["s3:GetObject"], [f"{self.bucket}/{prefixes.REPORTS}counts/*"], "each import has counts of its own"),
        ]

    def _leave_out_erased(self) -> list[Grant]:
        """Where CSVs hold rows of erased users, an import reads a copy without them; the count is beside the run's report."""
        left_out, copies = f"{self.bucket}/{prefixes.REPORTS}*/left-out-*.json", f"{self.bucket}/{prefixes.without_erased('*')}*"
        return [
            Grant(["s3:ListBucket"], [self.bucket], conditions={"StringLike": {"s3:prefix": f"{prefixes.REPORTS}*"}}),
            Grant(["s3:GetObject", "s3:PutObject"], [left_out], "each run has a folder of its own"),
            Grant(["s3:PutObject", "s3:AbortMultipartUpload"], [copies], "each run's copy has a folder of its own"),
            *use_key(self.config, "GenerateDataKey"),
        ]

    def _snapshots(self, *calls: str) -> list[Grant]:
        return [Grant(calls, [f"{self.bucket}/{prefixes.SNAPSHOTS}*"], "each popularity count has a snapshot")]

    def _write_reports(self) -> list[Grant]:
        return [
            Grant(["s3:PutObject"], [f"{self.bucket}/{prefixes.REPORTS}*"], "each run has a folder of its own"),
            *use_key(self.config, "GenerateDataKey"),
        ]

    def _prune(self) -> list[Grant]:
        """Only a deployment that prunes may delete campaigns and solutions."""
        if not self.config.prune:
            return []
        calls = ["DescribeCampaign", "DeleteCampaign", "DescribeSolution", "DeleteSolution"]
        return [Grant([f"personalize:{call}" for call in calls], self._ours("campaign/{}_*", "solution/{}_*"), OWN_NAMES)]

    def _table(self, *calls: str) -> Grant:
        return Grant([f"dynamodb:{call}" for call in calls], [self.runs.table_arn])

    def _runs_table(self) -> dynamodb.Table:
        """The lock, the versions and what became of them, approvals that are waited for."""
        return add_table(self, "RunRecords", names.runs_table(self.config), attributes=keys.RUNS, expires=True)

    def _alarm(self, machine: stepfunctions.StateMachine) -> None:
        alarms, runbook = Alarms(self, self.config), "docs/training.md#how-it-fails"
        alarms.add("train-run-failed", unsuccessful(machine), 1, runbook=runbook)
        waiting = Metrics(self.config).of_queue(names.missed_starts_queue(self.config))
        alarms.add("missed-starts", waiting, 1, runbook="docs/operations.md#missed-starts")
        if expression := self.config.schedules.train:
            alarms.add_overdue("train-overdue", "No train run succeeded", machine.metric_succeeded(), expression, runbook=runbook)

    def _personalize_role(self) -> iam.Role:
        """Personalize assumes it to read the CSVs and to write snapshots; for this account's resources only."""
        role = personalize_role(self, "Lets Amazon Personalize read the CSVs and write snapshots")
        folders = [prefixes.DATASETS, prefixes.SNAPSHOTS, *([prefixes.SAMPLES] if sample_lists.shown(self.config) else [])]
        for grant in (
            list_below(self.config, self.bucket, *folders),
            self._get_csvs(),
            *self._snapshots("s3:GetObject", "s3:PutObject"),
            *sample_lists.files_of_jobs(self.config, self.bucket),
            *use_key_in_jobs(self.config),
        ):
            grant.give(role)
        return role

    def _plan_training(self) -> lambda_.Function:
        return self.functions.add(
            "plan_training",
            description="Checks the CSVs and says what a train run will do",
            grants=[
                *self._read_csvs(),
                *self._earlier_imports(),
                *self._write_reports(),
                self._table("PutItem", "GetItem"),
                Grant(
                    ["states:DescribeExecution"],
                    [executions(self, self.config, "train")],
                    "an execution's name is made when it starts",
                ),
            ],
            environment=environment.PlanTraining(
                data_bucket=names.data_bucket(self.config),
                runs_table=self.runs.table_name,
                personalize_arn_prefix=names.personalize_prefix(),
            ),
            memory_mb=1024,
            timeout=cdk.Duration.minutes(15),
        )

    def _prepare_resources(self) -> lambda_.Function:
        group, filters = self._ours("dataset-group/{}", "filter/{}_*")
        trackers = f"{names.personalize_prefix()}:event-tracker/*"
        return self.functions.add(
            "prepare_resources",
            description="Ensures the dataset group, the event tracker and the filters",
            grants=[
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
            environment=environment.PrepareResources(personalize_arn_prefix=names.personalize_prefix()),
        )

    def _import_data(self) -> lambda_.Function:
        datasets, schemas, jobs = self._ours("dataset/{}/*", "schema/{}_*", "dataset-import-job/{}_*")
        catalogue, records = (f"table/{of(self.config)}" for of in (names.catalogue_table, names.records_table))
        erasures = names.erasures_table(self.config)
        return self.functions.add(
            "import_data",
            description="Ensures that a dataset holds the CSVs in S3, and that its records are kept",
            grants=[
                *self._read_csvs(),
                Grant(["personalize:DescribeSchema", "personalize:CreateSchema"], [schemas], OWN_NAMES),
                Grant(
                    [f"personalize:{call}" for call in ("DescribeDataset", "CreateDataset", "UpdateDataset", "TagResource")],
                    [datasets, *self._ours("dataset-group/{}")],
                    OWN_NAMES,
                ),
                Grant(
                    ["personalize:CreateDatasetImportJob", "personalize:TagResource"],
                    [jobs, datasets],
                    OWN_NAMES,
                ),
                Grant(["personalize:ListDatasetImportJobs"], ["*"], NO_RESOURCE),
                pass_role(self.personalize_role),
                Grant(
                    [f"dynamodb:{call}" for call in ("BatchWriteItem", "DeleteItem", "Scan")],
                    [self.format_arn(service="dynamodb", resource=table) for table in (catalogue, records)],
                ),
                Grant(["dynamodb:BatchGetItem"], [self.format_arn(service="dynamodb", resource=records)]),
                Grant(["dynamodb:Scan"], [self.format_arn(service="dynamodb", resource=f"table/{erasures}")]),
                *self._leave_out_erased(),
            ],
            environment=environment.ImportData(
                data_bucket=names.data_bucket(self.config),
                catalogue_table=names.catalogue_table(self.config),
                records_table=names.records_table(self.config),
                erasures_table=erasures,
                personalize_arn_prefix=names.personalize_prefix(),
                personalize_role_arn=self.personalize_role.role_arn,
            ),
            memory_mb=1024,
            timeout=cdk.Duration.minutes(15),
        )

    def _train_solutions(self) -> lambda_.Function:
        calls = ["DescribeSolution", "CreateSolution", "DeleteSolution", "CreateSolutionVersion"]
        calls += ["DescribeSolutionVersion", "GetSolutionMetrics", "TagResource"]
        return self.functions.add(
            "train_solutions",
            description="Ensures the solutions and their trained versions, and fetches the metrics",
            grants=[
                Grant([f"personalize:{call}" for call in calls], self._ours("solution/{}_*", "dataset-group/{}"), OWN_NAMES),
                Grant(["personalize:ListDatasetImportJobs", "personalize:ListSolutionVersions"], ["*"], NO_RESOURCE),
            ],
            environment=environment.TrainSolutions(personalize_arn_prefix=names.personalize_prefix()),
            timeout=cdk.Duration.minutes(2),
        )

    def _approve_versions(self) -> lambda_.Function:
        parameter = self.format_arn(service="ssm", resource=f"parameter{names.api_url_parameter(self.config)}")
        return self.functions.add(
            "approve_versions",
            description="Decides which versions go live: the gate, and a person where the config asks for one",
            grants=[
                Grant(["personalize:DescribeCampaign"], self._ours("campaign/{}_*"), OWN_NAMES),
                Grant(["personalize:GetSolutionMetrics"], self._ours("solution/{}_*"), OWN_NAMES),
                Grant(["personalize:ListSolutionVersions"], ["*"], NO_RESOURCE),
                self._table("PutItem", "Query"),
                Grant(["sns:Publish"], [self.topic.topic_arn]),
                Grant(["ssm:GetParameter"], [parameter]),
                *([*self._read_csvs(), *self._batch_jobs()] if sample_lists.shown(self.config) else []),
                *sample_lists.make(self, self.config, self.bucket),
            ],
            environment=environment.ApproveVersions(
                api_url_parameter=names.api_url_parameter(self.config),
                catalogue_table=names.catalogue_table(self.config),
                data_bucket=names.data_bucket(self.config),
                deployment=self.config.name,
                erasures_table=names.erasures_table(self.config),
                personalize_arn_prefix=names.personalize_prefix(),
                personalize_role_arn=self.personalize_role.role_arn,
                runs_table=self.runs.table_name,
                topic_arn=self.topic.topic_arn,
            ),
            memory_mb=1024,
            timeout=cdk.Duration.minutes(15),
        )

    def _batch_jobs(self) -> list[Grant]:
        """To make batch inference jobs, and to look at them."""
        calls = ("DescribeBatchInferenceJob", "CreateBatchInferenceJob", "TagResource")
        jobs = self._ours("batch-inference-job/{}_*", "solution/{}_*")
        return [Grant([f"personalize:{call}" for call in calls], jobs, OWN_NAMES), pass_role(self.personalize_role)]

    def _approval_page(self) -> None:
        """Open to whoever has the link of a mail, so that its role holds no more than the exchange of an id for its token."""
        self.functions.add(
            "approval_page",
            description="Shows the question behind an approval mail's link, and passes the answer on",
            grants=[
                self._table("GetItem", "DeleteItem"),
                Grant(["states:SendTaskSuccess"], [machine_arn(self, self.config, "train")]),
            ],
            environment=environment.ApprovalPage(runs_table=self.runs.table_name),
        )

    def _deploy_campaigns(self) -> lambda_.Function:
        calls = ["DescribeCampaign", "CreateCampaign", "UpdateCampaign", "DeleteCampaign", "TagResource"]
        return self.functions.add(
            "deploy_campaigns",
            description="Ensures that the campaigns serve what was decided, and starts the snapshots of popularity counts",
            grants=[
                Grant([f"personalize:{call}" for call in calls], self._ours("campaign/{}_*", "solution/{}_*"), OWN_NAMES),
                *self._batch_jobs(),
                Grant(["personalize:ListBatchInferenceJobs"], ["*"], NO_RESOURCE),
                Grant(["s3:ListBucket"], [self.bucket], conditions={"StringLike": {"s3:prefix": f"{prefixes.SNAPSHOTS}*"}}),
                *self._snapshots("s3:PutObject"),
                *use_key(self.config, "GenerateDataKey"),
            ],
            environment=environment.DeployCampaigns(
                data_bucket=names.data_bucket(self.config),
                personalize_arn_prefix=names.personalize_prefix(),
                personalize_role_arn=self.personalize_role.role_arn,
            ),
            timeout=cdk.Duration.minutes(2),
        )

    def _publish_deployment(self) -> lambda_.Function:
        parameter = parameter_name(self.config.name)
        return self.functions.add(
            "publish_deployment",
            description="Publishes what is deployed, for those who serve, and tidies up what it replaces",
            grants=[
                Grant([f"personalize:List{kind}" for kind in ("Filters", "Solutions", "Campaigns")], ["*"], NO_RESOURCE),
                Grant(["personalize:DeleteFilter"], self._ours("filter/{}_*"), OWN_NAMES),
                Grant(
                    ["personalize:ListTagsForResource", "personalize:TagResource"],
                    self._ours("dataset-group/{}", "solution/{}_*", "campaign/{}_*", "filter/{}_*"),
                    OWN_NAMES,
                ),
                *self._prune(),
                Grant(
                    ["ssm:GetParameter", "ssm:PutParameter"],
                    [self.format_arn(service="ssm", resource=f"parameter{parameter}")],
                ),
            ],
            environment=environment.PublishDeployment(
                deployment_parameter=parameter,
                personalize_arn_prefix=names.personalize_prefix(),
            ),
        )

    def _report(self) -> lambda_.Function:
        return self.functions.add(
            "report",
            description="Reports how a train run went",
            grants=[
                *self._write_reports(),
                Grant(["sns:Publish"], [self.topic.topic_arn]),
                Grant(["events:PutEvents"], [self.format_arn(service="events", resource="event-bus/default")]),
                self._table("UpdateItem", "DeleteItem", "Query"),
                *sample_lists.read_kept(self.config, self.bucket),
            ],
            environment=environment.Report(
                data_bucket=names.data_bucket(self.config),
                deployment=self.config.name,
                runs_table=self.runs.table_name,
                topic_arn=self.topic.topic_arn,
            ),
        )

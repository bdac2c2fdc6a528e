"""From the archive to a list for every user: Spark jobs, the batch state machine, its functions, the tables that are read."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as stepfunctions

from lambdas.config import Config, environment
from lambdas.stores import keys, prefixes
from stacks import names
from stacks.alarms import Alarms
from stacks.functions import Functions
from stacks.grants import OWN_NAMES, Grant, use_key
from stacks.machines import add_machine, executions, machine_arn, schedule_role, start_by_schedule, unsuccessful
from stacks.personalize_role import list_below, pass_role, personalize_role, use_key_in_jobs
from stacks.spark import SparkJobs, add_retention_table, run_jobs
from stacks.tables import add_table

#: Why functions and jobs may read and write below a prefix.
_OWN_FILES = "each run has a folder of its own below it"
_RUNBOOK = "docs/batch.md#how-it-fails"


class BatchStack(cdk.Stack):
    """Outputs: BatchStateMachine, ArchiveStateMachine, BatchListsTable, SegmentsTable, BatchInputJob, ExportErasures,
    InteractionsJob.
    """

    def __init__(self, scope: Any, id_: str, config: Config, **kwargs: Any) -> None:
        super().__init__(scope, id_, **kwargs)
        self.config = config
        self.bucket = f"arn:{cdk.Aws.PARTITION}:s3:::{names.data_bucket(config)}"
        self.functions, self.spark = Functions(self, config, "batch"), SparkJobs(self, config)
        self.lists = add_table(self, "BatchLists", names.batch_lists_table(config), attributes=keys.BATCH_LISTS, expires=True)
        self.segments = add_table(self, "Segments", names.segments_table(config), attributes=keys.SEGMENTS, expires=True)
        self.personalize_role = self._personalize_role()
        export = self._export_erasures()
        batch, archive = self._batch(export), self._archive(export)
        self._schedules(batch, archive)
        add_retention_table(self, config)
        self._alarms(batch, archive)
        for name, value in {
            "BatchStateMachine": batch.state_machine_arn,
            "ArchiveStateMachine": archive.state_machine_arn,
            "BatchListsTable": self.lists.table_name,
            "SegmentsTable": self.segments.table_name,
            "BatchInputJob": self.inputs,
            "ExportErasures": export.function_name,
            "InteractionsJob": self._interactions_job(),
        }.items():
            cdk.CfnOutput(self, name, value=value)

    def _batch(self, export: lambda_.Function) -> stepfunctions.StateMachine:
        """The Distributed Map lists the output files and starts an execution of its own for each."""
        inputs = self.inputs = self.spark.add(
            "batch_input",
            description="Builds the input of a batch inference job",
            reads=[prefixes.EVENTS, prefixes.INTERACTIONS],
            writes=[prefixes.BATCH],
            at_once=5,
        )
        own = machine_arn(self, self.config, "batch")
        below = {"StringLike": {"s3:prefix": f"{prefixes.BATCH}*"}}
        return add_machine(
            self,
            self.config,
            "batch",
            {
                "PlanBatch": self._plan_batch(),
                "ExportErasures": export,
                "RunBatchJob": self._run_batch_job(),
                "LoadRecommendations": self._load_recommendations(),
                "PublishBatch": self._publish_batch(),
                "ReportBatch": self._report_batch(),
            },
            grants=[
                run_jobs(self, [inputs]),
                Grant(["s3:ListBucket"], [self.bucket], conditions=below),
                Grant(["states:StartExecution"], [own]),
                Grant(
                    ["states:DescribeExecution", "states:StopExecution"],
                    [executions(self, self.config, "batch"), f"{own.replace(':stateMachine:', ':execution:')}/*"],
                    "the executions of a Distributed Map are named when they start",
                ),
            ],
            substitutions={"BatchInput": inputs, "DataBucket": names.data_bucket(self.config)},
        )

    def _archive(self, export: lambda_.Function) -> stepfunctions.StateMachine:
        erasure = self.spark.add(
            "erasure",
            description="Rewrites the archive without erased users",
            reads=[prefixes.EVENTS, prefixes.ERASED],
            writes=[prefixes.EVENTS, prefixes.EVENTS_STAGING, prefixes.ERASURE_REPORTS],
        )
        funnel = {"--funnel": ",".join(self.config.archive.funnel)} if self.config.archive.funnel else {}
        retention = self.spark.add(
            "retention",
            description="Counts retention, conversion and churn",
            reads=[prefixes.EVENTS, prefixes.ERASED],
            writes=[prefixes.RETENTION],
            arguments={"--churn_days": str(self.config.archive.churn_days), **funnel},
        )
        return add_machine(
            self,
            self.config,
            "archive",
            {"ExportErasures": export},
            grants=[run_jobs(self, [erasure, retention])],
            substitutions={
                "Erasure": erasure,
                "Retention": retention,
                "Archive": self._address(prefixes.EVENTS),
                "Staging": self._address(prefixes.EVENTS_STAGING),
                "ErasureReports": self._address(prefixes.ERASURE_REPORTS),
                "Figures": self._address(prefixes.RETENTION),
            },
        )

    def _interactions_job(self) -> str:
        """`reco load archive` starts it."""
        config = self.config
        archive_only = [name for name, kind in config.event_types.items() if kind.archive_only]
        given = {
            "--archive": self._address(prefixes.EVENTS),
            "--output": self._address(prefixes.INTERACTIONS),
            "--rejected": self._address(prefixes.REJECTED_INTERACTIONS),
            "--report": self._address(prefixes.INTERACTIONS_REPORT),
            "--schema": b64encode(json.dumps(config.datasets.interactions.avro.document).encode()).decode(),
            "--event_types": ",".join(name for name in config.event_types if name not in archive_only),
        }
        return self.spark.add(
            "interactions",
            description="Rebuilds the Interactions CSVs from the archive",
            reads=[prefixes.EVENTS, prefixes.ERASED],
            writes=[prefixes.INTERACTIONS, prefixes.BATCH],
            arguments=given | ({"--archive_only": ",".join(archive_only)} if archive_only else {}),
        )

    def _schedules(self, batch: stepfunctions.StateMachine, archive: stepfunctions.StateMachine) -> None:
        machines = {"batch": batch, "archive": archive}
        expressions = {"batch": self.config.schedules.batch, "archive": self.config.schedules.archive}
        wanted = {name: expression for name, expression in expressions.items() if expression}
        if not wanted:
            return
        starter = schedule_role(self, "StartRole", "Starts batch runs and the archive's upkeep")
        Grant(["states:StartExecution"], [machines[name].state_machine_arn for name in wanted]).give(starter)
        for name, expression in wanted.items():
            start_by_schedule(self, self.config, name, expression, starter, machines[name].state_machine_arn)

    def _alarms(self, batch: stepfunctions.StateMachine, archive: stepfunctions.StateMachine) -> None:
        alarms = Alarms(self, self.config)
        alarms.add("batch-run-failed", unsuccessful(batch), 1, runbook=_RUNBOOK)
        alarms.add("archive-run-failed", unsuccessful(archive), 1, runbook=_RUNBOOK)
        schedules = self.config.schedules
        for name, machine, expression in (("batch", batch, schedules.batch), ("archive", archive, schedules.archive)):
            if expression:
                what = f"No {name} run succeeded"
                alarms.add_overdue(f"{name}-overdue", what, machine.metric_succeeded(), expression, runbook=_RUNBOOK)

    def _personalize_role(self) -> iam.Role:
        role = personalize_role(self, "Lets Amazon Personalize read the input of batch jobs and write their output")
        list_below(self.config, self.bucket, prefixes.BATCH).give(role)
        Grant(["s3:GetObject", "s3:PutObject"], [f"{self.bucket}/{prefixes.BATCH}*"], _OWN_FILES).give(role)
        for grant in use_key_in_jobs(self.config):
            grant.give(role)
        return role

    def _ours(self, *patterns: str) -> list[str]:
        return [f"{names.personalize_prefix()}:{pattern.format(self.config.name)}" for pattern in patterns]

    def _on(self, table: str, *calls: str) -> Grant:
        return Grant([f"dynamodb:{call}" for call in calls], [self.format_arn(service="dynamodb", resource=f"table/{table}")])

    def _files(self, prefix: str, *calls: str) -> list[Grant]:
        keys = {"s3:GetObject": "Decrypt", "s3:PutObject": "GenerateDataKey"}
        return [Grant(calls, [f"{self.bucket}/{prefix}*"], _OWN_FILES), *use_key(self.config, *(keys[call] for call in calls))]

    def _address(self, prefix: str) -> str:
        return prefixes.address(names.data_bucket(self.config), prefix)

    def _export_erasures(self) -> lambda_.Function:
        return self.functions.add(
            "export_erasures",
            description="Lists the erased users for the Spark jobs",
            grants=[self._on(names.erasures_table(self.config), "Scan"), *self._files(prefixes.ERASED, "s3:PutObject")],
            environment=environment.ExportErasures(
                data_bucket=names.data_bucket(self.config), erasures_table=names.erasures_table(self.config)
            ),
            timeout=cdk.Duration.minutes(5),
        )

    def _plan_batch(self) -> lambda_.Function:
        return self.functions.add(
            "plan_batch",
            description="Says what a batch run will make, and lets one run at a time",
            grants=[
                self._on(names.runs_table(self.config), "PutItem", "GetItem"),
                Grant(
                    ["states:DescribeExecution"],
                    [executions(self, self.config, "batch")],
                    "an execution's name is made when it starts",
                ),
            ],
            environment=environment.PlanBatch(runs_table=names.runs_table(self.config)),
        )

    def _run_batch_job(self) -> lambda_.Function:
        kinds = ("BatchInferenceJob", "BatchSegmentJob")
        calls = [f"personalize:{verb}{kind}" for kind in kinds for verb in ("Describe", "Create")]
        patterns = ("batch-inference-job/{}_*", "batch-segment-job/{}_*", "solution/{}_*", "filter/{}_*")
        return self.functions.add(
            "run_batch_job",
            description="Prepares the input of batch jobs and runs them in Personalize",
            grants=[
                Grant([*calls, "personalize:TagResource"], self._ours(*patterns), OWN_NAMES),
                Grant(["personalize:DescribeCampaign"], self._ours("campaign/{}_*"), OWN_NAMES),
                pass_role(self.personalize_role),
                self._on(names.runs_table(self.config), "Query"),
                *self._files(prefixes.BATCH, "s3:GetObject", "s3:PutObject"),
                *self._files(prefixes.SNAPSHOTS, "s3:GetObject"),
                # Without it, S3 answers that access is denied where an object is not there.
                Grant(
                    ["s3:ListBucket"],
                    [self.bucket],
                    conditions={"StringLike": {"s3:prefix": [f"{prefixes.BATCH}*", f"{prefixes.SNAPSHOTS}*"]}},
                ),
            ],
            environment=environment.RunBatchJob(
                data_bucket=names.data_bucket(self.config),
                personalize_arn_prefix=names.personalize_prefix(),
                personalize_role_arn=self.personalize_role.role_arn,
                runs_table=names.runs_table(self.config),
            ),
            timeout=cdk.Duration.minutes(2),
        )

    def _load_recommendations(self) -> lambda_.Function:
        """1769 MB are one whole processor (lambda/latest/dg/configuration-memory.html): loading is bound by it."""
        return self.functions.add(
            "load_recommendations",
            description="Loads the output of batch jobs into DynamoDB",
            grants=[
                Grant(["dynamodb:BatchWriteItem"], [self.lists.table_arn, self.segments.table_arn]),
                self._on(names.erasures_table(self.config), "Scan"),
                *self._files(prefixes.BATCH, "s3:GetObject", "s3:PutObject"),
            ],
            environment=environment.LoadRecommendations(
                batch_lists_table=self.lists.table_name,
                data_bucket=names.data_bucket(self.config),
                erasures_table=names.erasures_table(self.config),
                segments_table=self.segments.table_name,
            ),
            memory_mb=1769,
            timeout=cdk.Duration.minutes(15),
        )

    def _publish_batch(self) -> lambda_.Function:
        return self.functions.add(
            "publish_batch",
            description="Makes complete loads current",
            grants=[
                Grant(["dynamodb:PutItem", "dynamodb:BatchWriteItem"], [self.lists.table_arn]),
                Grant(["dynamodb:PutItem"], [self.segments.table_arn]),
                self._on(names.erasures_table(self.config), "Scan"),
                *self._files(prefixes.BATCH, "s3:GetObject"),
                Grant(["s3:ListBucket"], [self.bucket], conditions={"StringLike": {"s3:prefix": f"{prefixes.BATCH}*"}}),
            ],
            environment=environment.PublishBatch(
                batch_lists_table=self.lists.table_name,
                data_bucket=names.data_bucket(self.config),
                erasures_table=names.erasures_table(self.config),
                segments_table=self.segments.table_name,
            ),
            timeout=cdk.Duration.minutes(15),
        )

    def _report_batch(self) -> lambda_.Function:
        topic = self.format_arn(service="sns", resource=names.run_topic(self.config))
        return self.functions.add(
            "report_batch",
            description="Reports how a batch run went",
            grants=[
                *self._files(prefixes.REPORTS, "s3:PutObject"),
                Grant(["sns:Publish"], [topic]),
                Grant(["events:PutEvents"], [self.format_arn(service="events", resource="event-bus/default")]),
                self._on(names.runs_table(self.config), "DeleteItem"),
            ],
            environment=environment.ReportBatch(
                data_bucket=names.data_bucket(self.config),
                deployment=self.config.name,
                runs_table=names.runs_table(self.config),
                topic_arn=topic,
            ),
        )

"""The Spark jobs: AWS Glue runs the scripts of `glue/`; a role each, with what its script reads and writes."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from lambdas.config import Config
from lambdas.config.names import own_name
from lambdas.stores import prefixes
from stacks import names
from stacks.acknowledged import acknowledge
from stacks.code import RULES
from stacks.grants import Grant, use_key

_SCRIPTS = Path(__file__).parents[1] / "glue"
_LOG_GROUPS = "/aws-glue/jobs/*"
_SPARK_NAMES = "Spark names the files below a folder"
#: What a job's findings are, and why they are accepted.
ACCEPTED = {
    "AwsSolutions-GL1": "its log holds counts and no user's data; CloudWatch encrypts it with a key of its own",
    "AwsSolutions-GL3": "it has no bookmark",
    "CKV_AWS_195": "its log holds counts and no user's data, and it has no bookmark; S3 encrypts what it writes",
}


def _modules_directory(scope: Construct) -> Path:
    """What the scripts import, as a job finds it in `--extra-py-files`: their sibling that reads the archive, and the rules."""
    stage = cdk.Stage.of(scope)
    assert stage is not None  # noqa: S101  every construct of an app is in one
    folder = Path(stage.outdir) / "spark"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(_SCRIPTS, folder, ignore=ignore)
    shutil.copytree(RULES, folder / RULES.name, ignore=ignore)
    return folder


class SparkJobs(Construct):
    """Makes the jobs of one stack; they share the module that reads the archive, and the rules of Amazon Personalize."""

    def __init__(self, scope: Construct, config: Config) -> None:
        super().__init__(scope, "Spark")
        self.config = config
        self.bucket = f"arn:{cdk.Aws.PARTITION}:s3:::{names.data_bucket(config)}"
        self.modules = assets.Asset(self, "Modules", path=str(_modules_directory(self)))

    def add(
        self,
        script: str,
        *,
        description: str,
        reads: Sequence[str],
        writes: Sequence[str],
        arguments: Mapping[str, str] | None = None,
        at_once: int = 1,
    ) -> str:
        """The job of `glue/<script>.py`; returns its name. `reads` and `writes` are prefixes of the data bucket."""
        name, title = own_name(self.config, script.replace("_", "-")), script.title().replace("_", "")
        file = assets.Asset(self, f"{title}Script", path=str(_SCRIPTS / f"{script}.py"))
        job = glue.CfnJob(
            self,
            title,
            name=name,
            description=description,
            role=self._role(title, description, file, reads, writes).role_arn,
            command=glue.CfnJob.JobCommandProperty(name="glueetl", python_version="3", script_location=file.s3_object_url),
            glue_version="5.0",
            worker_type="G.1X",
            number_of_workers=2,
            execution_property=glue.CfnJob.ExecutionPropertyProperty(max_concurrent_runs=at_once),
            default_arguments={
                "--extra-py-files": self.modules.s3_object_url,
                "--enable-auto-scaling": "true",
                **(arguments or {}),
            },
            timeout=480,
        )
        acknowledge(job, ACCEPTED)
        return str(job.name)

    def _role(self, title: str, description: str, file: assets.Asset, reads: Sequence[str], writes: Sequence[str]) -> iam.Role:
        role = iam.Role(self, f"{title}Role", assumed_by=iam.ServicePrincipal("glue.amazonaws.com"), description=description)
        own = [asset.bucket.arn_for_objects(asset.s3_object_key) for asset in (file, self.modules)]
        Grant(["s3:GetObject"], own).give(role)
        for grant in (*self._look_at(sorted({*reads, *writes})), *self._write_below(writes)):
            grant.give(role)
        for grant in use_key(self.config, "Decrypt", "GenerateDataKey"):
            grant.give(role)
        groups = cdk.Stack.of(self).format_arn(
            service="logs", resource="log-group", resource_name=_LOG_GROUPS, arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME
        )
        calls = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
        Grant(calls, [groups], "Glue makes the groups, which all jobs share, and names a stream for each run").give(role)
        return role

    def _look_at(self, folders: Sequence[str]) -> list[Grant]:
        """To list the folders, and to read what is in them, the folders themselves and those that they are in.

        Whether a HEAD carries the condition key s3:prefix is not documented: the condition holds with the key and without it.
        """
        names = sorted({name for folder in folders for name in _folder_names(folder)})
        listed = [*names, *(f"{name}/" for name in names), *(f"{folder}*" for folder in folders)]
        objects = [*names, *map(_marker, names), *(f"{folder}*" for folder in folders)]
        return [
            Grant(["s3:ListBucket"], [self.bucket], conditions={"StringLikeIfExists": {"s3:prefix": listed}}),
            Grant(["s3:GetObject"], [f"{self.bucket}/{name}" for name in objects], _SPARK_NAMES),
        ]

    def _write_below(self, folders: Sequence[str]) -> list[Grant]:
        markers = sorted({_marker(name) for folder in folders for name in _folder_names(folder)})
        objects = [f"{self.bucket}/{name}" for name in (*(f"{folder}*" for folder in folders), *markers)]
        return [Grant(["s3:PutObject", "s3:DeleteObject"], objects, _SPARK_NAMES)]


def _folder_names(folder: str) -> list[str]:
    """What Hadoop asks S3 for when it looks at a folder: `batch/erased/` -> `batch`, `batch/erased`, without the last slash."""
    parts = folder.strip("/").split("/")
    return ["/".join(parts[: n + 1]) for n in range(len(parts))]


def _marker(name: str) -> str:
    """The empty object with which Glue's EMRFS says that a folder is there."""
    return f"{name}_$folder$"


def run_jobs(stack: cdk.Stack, jobs: Sequence[str]) -> Grant:
    """To run jobs and to wait for their end. docs: step-functions/latest/dg/connect-glue.html"""
    arns = [stack.format_arn(service="glue", resource="job", resource_name=job) for job in jobs]
    return Grant(["glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"], arns)


def add_retention_table(scope: Construct, config: Config) -> None:
    """The figures of glue/retention.py for Athena, in the archive's database."""
    column, location = glue.CfnTable.ColumnProperty, prefixes.address(names.data_bucket(config), prefixes.RETENTION)
    kinds = {
        "day": "date",
        "event_type": "string",
        **dict.fromkeys(("events", "users", "new_users", "returning_users", "converted_users"), "bigint"),
        **dict.fromkeys(("conversion", "retention_1", "retention_7", "retention_30"), "double"),
        "churned_users": "bigint",
        "churn": "double",
    }
    glue.CfnTable(
        scope,
        "RetentionTable",
        catalog_id=cdk.Aws.ACCOUNT_ID,
        database_name=names.archive_database(config),
        table_input=glue.CfnTable.TableInputProperty(
            name="retention",
            description="Users, conversion, retention and churn by day and event type",
            table_type="EXTERNAL_TABLE",
            parameters={
                "classification": "parquet",
                "projection.enabled": "true",
                "projection.year.type": "integer",
                "projection.year.range": "1990,2100",
                "storage.location.template": f"{location}year=${{year}}",
            },
            partition_keys=[column(name="year", type="int")],
            storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
                columns=[column(name=name, type=kind) for name, kind in kinds.items()],
                location=location,
                input_format="org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
                output_format="org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
                serde_info=glue.CfnTable.SerdeInfoProperty(
                    serialization_library="org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
                ),
            ),
        ),
    )

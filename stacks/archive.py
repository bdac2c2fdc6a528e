"""The archive: every record of the stream in S3, by the hour, and a table over it for Athena."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_logs as logs
from constructs import Construct

from lambdas.config import Config
from lambdas.stores import prefixes
from personalize_rules.events import record_columns
from stacks import names
from stacks.acknowledged import acknowledge
from stacks.grants import Grant, use_key

PREFIX = prefixes.EVENTS + "year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/"
_ERROR_PREFIX = (
    prefixes.EVENTS_ERRORS + "!{firehose:error-output-type}/year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/"
)
#: The part of an object's address that is a column too: Athena computes its values, so that no crawler has to find new hours.
#: docs: athena/latest/ug/partition-projection-supported-types.html, and java.time's DateTimeFormatter for what is quoted.
HOUR = "hour"
_HOUR_FORMAT = "'year='yyyy'/month='MM'/day='dd'/hour='HH"
#: No event is older: it is a date of the project's, before anybody could deploy it.
_FIRST_HOUR = "year=2026/month=01/day=01/hour=00"


class Archive(Construct):
    """Firehose from the stream to `events/` of the data bucket, as gzipped JSON lines."""

    def __init__(self, scope: Construct, id_: str, config: Config, stream: kinesis.IStream) -> None:
        super().__init__(scope, id_)
        self.name = names.archive_stream(config)
        self.database = names.archive_database(config)
        bucket = f"arn:{cdk.Aws.PARTITION}:s3:::{names.data_bucket(config)}"
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("firehose.amazonaws.com"))
        log_group = logs.LogGroup(
            self,
            "Log",
            log_group_name=f"/aws/kinesisfirehose/{self.name}",
            retention=logs.RetentionDays.THREE_MONTHS,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        log_stream = logs.LogStream(
            self, "LogStream", log_group=log_group, log_stream_name="delivery", removal_policy=cdk.RemovalPolicy.DESTROY
        )
        reads = ["kinesis:DescribeStream", "kinesis:GetShardIterator", "kinesis:GetRecords", "kinesis:ListShards"]
        Grant(reads, [stream.stream_arn]).give(role)
        Grant(["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"], [bucket]).give(role)
        objects = [f"{bucket}/{prefixes.EVENTS}*", f"{bucket}/{prefixes.EVENTS_ERRORS}*"]
        Grant(["s3:PutObject", "s3:AbortMultipartUpload"], objects, "Firehose names the objects by time").give(role)
        for grant in use_key(config, "Decrypt", "GenerateDataKey"):
            grant.give(role)
        log_group.grant_write(role)
        delivery = firehose.CfnDeliveryStream(
            self,
            "Delivery",
            delivery_stream_name=self.name,
            delivery_stream_type="KinesisStreamAsSource",
            kinesis_stream_source_configuration=firehose.CfnDeliveryStream.KinesisStreamSourceConfigurationProperty(
                kinesis_stream_arn=stream.stream_arn, role_arn=role.role_arn
            ),
            extended_s3_destination_configuration=firehose.CfnDeliveryStream.ExtendedS3DestinationConfigurationProperty(
                bucket_arn=bucket,
                role_arn=role.role_arn,
                prefix=PREFIX,
                error_output_prefix=_ERROR_PREFIX,
                compression_format="GZIP",
                buffering_hints=firehose.CfnDeliveryStream.BufferingHintsProperty(interval_in_seconds=300, size_in_m_bs=64),
                cloud_watch_logging_options=firehose.CfnDeliveryStream.CloudWatchLoggingOptionsProperty(
                    enabled=True, log_group_name=log_group.log_group_name, log_stream_name=log_stream.log_stream_name
                ),
            ),
        )
        delivery.node.add_dependency(role)
        acknowledge(
            delivery, {"AwsSolutions-KDF1": "its source is a stream that is encrypted: Firehose allows no second encryption"}
        )
        self._table(config)

    def _table(self, config: Config) -> None:
        database = glue.CfnDatabase(
            self,
            "Database",
            catalog_id=cdk.Aws.ACCOUNT_ID,
            database_input=glue.CfnDatabase.DatabaseInputProperty(name=self.database, description=f"Events of {config.name}"),
        )
        location = prefixes.address(names.data_bucket(config), prefixes.EVENTS)
        first = f"NOW-{config.archive.keep_days + 1}DAYS" if config.archive.keep_days else _FIRST_HOUR
        parameters = {
            "classification": "json",
            "projection.enabled": "true",
            f"projection.{HOUR}.type": "date",
            f"projection.{HOUR}.format": _HOUR_FORMAT,
            f"projection.{HOUR}.range": f"{first},NOW",
            f"projection.{HOUR}.interval": "1",
            f"projection.{HOUR}.interval.unit": "HOURS",
            "storage.location.template": f"{location}${{{HOUR}}}/",
        }
        column = glue.CfnTable.ColumnProperty
        table = glue.CfnTable(
            self,
            "Table",
            catalog_id=cdk.Aws.ACCOUNT_ID,
            database_name=self.database,
            table_input=glue.CfnTable.TableInputProperty(
                name="events",
                description="Every event that the API accepted; the same event may stand here more than once, with one event_id",
                table_type="EXTERNAL_TABLE",
                parameters=parameters,
                partition_keys=[column(name=HOUR, type="string")],
                storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
                    columns=[column(name=name, type=kind) for name, kind in record_columns("spark").items()],
                    location=location,
                    input_format="org.apache.hadoop.mapred.TextInputFormat",
                    output_format="org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
                    serde_info=glue.CfnTable.SerdeInfoProperty(
                        serialization_library="org.openx.data.jsonserde.JsonSerDe",
                        parameters={"ignore.malformed.json": "true"},
                    ),
                ),
            ),
        )
        table.node.add_dependency(database)

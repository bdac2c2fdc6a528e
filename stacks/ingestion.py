"""Events, items and users in real time: stream, queue, archive, dead letters, the functions between, erasure, and the alarms."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import jsii
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from lambdas.config import Config, environment
from lambdas.stores import keys, prefixes
from lambdas.stores.deployment import parameter_name
from stacks import names
from stacks.acknowledged import acknowledge
from stacks.archive import Archive
from stacks.dead_letters import add_dead_letters
from stacks.functions import Functions
from stacks.grants import NO_RESOURCE, OWN_NAMES, Grant, use_key
from stacks.ingestion_alarms import DAILY, add_alarms
from stacks.machines import schedule_role, start_by_schedule
from stacks.personalize_role import pass_role, personalize_role, reach_bucket
from stacks.storage import allow_personalize
from stacks.tables import add_table


@jsii.implements(lambda_.IEventSourceDlq)
class _InBucket:
    """A bucket as the place for batches that an event source mapping gives up: below `aws/lambda/`, with the records themselves.

    The CDK's own class would let the function read and delete the whole bucket.
    docs: lambda/latest/dg/kinesis-on-failure-destination.html
    """

    def __init__(self, bucket_arn: str) -> None:
        self.bucket_arn = bucket_arn

    def bind(self, target: lambda_.IEventSourceMapping, target_handler: lambda_.IFunction) -> lambda_.DlqDestinationConfig:
        return lambda_.DlqDestinationConfig(destination=self.bucket_arn)


class IngestionStack(cdk.Stack):
    """Outputs: EventStream, RecordQueueUrl, DeadLetterQueueUrl, StuckRecordsQueueUrl, ArchiveDatabase, ErasureBucket."""

    def __init__(self, scope: Construct, id_: str, config: Config, **kwargs: Any) -> None:
        super().__init__(scope, id_, **kwargs)
        self.config = config
        self.bucket = s3.Bucket.from_bucket_name(self, "Data", names.data_bucket(config))
        self.functions = Functions(self, config, "ingestion")
        self.stream = kinesis.Stream(
            self,
            "Events",
            stream_name=names.event_stream(config),
            stream_mode=kinesis.StreamMode.ON_DEMAND,
            encryption=kinesis.StreamEncryption.MANAGED,
            retention_period=cdk.Duration.days(7),
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        self.dead_letters = add_dead_letters(self, "DeadLetters", names.dead_letter_queue(config), cdk.Duration.minutes(5))
        self.erasures = self._erasures()
        self.records_arn = self.format_arn(service="dynamodb", resource=f"table/{names.records_table(config)}")
        put_events = self._put_events()
        put_records, records, stuck = self._put_records()
        delete_user_data = self._erasure()
        archive = Archive(self, "Archive", config, self.stream)
        add_alarms(self, config, put_events, put_records, delete_user_data, self.dead_letters, stuck, archive)
        for name, value in {
            "EventStream": self.stream.stream_name,
            "RecordQueueUrl": records.queue_url,
            "DeadLetterQueueUrl": self.dead_letters.queue_url,
            "StuckRecordsQueueUrl": stuck.queue_url,
            "ArchiveDatabase": archive.database,
            "ErasureBucket": self.erasure_lists.bucket_name,
        }.items():
            cdk.CfnOutput(self, name, value=value)

    def _erasures(self) -> dynamodb.Table:
        return add_table(self, "Erasures", names.erasures_table(self.config), attributes=keys.ERASURES)

    def _put_events(self) -> lambda_.Function:
        parameter, recent = parameter_name(self.config.name), names.recent_items_table(self.config)
        function = self.functions.add(
            "put_events",
            description="Puts events from the stream to Personalize",
            grants=[
                Grant(["personalize:PutEvents"], ["*"], NO_RESOURCE),
                Grant(["ssm:GetParameter"], [self.format_arn(service="ssm", resource=f"parameter{parameter}")]),
                Grant(["dynamodb:BatchWriteItem"], [self.format_arn(service="dynamodb", resource=f"table/{recent}")]),
                Grant(["dynamodb:BatchGetItem"], [self.erasures.table_arn]),
                *self._write_dead_letters(),
                Grant(["s3:ListBucket"], [self.bucket.bucket_arn]),
                Grant(
                    ["s3:PutObject"],
                    [self.bucket.arn_for_objects(f"{prefixes.GIVEN_UP}*")],
                    "Lambda names the batches that it gave up",
                ),
            ],
            environment=environment.PutEvents(
                deployment_parameter=parameter,
                erasures_table=self.erasures.table_name,
                recent_items_table=recent,
                data_bucket=self.bucket.bucket_name,
                dead_letter_queue_url=self.dead_letters.queue_url,
            ),
            memory_mb=1024,
            timeout=cdk.Duration.minutes(5),
        )
        function.add_event_source(
            sources.KinesisEventSource(
                self.stream,
                starting_position=lambda_.StartingPosition.TRIM_HORIZON,
                batch_size=500,
                max_batching_window=cdk.Duration.seconds(1),
                # Two batches of a shard at a time keep a default stream of four shards above PutEvents' 1000 calls a second.
                parallelization_factor=2,
                bisect_batch_on_error=True,
                report_batch_item_failures=True,
                # A throttled batch waits inside the function: 50 attempts are more than four hours without Personalize.
                retry_attempts=50,
                max_record_age=cdk.Duration.days(6),
                on_failure=_InBucket(self.bucket.bucket_arn),
            )
        )
        return function

    def _put_records(self) -> tuple[lambda_.Function, sqs.Queue, sqs.Queue]:
        stuck = add_dead_letters(self, "StuckRecords", f"{names.record_queue(self.config)}-stuck", cdk.Duration.minutes(5))
        timeout = cdk.Duration.minutes(2)
        queue = sqs.Queue(
            self,
            "Records",
            queue_name=names.record_queue(self.config),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=cdk.Duration.days(7),
            visibility_timeout=cdk.Duration.seconds(6 * timeout.to_seconds()),
            dead_letter_queue=sqs.DeadLetterQueue(queue=stuck, max_receive_count=400),  # five hours of an outage
        )
        catalogue = self.format_arn(service="dynamodb", resource=f"table/{names.catalogue_table(self.config)}")
        datasets = f"{names.personalize_prefix()}:dataset/{self.config.name}/*"
        function = self.functions.add(
            "put_records",
            description="Puts items and users from their queue to Personalize and the catalogue",
            grants=[
                Grant(["personalize:PutItems", "personalize:PutUsers"], [datasets], OWN_NAMES),
                Grant(["dynamodb:BatchGetItem", "dynamodb:PutItem"], [self.records_arn]),
                Grant(["dynamodb:UpdateItem"], [catalogue]),
                Grant(["dynamodb:BatchGetItem"], [self.erasures.table_arn]),
                *self._write_dead_letters(),
            ],
            environment=environment.PutRecords(
                catalogue_table=names.catalogue_table(self.config),
                erasures_table=self.erasures.table_name,
                records_table=names.records_table(self.config),
                record_queue_url=queue.queue_url,
                personalize_arn_prefix=names.personalize_prefix(),
                data_bucket=self.bucket.bucket_name,
                dead_letter_queue_url=self.dead_letters.queue_url,
            ),
            timeout=timeout,
        )
        function.add_event_source(
            sources.SqsEventSource(
                queue,
                batch_size=100,
                max_batching_window=cdk.Duration.seconds(1),
                max_concurrency=2,  # the least that SQS allows; Personalize takes ten calls a second
                report_batch_item_failures=True,
            )
        )
        return function, queue, stuck

    def _write_dead_letters(self) -> list[Grant]:
        large = self.bucket.arn_for_objects(f"{prefixes.DEAD_LETTERS}*")
        return [
            Grant(["sqs:SendMessage"], [self.dead_letters.queue_arn]),
            Grant(["s3:PutObject"], [large], "large dead letters are named by their content"),
            *use_key(self.config, "GenerateDataKey"),
        ]

    def _erasure(self) -> lambda_.Function:
        self.functions.add(
            "erase_user",
            description="Writes the deletion record of a user who asked to be forgotten, and deletes the user's rows",
            grants=[Grant(["dynamodb:PutItem"], [self.erasures.table_arn]), *self._delete_rows()],
            environment=environment.EraseUser(
                erasures_table=self.erasures.table_name,
                batch_lists_table=names.batch_lists_table(self.config),
                recent_items_table=names.recent_items_table(self.config),
                records_table=names.records_table(self.config),
            ),
        )
        bucket = self.erasure_lists = self._erasure_lists()
        lists = bucket.arn_for_objects("*")
        reader = personalize_role(self, "Lets Amazon Personalize read the list of erased users", "DeletionRole")
        Grant(["s3:ListBucket"], [bucket.bucket_arn]).give(reader)
        Grant(["s3:GetObject"], [lists], "each day has a list of its own").give(reader)
        ours = [f"{names.personalize_prefix()}:{kind}" for kind in (f"dataset-group/{self.config.name}", "data-deletion-job/*")]
        calls = ["CreateDataDeletionJob", "TagResource"]
        function = self.functions.add(
            "delete_user_data",
            description="Has Personalize delete the data of erased users",
            grants=[
                Grant([f"personalize:{call}" for call in calls], ours, OWN_NAMES),
                Grant(["personalize:ListDataDeletionJobs"], ["*"], NO_RESOURCE),
                Grant(["dynamodb:Scan"], [self.erasures.table_arn]),
                *self._delete_rows(),
                Grant(["s3:PutObject"], [lists], "each day has a list of its own"),
                pass_role(reader),
            ],
            environment=environment.DeleteUserData(
                erasure_bucket=bucket.bucket_name,
                erasures_table=self.erasures.table_name,
                batch_lists_table=names.batch_lists_table(self.config),
                recent_items_table=names.recent_items_table(self.config),
                records_table=names.records_table(self.config),
                personalize_arn_prefix=names.personalize_prefix(),
                personalize_role_arn=reader.role_arn,
            ),
            timeout=cdk.Duration.minutes(5),
        )
        self._daily(function)
        return function

    def _erasure_lists(self) -> s3.Bucket:
        """Each day's list of all erased users, for one deletion job of Personalize, which takes no list from a bucket under the
        customer's own key. docs: personalize/latest/dg/delete-records.html
        """
        bucket = s3.Bucket(
            self,
            "ErasureLists",
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            lifecycle_rules=[s3.LifecycleRule(expiration=cdk.Duration.days(7))],
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        allow_personalize(bucket, reach_bucket(self.config), "s3:GetObject")
        for rule in ("AwsSolutions-S1", "CKV_AWS_18"):
            acknowledge(bucket, {rule: "one function writes a list a day, one job reads it, and it expires after a week"})
        acknowledge(bucket, {"CKV_AWS_21": "a list is written once and expires: an old version would keep erased users"})
        return bucket

    def _delete_rows(self) -> list[Grant]:
        """On the tables that erasure empties of a user (lambdas/ingestion/user_data.py)."""
        recent, records, lists = (
            self.format_arn(service="dynamodb", resource=f"table/{table_of(self.config)}")
            for table_of in (names.recent_items_table, names.records_table, names.batch_lists_table)
        )
        return [
            Grant(["dynamodb:Query", "dynamodb:BatchWriteItem"], [recent]),
            Grant(["dynamodb:BatchWriteItem"], [records]),
            Grant(["dynamodb:GetItem", "dynamodb:BatchWriteItem"], [lists]),
        ]

    def _daily(self, function: lambda_.Function) -> None:
        starter = schedule_role(self, "DailyRole", "Starts the daily deletion of erased users")
        Grant(["lambda:InvokeFunction"], [function.function_arn]).give(starter)
        start_by_schedule(self, self.config, "delete-user-data", DAILY, starter, function.function_arn)

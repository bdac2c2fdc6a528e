"""SQS, SNS, EventBridge, EventBridge Scheduler, Kinesis and Firehose."""

from __future__ import annotations

from localaws.clients import Aws
from localaws.moto.cloudformation.provider import (
    ApiProvider,
    Created,
    Properties,
    Provider,
    call,
    tags_of,
    text,
)
from localaws.moto.events import SUBSCRIBERS
from localaws.moto.targets import check_target
from localaws.schedule_expressions import check, check_of_rule


class Queue(Provider):
    type = "AWS::SQS::Queue"
    name_property = "QueueName"
    name_limit = 80
    not_emulated = ("FifoQueue",)  # what reads a queue does not read groups in order

    def create(self, aws: Aws, properties: Properties) -> Created:
        name = properties["QueueName"]
        tags = {tag["Key"]: tag["Value"] for tag in tags_of(properties)}
        parameters = {"QueueName": name, "Attributes": _queue_attributes(properties), "Tags": tags}
        url = call(aws, "sqs", "CreateQueue", parameters)["QueueUrl"]
        arn = f"arn:aws:sqs:{aws.region}:{aws.account}:{name}"
        return Created(url, {"Arn": arn, "QueueName": name, "QueueUrl": url})

    def change(self, aws: Aws, created: Created, properties: Properties, previous: Properties) -> Created:
        call(aws, "sqs", "SetQueueAttributes", {"QueueUrl": created.ref, "Attributes": _queue_attributes(properties)})
        return created

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        aws.client("sqs").delete_queue(QueueUrl=created.ref)


def _queue_attributes(properties: Properties) -> dict[str, str]:
    return {key: text(value) for key, value in properties.items() if key not in ("QueueName", "Tags")}


class _QueuePolicy(Provider):
    type = "AWS::SQS::QueuePolicy"

    def create(self, aws: Aws, properties: Properties) -> Created:
        policy = {"Policy": text(properties["PolicyDocument"])}
        for url in properties["Queues"]:
            aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes=policy)
        return Created("QueuePolicy")


class _TopicPolicy(Provider):
    type = "AWS::SNS::TopicPolicy"

    def create(self, aws: Aws, properties: Properties) -> Created:
        for arn in properties["Topics"]:
            document = text(properties["PolicyDocument"])
            aws.client("sns").set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=document)
        return Created("TopicPolicy")


_TOPIC_ATTRIBUTES = ("DisplayName", "KmsMasterKeyId", "TracingConfig")


class Topic(Provider):
    type = "AWS::SNS::Topic"
    name_property = "TopicName"
    name_limit = 256
    not_emulated = ("FifoTopic", "Subscription")  # subscriptions are resources of their own

    def create(self, aws: Aws, properties: Properties) -> Created:
        attributes = {name: text(properties[name]) for name in _TOPIC_ATTRIBUTES if name in properties}
        parameters = {"Name": properties["TopicName"], "Attributes": attributes, "Tags": tags_of(properties)}
        arn = call(aws, "sns", "CreateTopic", parameters)["TopicArn"]
        return Created(arn, {"TopicArn": arn, "TopicName": properties["TopicName"]})

    def change(self, aws: Aws, created: Created, properties: Properties, previous: Properties) -> Created:
        for name in _TOPIC_ATTRIBUTES:
            if properties.get(name) != previous.get(name):
                value = text(properties.get(name, ""))
                aws.client("sns").set_topic_attributes(TopicArn=created.ref, AttributeName=name, AttributeValue=value)
        return created

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        aws.client("sns").delete_topic(TopicArn=created.ref)


_SUBSCRIPTION_ATTRIBUTES = ("FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy")


def _subscription(properties: Properties) -> Properties:
    if properties["Protocol"] not in SUBSCRIBERS:
        raise ValueError(f"subscriptions of {properties['Protocol']} are not emulated, only of {', '.join(sorted(SUBSCRIBERS))}")
    attributes = {name: text(properties[name]) for name in _SUBSCRIPTION_ATTRIBUTES if name in properties}
    return {**properties, "ReturnSubscriptionArn": True, "Attributes": attributes}


class Rule(Provider):
    type = "AWS::Events::Rule"
    name_property = "Name"
    not_emulated = tuple(f"Targets.{name}" for name in ("InputPath", "InputTransformer", "SqsParameters"))

    def create(self, aws: Aws, properties: Properties) -> Created:
        if expression := properties.get("ScheduleExpression"):
            check_of_rule(expression)
        if properties.get("EventBusName", "default") != "default":
            raise ValueError("rules of another bus than the default one are not emulated")
        for target in properties.get("Targets") or []:
            check_target(target["Arn"])
        arn = call(aws, "events", "PutRule", {**properties, "Tags": tags_of(properties)})["RuleArn"]
        if targets := properties.get("Targets"):
            call(aws, "events", "PutTargets", {"Rule": properties["Name"], "Targets": targets})
        return Created(properties["Name"], {"Arn": arn})

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        events = aws.client("events")
        if ids := [target["Id"] for target in properties.get("Targets") or []]:
            events.remove_targets(Rule=created.ref, Ids=ids)
        events.delete_rule(Name=created.ref)


def _schedule(properties: Properties) -> Properties:
    check(properties["ScheduleExpression"])
    check_target(properties["Target"]["Arn"])
    if "<aws.scheduler." in properties["Target"].get("Input", ""):
        raise ValueError("context attributes (<aws.scheduler.…>) in a target's input are not emulated")
    return properties


def _delivery_stream(properties: Properties) -> Properties:
    if "KinesisStreamSourceConfiguration" not in properties or "ExtendedS3DestinationConfiguration" not in properties:
        raise ValueError("only delivery streams from Kinesis to S3 (ExtendedS3DestinationConfiguration) are emulated")
    return properties


class Stream(Provider):
    type = "AWS::Kinesis::Stream"
    name_property = "Name"
    fixed = ("Name", "ShardCount", "StreamModeDetails")

    def create(self, aws: Aws, properties: Properties) -> Created:
        name = properties["Name"]
        call(aws, "kinesis", "CreateStream", {**properties, "StreamName": name})
        self._configure(aws, properties)
        return Created(name, {"Arn": f"arn:aws:kinesis:{aws.region}:{aws.account}:stream/{name}"})

    def change(self, aws: Aws, created: Created, properties: Properties, previous: Properties) -> Created:
        self._configure(aws, properties)
        return created

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        aws.client("kinesis").delete_stream(StreamName=created.ref)

    def _configure(self, aws: Aws, properties: Properties) -> None:
        stream, kinesis = {"StreamName": properties["Name"]}, aws.client("kinesis")
        if int(hours := properties.get("RetentionPeriodHours", 24)) > 24:
            kinesis.increase_stream_retention_period(**stream, RetentionPeriodHours=int(hours))
        if encryption := properties.get("StreamEncryption"):
            kinesis.start_stream_encryption(**stream, EncryptionType=encryption["EncryptionType"], KeyId=encryption["KeyId"])


PROVIDERS: tuple[Provider, ...] = (
    Queue(),
    _QueuePolicy(),
    Topic(),
    Rule(),
    Stream(),
    ApiProvider(
        "AWS::SNS::Subscription",
        "sns",
        "Subscribe",
        ref="SubscriptionArn",
        prepare=_subscription,
        delete_operation="Unsubscribe",
        delete_parameter="SubscriptionArn",
    ),
    ApiProvider(
        "AWS::Scheduler::Schedule",
        "scheduler",
        "CreateSchedule",
        name_property="Name",
        attributes={"Arn": "ScheduleArn"},
        prepare=_schedule,
        update_operation="UpdateSchedule",
        delete_operation="DeleteSchedule",
    ),
    ApiProvider(
        "AWS::KinesisFirehose::DeliveryStream",
        "firehose",
        "CreateDeliveryStream",
        name_property="DeliveryStreamName",
        attributes={"Arn": "DeliveryStreamARN"},
        not_emulated=tuple(
            f"ExtendedS3DestinationConfiguration.{name}"
            for name in ("ProcessingConfiguration", "CustomTimeZone", "FileExtension")
        ),
        prepare=_delivery_stream,
        delete_operation="DeleteDeliveryStream",
    ),
    _TopicPolicy(),
)

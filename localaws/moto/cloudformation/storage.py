"""S3 buckets and DynamoDB tables, with all the properties that an app can notice."""

from __future__ import annotations

from typing import Any

from localaws.clients import Aws
from localaws.moto.cloudformation.provider import Created, Properties, Provider, call, tags_of

_TABLE_PROPERTIES_SET_LATER = (
    "TimeToLiveSpecification",
    "PointInTimeRecoverySpecification",
    "SSESpecification",
)


class Bucket(Provider):
    type = "AWS::S3::Bucket"
    name_property = "BucketName"
    name_limit = 63

    def create(self, aws: Aws, properties: Properties) -> Created:
        name = properties["BucketName"].lower()
        location = {} if aws.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": aws.region}}
        aws.client("s3").create_bucket(Bucket=name, **location)
        _configure_bucket(aws, name, properties)
        domain = f"{name}.s3.amazonaws.com"
        regional = f"{name}.s3.{aws.region}.amazonaws.com"
        attributes = {"Arn": f"arn:aws:s3:::{name}", "DomainName": domain, "RegionalDomainName": regional}
        return Created(name, attributes)

    def update(self, aws: Aws, created: Created, properties: Properties, previous: Properties) -> Created:
        if properties["BucketName"] != previous["BucketName"]:
            return super().update(aws, created, properties, previous)
        _configure_bucket(aws, created.ref, properties)
        return created

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        aws.client("s3").delete_bucket(Bucket=created.ref)


def _configure_bucket(aws: Aws, name: str, properties: Properties) -> None:
    def put(operation: str, member: str, value: Any) -> None:
        call(aws, "s3", operation, {"Bucket": name, member: value})

    if versioning := properties.get("VersioningConfiguration"):
        put("PutBucketVersioning", "VersioningConfiguration", versioning)
    if encryption := properties.get("BucketEncryption"):
        rules = [
            {**rule, "ApplyServerSideEncryptionByDefault": rule.get("ServerSideEncryptionByDefault")}
            for rule in encryption["ServerSideEncryptionConfiguration"]
        ]
        put("PutBucketEncryption", "ServerSideEncryptionConfiguration", {"Rules": rules})
    if access := properties.get("PublicAccessBlockConfiguration"):
        put("PutPublicAccessBlock", "PublicAccessBlockConfiguration", access)
    if lifecycle := properties.get("LifecycleConfiguration"):
        rules = [_lifecycle_rule(rule, f"rule-{number}") for number, rule in enumerate(lifecycle["Rules"])]
        put("PutBucketLifecycleConfiguration", "LifecycleConfiguration", {"Rules": rules})
    if cors := properties.get("CorsConfiguration"):
        put(
            "PutBucketCors",
            "CORSConfiguration",
            {"CORSRules": [_cors_rule(rule) for rule in cors["CorsRules"]]},
        )
    if tags := tags_of(properties):
        put("PutBucketTagging", "Tagging", {"TagSet": tags})
    if notification := properties.get("NotificationConfiguration"):
        put("PutBucketNotificationConfiguration", "NotificationConfiguration", _notification(notification))


def _lifecycle_rule(rule: Properties, default_id: str) -> Properties:
    """The API nests what the template has flat. docs: AmazonS3/latest/API/API_LifecycleRule.html"""
    expiration = {
        "Days": rule.get("ExpirationInDays"),
        "Date": rule.get("ExpirationDate"),
        "ExpiredObjectDeleteMarker": rule.get("ExpiredObjectDeleteMarker"),
    }
    noncurrent = rule.get("NoncurrentVersionExpiration") or {}
    noncurrent = {
        "NoncurrentDays": noncurrent.get("NoncurrentDays") or rule.get("NoncurrentVersionExpirationInDays"),
        "NewerNoncurrentVersions": noncurrent.get("NewerNoncurrentVersions"),
    }
    transitions = [
        {"Days": entry.get("TransitionInDays"), "Date": entry.get("TransitionDate"), **entry}
        for entry in rule.get("Transitions") or []
    ]
    noncurrent_transitions = [
        {"NoncurrentDays": entry.get("TransitionInDays"), **entry} for entry in rule.get("NoncurrentVersionTransitions") or []
    ]
    found = {
        "ID": rule.get("Id", default_id),
        "Status": rule["Status"],
        "Filter": _lifecycle_filter(rule),
        "Expiration": {name: value for name, value in expiration.items() if value is not None},
        "NoncurrentVersionExpiration": {name: value for name, value in noncurrent.items() if value is not None},
        "Transitions": transitions,
        "NoncurrentVersionTransitions": noncurrent_transitions,
        "AbortIncompleteMultipartUpload": rule.get("AbortIncompleteMultipartUpload"),
    }
    return {name: value for name, value in found.items() if value or name == "Filter"}


def _lifecycle_filter(rule: Properties) -> Properties:
    tags = rule.get("TagFilters") or []
    prefix = rule.get("Prefix", "")
    if not tags:
        return {"Prefix": prefix}
    if len(tags) == 1 and not prefix:
        return {"Tag": tags[0]}
    return {"And": {"Prefix": prefix, "Tags": tags}}


def _cors_rule(rule: Properties) -> Properties:
    return {**rule, "ExposeHeaders": rule.get("ExposedHeaders"), "MaxAgeSeconds": rule.get("MaxAge")}


def _notification(configuration: Properties) -> Properties:
    """docs: AmazonS3/latest/API/API_NotificationConfiguration.html"""

    def targets(key: str, arn_in: str, arn_out: str) -> list[Properties]:
        return [
            {arn_out: entry[arn_in], "Events": [entry["Event"]], "Filter": _key_filter(entry)}
            for entry in configuration.get(key) or []
        ]

    found: Properties = {
        "LambdaFunctionConfigurations": targets("LambdaConfigurations", "Function", "LambdaFunctionArn"),
        "QueueConfigurations": targets("QueueConfigurations", "Queue", "QueueArn"),
        "TopicConfigurations": targets("TopicConfigurations", "Topic", "TopicArn"),
    }
    found = {name: entries for name, entries in found.items() if entries}
    if (configuration.get("EventBridgeConfiguration") or {}).get("EventBridgeEnabled", False) not in (
        False,
        "false",
    ):
        found["EventBridgeConfiguration"] = {}
    return found


def _key_filter(entry: Properties) -> Properties | None:
    rules = ((entry.get("Filter") or {}).get("S3Key") or {}).get("Rules")
    return {"Key": {"FilterRules": rules}} if rules else None


class Table(Provider):
    type = "AWS::DynamoDB::Table"
    name_property = "TableName"
    name_limit = 255

    def create(self, aws: Aws, properties: Properties) -> Created:
        parameters = {key: value for key, value in properties.items() if key not in _TABLE_PROPERTIES_SET_LATER}
        if stream := properties.get("StreamSpecification"):
            view = stream.get("StreamViewType", "NEW_AND_OLD_IMAGES")
            parameters["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": view}
        if encryption := properties.get("SSESpecification"):
            parameters["SSESpecification"] = {"Enabled": encryption.get("SSEEnabled"), **encryption}
        if "ProvisionedThroughput" not in properties:
            parameters["BillingMode"] = "PAY_PER_REQUEST"
        table = call(aws, "dynamodb", "CreateTable", {**parameters, "Tags": tags_of(properties)})["TableDescription"]
        self._configure(aws, properties)
        attributes = {
            "Arn": table["TableArn"],
            "StreamArn": table.get("LatestStreamArn"),
            "TableId": table.get("TableId"),
        }
        return Created(properties["TableName"], attributes)

    def update(self, aws: Aws, created: Created, properties: Properties, previous: Properties) -> Created:
        fixed = (
            "TableName",
            "KeySchema",
            "AttributeDefinitions",
            "LocalSecondaryIndexes",
            "GlobalSecondaryIndexes",
        )
        if any(properties.get(name) != previous.get(name) for name in fixed):
            return super().update(aws, created, properties, previous)
        self._configure(aws, properties)
        return created

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        aws.client("dynamodb").delete_table(TableName=created.ref)

    def _configure(self, aws: Aws, properties: Properties) -> None:
        table = {"TableName": properties["TableName"]}
        for name, operation in (
            ("TimeToLiveSpecification", "UpdateTimeToLive"),
            ("PointInTimeRecoverySpecification", "UpdateContinuousBackups"),
        ):
            if specification := properties.get(name):
                call(aws, "dynamodb", operation, {**table, name: specification})


class GlobalTable(Table):
    """CDK's TableV2: the settings of the replica in this region are those of the table."""

    type = "AWS::DynamoDB::GlobalTable"

    def create(self, aws: Aws, properties: Properties) -> Created:
        return super().create(aws, _of_region(aws, properties))

    def update(self, aws: Aws, created: Created, properties: Properties, previous: Properties) -> Created:
        return super().update(aws, created, _of_region(aws, properties), _of_region(aws, previous))


def _of_region(aws: Aws, properties: Properties) -> Properties:
    replicas = [replica for replica in properties.get("Replicas") or [] if replica.get("Region") == aws.region]
    replica = replicas[0] if replicas else {}
    kept = ("PointInTimeRecoverySpecification", "Tags", "DeletionProtectionEnabled")
    own = {name: replica[name] for name in kept if name in replica}
    return {**{name: value for name, value in properties.items() if name != "Replicas"}, **own}


PROVIDERS: tuple[Provider, ...] = (Bucket(), Table(), GlobalTable())

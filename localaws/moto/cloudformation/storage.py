"""S3 buckets and DynamoDB tables, with all the properties that an app can notice."""

from __future__ import annotations

import re
from typing import Any

from localaws.clients import Aws
from localaws.moto.cloudformation.provider import Created, Properties, Provider, call, tags_of

#: What takes a setting of a bucket back that the template no longer has: a call, or another value.
_REMOVALS = {
    "BucketEncryption": "DeleteBucketEncryption",
    "PublicAccessBlockConfiguration": "DeletePublicAccessBlock",
    "LifecycleConfiguration": "DeleteBucketLifecycle",
    "Tags": "DeleteBucketTagging",
}
_WHEN_REMOVED = {
    "VersioningConfiguration": {"Status": "Suspended"},
    "NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": False}},
}
#: docs: AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET_NAME = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_NOTIFICATIONS = tuple(f"NotificationConfiguration.{kind}Configurations" for kind in ("Lambda", "Queue", "Topic"))
_TABLE_PROPERTIES_SET_LATER = ("TimeToLiveSpecification", "PointInTimeRecoverySpecification")


class Bucket(Provider):
    type = "AWS::S3::Bucket"
    name_property = "BucketName"
    name_limit = 63
    names_in_lower_case = True
    not_emulated = ("CorsConfiguration", *_NOTIFICATIONS)

    def create(self, aws: Aws, properties: Properties) -> Created:
        name = properties["BucketName"]
        if not _BUCKET_NAME.fullmatch(name):
            raise ValueError(f"InvalidBucketName: The specified bucket is not valid. ({name})")
        location = {} if aws.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": aws.region}}
        aws.client("s3").create_bucket(Bucket=name, **location)
        _configure_bucket(aws, name, properties)
        domain = f"{name}.s3.amazonaws.com"
        regional = f"{name}.s3.{aws.region}.amazonaws.com"
        attributes = {"Arn": f"arn:aws:s3:::{name}", "DomainName": domain, "RegionalDomainName": regional}
        return Created(name, attributes)

    def change(self, aws: Aws, created: Created, properties: Properties, previous: Properties) -> Created:
        for name, operation in _REMOVALS.items():
            if previous.get(name) and not properties.get(name):
                call(aws, "s3", operation, {"Bucket": created.ref})
        missing = {name: value for name, value in _WHEN_REMOVED.items() if previous.get(name) and not properties.get(name)}
        _configure_bucket(aws, created.ref, {**properties, **missing})
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
    if tags := tags_of(properties):
        put("PutBucketTagging", "Tagging", {"TagSet": tags})
    if notification := properties.get("NotificationConfiguration"):
        to_events = (notification.get("EventBridgeConfiguration") or {}).get("EventBridgeEnabled", False) not in (False, "false")
        configuration: Properties = {"EventBridgeConfiguration": {}} if to_events else {}
        put("PutBucketNotificationConfiguration", "NotificationConfiguration", configuration)


def _lifecycle_rule(rule: Properties, default_id: str) -> Properties:
    """The API nests what the template has flat. docs: AmazonS3/latest/API/API_LifecycleRule.html"""
    expiration = {
        "Days": rule.get("ExpirationInDays"),
        "ExpiredObjectDeleteMarker": rule.get("ExpiredObjectDeleteMarker"),
    }
    noncurrent = rule.get("NoncurrentVersionExpiration") or {}
    noncurrent = {
        "NoncurrentDays": noncurrent.get("NoncurrentDays") or rule.get("NoncurrentVersionExpirationInDays"),
        "NewerNoncurrentVersions": noncurrent.get("NewerNoncurrentVersions"),
    }
    found = {
        "ID": rule.get("Id", default_id),
        "Status": rule["Status"],
        "Filter": {"Prefix": rule.get("Prefix", "")},
        "Expiration": {name: value for name, value in expiration.items() if value is not None},
        "NoncurrentVersionExpiration": {name: value for name, value in noncurrent.items() if value is not None},
        "AbortIncompleteMultipartUpload": rule.get("AbortIncompleteMultipartUpload"),
    }
    return {name: value for name, value in found.items() if value or name == "Filter"}


class Table(Provider):
    type = "AWS::DynamoDB::Table"
    name_property = "TableName"
    fixed = ("TableName", "KeySchema", "AttributeDefinitions", "LocalSecondaryIndexes", "GlobalSecondaryIndexes")
    name_limit = 255
    not_emulated = ("SSESpecification", "StreamSpecification")

    def create(self, aws: Aws, properties: Properties) -> Created:
        parameters = {key: value for key, value in properties.items() if key not in _TABLE_PROPERTIES_SET_LATER}
        if "ProvisionedThroughput" not in properties:
            parameters["BillingMode"] = "PAY_PER_REQUEST"
        table = call(aws, "dynamodb", "CreateTable", {**parameters, "Tags": tags_of(properties)})["TableDescription"]
        self._configure(aws, properties, {})
        return _created(table)

    def change(self, aws: Aws, created: Created, properties: Properties, previous: Properties) -> Created:
        self._configure(aws, properties, previous)
        dynamodb, table = aws.client("dynamodb"), {"TableName": created.ref}
        if (protected := properties.get("DeletionProtectionEnabled", False)) != previous.get("DeletionProtectionEnabled", False):
            call(aws, "dynamodb", "UpdateTable", {**table, "DeletionProtectionEnabled": protected})
        return _created(dynamodb.describe_table(**table)["Table"])

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        aws.client("dynamodb").delete_table(TableName=created.ref)

    def _configure(self, aws: Aws, properties: Properties, previous: Properties) -> None:
        table = {"TableName": properties["TableName"]}
        for name, operation, enabled in (
            ("TimeToLiveSpecification", "UpdateTimeToLive", "Enabled"),
            ("PointInTimeRecoverySpecification", "UpdateContinuousBackups", "PointInTimeRecoveryEnabled"),
        ):
            before = previous.get(name)
            specification = properties.get(name) or (before and {**before, enabled: False})
            if specification != before:
                call(aws, "dynamodb", operation, {**table, name: specification})


def _created(table: dict[str, Any]) -> Created:
    attributes = {"Arn": table["TableArn"], "TableId": table.get("TableId")}
    return Created(table["TableName"], attributes)


PROVIDERS: tuple[Provider, ...] = (Bucket(), Table())

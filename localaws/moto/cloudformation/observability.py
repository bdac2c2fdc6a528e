"""CloudWatch, CloudWatch Logs, Glue and Athena."""

from __future__ import annotations

from localaws.clients import Aws
from localaws.moto.cloudformation.provider import (
    Accepted,
    ApiProvider,
    Created,
    Properties,
    Provider,
    call,
    tags_of,
)


class LogGroup(Provider):
    type = "AWS::Logs::LogGroup"
    name_property = "LogGroupName"
    name_limit = 512

    def create(self, aws: Aws, properties: Properties) -> Created:
        name = properties["LogGroupName"]
        tags = {tag["Key"]: tag["Value"] for tag in tags_of(properties)}
        call(aws, "logs", "CreateLogGroup", {**properties, "Tags": tags})
        self._set_retention(aws, properties)
        return Created(name, {"Arn": f"arn:aws:logs:{aws.region}:{aws.account}:log-group:{name}:*"})

    def change(self, aws: Aws, created: Created, properties: Properties, previous: Properties) -> Created:
        self._set_retention(aws, properties)
        return created

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        aws.client("logs").delete_log_group(logGroupName=created.ref)

    def _set_retention(self, aws: Aws, properties: Properties) -> None:
        if "RetentionInDays" in properties:
            call(aws, "logs", "PutRetentionPolicy", properties)


class Alarm(Provider):
    type = "AWS::CloudWatch::Alarm"
    name_property = "AlarmName"
    name_limit = 255

    def create(self, aws: Aws, properties: Properties) -> Created:
        call(aws, "cloudwatch", "PutMetricAlarm", properties)
        name = properties["AlarmName"]
        return Created(name, {"Arn": f"arn:aws:cloudwatch:{aws.region}:{aws.account}:alarm:{name}"})

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        aws.client("cloudwatch").delete_alarms(AlarmNames=[created.ref])


PROVIDERS: tuple[Provider, ...] = (
    LogGroup(),
    ApiProvider(
        "AWS::Logs::LogStream",
        "logs",
        "CreateLogStream",
        name_property="LogStreamName",
        delete_operation="DeleteLogStream",
    ),
    Alarm(),
    ApiProvider(
        "AWS::CloudWatch::Dashboard",
        "cloudwatch",
        "PutDashboard",
        name_property="DashboardName",
        update_operation="PutDashboard",
        delete_operation="DeleteDashboards",
        delete_parameter="DashboardNames",
    ),
    ApiProvider(
        "AWS::Glue::Database",
        "glue",
        "CreateDatabase",
        ref=lambda properties, answer: properties["DatabaseInput"]["Name"],
        delete_operation="DeleteDatabase",
        delete_parameter="Name",
    ),
    ApiProvider(
        "AWS::Glue::Table",
        "glue",
        "CreateTable",
        ref=lambda properties, answer: properties["TableInput"]["Name"],
        update_operation="UpdateTable",
        delete_operation="DeleteTable",
        delete_parameter="Name",
    ),
    ApiProvider(
        "AWS::Glue::Job",
        "glue",
        "CreateJob",
        name_property="Name",
        name_limit=255,
        delete_operation="DeleteJob",
        delete_parameter="JobName",
    ),
    Accepted("AWS::Budgets::Budget"),
    Accepted("AWS::CDK::Metadata"),
    *(
        Accepted(f"AWS::ServiceCatalogAppRegistry::{kind}", attributes=("Arn", "Id", "ApplicationArn", "AttributeGroupArn"))
        for kind in ("Application", "AttributeGroup", "AttributeGroupAssociation", "ResourceAssociation")
    ),
)

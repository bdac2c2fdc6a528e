"""Lambda functions and Step Functions state machines."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from localaws.clients import Aws
from localaws.moto.cloudformation.provider import ApiProvider, Created, Properties, Provider, call, tags_of

_CFN_RESPONSE = """import json, urllib.request
SUCCESS, FAILED = "SUCCESS", "FAILED"
def send(event, context, responseStatus, responseData, physicalResourceId=None, noEcho=False, reason=None):
    body = {"Status": responseStatus, "Reason": reason or "see " + context.log_stream_name, "NoEcho": noEcho,
            "Data": responseData,
            "PhysicalResourceId": physicalResourceId or context.log_stream_name,
            **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}}
    request = urllib.request.Request(event["ResponseURL"], json.dumps(body).encode(), {"Content-Type": ""}, method="PUT")
    urllib.request.urlopen(request)
"""


#: What a template that leaves it out takes back.
_DEFAULTS = {"Environment": {"Variables": {}}, "Layers": [], "SnapStart": {"ApplyOn": "None"}}


class Function(Provider):
    type = "AWS::Lambda::Function"
    name_property = "FunctionName"
    not_emulated = ("DeadLetterConfig",)

    def create(self, aws: Aws, properties: Properties) -> Created:
        answer = call(
            aws,
            "lambda",
            "CreateFunction",
            {**properties, "Code": _code(properties), "Tags": _tag_map(properties)},
        )
        self._set_concurrency(aws, properties)
        return Created(properties["FunctionName"], {"Arn": answer["FunctionArn"]})

    def change(self, aws: Aws, created: Created, properties: Properties, previous: Properties) -> Created:
        call(aws, "lambda", "UpdateFunctionConfiguration", {**_DEFAULTS, **properties})
        if properties["Code"] != previous["Code"]:
            call(aws, "lambda", "UpdateFunctionCode", {"FunctionName": created.ref, **_code(properties)})
        self._set_concurrency(aws, properties)
        if "ReservedConcurrentExecutions" in previous.keys() - properties.keys():
            aws.client("lambda").delete_function_concurrency(FunctionName=created.ref)
        return created

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        aws.client("lambda").delete_function(FunctionName=created.ref)

    def _set_concurrency(self, aws: Aws, properties: Properties) -> None:
        if "ReservedConcurrentExecutions" in properties:
            call(aws, "lambda", "PutFunctionConcurrency", {"ReservedConcurrentExecutions": 0, **properties})


def _code(properties: Properties) -> Properties:
    """Source code that stands in the template itself becomes the module `index` of an archive, as the service does it."""
    code = dict(properties["Code"])
    if "ZipFile" in code:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as content:
            if str(properties.get("Runtime")).startswith("nodejs"):
                content.writestr("index.js", code["ZipFile"])
            else:
                content.writestr("index.py", code["ZipFile"])
                content.writestr("cfnresponse.py", _CFN_RESPONSE)
        code["ZipFile"] = archive.getvalue()
    return code


def _tag_map(properties: Properties) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags_of(properties)}


class _Permission(Provider):
    type = "AWS::Lambda::Permission"
    name_property = "StatementId"

    def create(self, aws: Aws, properties: Properties) -> Created:
        call(aws, "lambda", "AddPermission", properties)
        return Created(properties["StatementId"], {"Id": properties["StatementId"]})

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        aws.client("lambda").remove_permission(FunctionName=properties["FunctionName"], StatementId=created.ref)


class _Version(Provider):
    """docs: AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-version.html"""

    type = "AWS::Lambda::Version"
    not_emulated = ("CodeSha256", "ProvisionedConcurrencyConfig", "RuntimePolicy")

    def create(self, aws: Aws, properties: Properties) -> Created:
        name = str(properties["FunctionName"]).rsplit(":function:", 1)[-1]
        pages = aws.client("lambda").get_paginator("list_versions_by_function").paginate(FunctionName=name)
        before = {each["Version"] for page in pages for each in page["Versions"]}
        published = call(aws, "lambda", "PublishVersion", properties)
        arn, number = published["FunctionArn"], str(published["Version"])
        if number in before:
            raise ValueError(
                f"A version for this Lambda function exists ( {number} ). Modify the function to create a new version."
            )
        return Created(arn, {"FunctionArn": arn, "Version": number})

    def replace(self, aws: Aws, created: Created, properties: Properties, previous: Properties) -> Created:
        """An alias may still stand for the version before, so that it stays."""
        return self.create(aws, properties)

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        aws.client("lambda").delete_function(FunctionName=created.ref)


class _Alias(Provider):
    """docs: AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-alias.html"""

    type = "AWS::Lambda::Alias"
    fixed = ("FunctionName", "Name")
    not_emulated = ("ProvisionedConcurrencyConfig", "RoutingConfig")

    def create(self, aws: Aws, properties: Properties) -> Created:
        return self._put(aws, "CreateAlias", properties)

    def change(self, aws: Aws, created: Created, properties: Properties, previous: Properties) -> Created:
        return self._put(aws, "UpdateAlias", {"Description": "", **properties})

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        aws.client("lambda").delete_alias(FunctionName=properties["FunctionName"], Name=properties["Name"])

    def _put(self, aws: Aws, operation: str, properties: Properties) -> Created:
        arn = call(aws, "lambda", operation, properties)["AliasArn"]
        return Created(arn, {"AliasArn": arn})


class EventSourceMapping(Provider):
    type = "AWS::Lambda::EventSourceMapping"
    fixed = ("EventSourceArn", "StartingPosition")
    not_emulated = ("FilterCriteria", "StartingPositionTimestamp")

    def create(self, aws: Aws, properties: Properties) -> Created:
        uuid = call(aws, "lambda", "CreateEventSourceMapping", properties)["UUID"]
        arn = f"arn:aws:lambda:{aws.region}:{aws.account}:event-source-mapping:{uuid}"
        return Created(uuid, {"Id": uuid, "EventSourceMappingArn": arn})

    def change(self, aws: Aws, created: Created, properties: Properties, previous: Properties) -> Created:
        call(aws, "lambda", "UpdateEventSourceMapping", {**properties, "UUID": created.ref})
        return created

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        aws.client("lambda").delete_event_source_mapping(UUID=created.ref)


class StateMachine(Provider):
    type = "AWS::StepFunctions::StateMachine"
    name_property = "StateMachineName"
    name_limit = 80
    not_emulated = ("Definition", "DefinitionS3Location")  # the CDK writes DefinitionString

    def create(self, aws: Aws, properties: Properties) -> Created:
        arn = self._call(aws, "CreateStateMachine", properties, {"name": properties["StateMachineName"]})["stateMachineArn"]
        return Created(arn, {"Arn": arn, "Name": properties["StateMachineName"], "StateMachineRevisionId": "1"})

    def change(self, aws: Aws, created: Created, properties: Properties, previous: Properties) -> Created:
        self._call(aws, "UpdateStateMachine", properties, {"stateMachineArn": created.ref})
        return created

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        aws.client("stepfunctions").delete_state_machine(stateMachineArn=created.ref)

    def _call(self, aws: Aws, operation: str, properties: Properties, identity: Properties) -> dict[str, Any]:
        parameters = {
            "definition": _definition(properties),
            "roleArn": properties["RoleArn"],
            "type": properties.get("StateMachineType", "STANDARD"),
            "loggingConfiguration": properties.get("LoggingConfiguration"),
            "tracingConfiguration": properties.get("TracingConfiguration"),
            **identity,
        }
        if operation == "CreateStateMachine":
            parameters["tags"] = [{"key": tag["Key"], "value": tag["Value"]} for tag in tags_of(properties)]
        return call(aws, "stepfunctions", operation, parameters)


def _definition(properties: Properties) -> str:
    text: str = properties["DefinitionString"]
    for name, value in (properties.get("DefinitionSubstitutions") or {}).items():
        text = text.replace(f"${{{name}}}", str(value).lower() if isinstance(value, bool) else str(value))
    return text


PROVIDERS: tuple[Provider, ...] = (
    Function(),
    _Version(),
    _Alias(),
    _Permission(),
    StateMachine(),
    ApiProvider(
        "AWS::Lambda::LayerVersion",
        "lambda",
        "PublishLayerVersion",
        ref="LayerVersionArn",
        name_property="LayerName",
        attributes={"LayerVersionArn": "LayerVersionArn"},
    ),
    EventSourceMapping(),
)

"""Deploying, changing and deleting stacks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.environment import Environment, LocalAwsError
from tests.harness.waiting import eventually
from tests.localaws.apps import function, resource_policy, role, state_machine, write_app

Deploy = Callable[..., dict[str, str]]


def test_properties_that_an_app_relies_on_really_exist(environment: Environment, deploy: Deploy) -> None:
    bucket = {
        "BucketName": "props-data",
        "VersioningConfiguration": {"Status": "Enabled"},
        "PublicAccessBlockConfiguration": {"BlockPublicAcls": True, "RestrictPublicBuckets": True},
        "LifecycleConfiguration": {"Rules": [{"Status": "Enabled", "ExpirationInDays": 30, "Prefix": "tmp/"}]},
    }
    table = {
        "TableName": "props-table",
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
        "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True},
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
    }
    deny = {"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}]}
    deploy(
        "props",
        {
            "Bucket": {"Type": "AWS::S3::Bucket", "Properties": bucket},
            "Policy": {"Type": "AWS::S3::BucketPolicy", "Properties": {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": deny}},
            "Table": {"Type": "AWS::DynamoDB::Table", "Properties": table},
            "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": deny, "EnableKeyRotation": True}},
            "Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/props", "RetentionInDays": 7}},
        },
    )
    s3, dynamodb = environment.client("s3"), environment.client("dynamodb")
    assert s3.get_bucket_versioning(Bucket="props-data")["Status"] == "Enabled"
    rule = s3.get_bucket_lifecycle_configuration(Bucket="props-data")["Rules"][0]
    assert (rule["Expiration"]["Days"], rule["Filter"]["Prefix"]) == (30, "tmp/")
    assert s3.get_public_access_block(Bucket="props-data")["PublicAccessBlockConfiguration"]["BlockPublicAcls"] is True
    s3.put_object(Bucket="props-data", Key="a", Body=b"1")  # the policy is accepted and not enforced
    assert dynamodb.describe_time_to_live(TableName="props-table")["TimeToLiveDescription"]["AttributeName"] == "expires"
    backups = dynamodb.describe_continuous_backups(TableName="props-table")["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    groups = environment.client("logs").describe_log_groups(logGroupNamePrefix="/props")["logGroups"]
    assert [group["retentionInDays"] for group in groups] == [7]


def test_update_changes_what_has_changed_and_removes_what_is_gone(environment: Environment, deploy: Deploy) -> None:
    def resources(answer: str, result: str, extra: str) -> dict[str, Any]:
        definition = {"StartAt": "Done", "States": {"Done": {"Type": "Pass", "Result": result, "End": True}}}
        return {
            "Role": role(),
            "Function": function("updated-function", f"def handler(event, context): return '{answer}'"),
            "Machine": state_machine("updated-machine", definition),
            "Parameter": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/updated", "Type": "String", "Value": answer}},
            extra: {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": f"updated-{extra.lower()}"}},
        }

    def observed() -> tuple[Any, ...]:
        invoked = environment.client("lambda").invoke(FunctionName="updated-function")
        states = environment.client("stepfunctions")
        machine = next(m for m in states.list_state_machines()["stateMachines"] if m["name"] == "updated-machine")
        definition = states.describe_state_machine(stateMachineArn=machine["stateMachineArn"])["definition"]
        return (
            json.loads(invoked["Payload"].read()),
            json.loads(definition)["States"]["Done"]["Result"],
            environment.client("ssm").get_parameter(Name="/updated")["Parameter"]["Value"],
            [url.rsplit("/", 1)[-1] for url in environment.client("sqs").list_queues(QueueNamePrefix="updated-")["QueueUrls"]],
        )

    deploy("updated", resources("old", "first", "One"))
    assert observed() == ("old", "first", "old", ["updated-one"])
    deploy("updated", resources("new", "second", "Two"))
    assert observed() == ("new", "second", "new", ["updated-two"])


def test_settings_that_a_template_no_longer_has_are_taken_back(environment: Environment, deploy: Deploy) -> None:
    table = {
        "TableName": "taken-back",
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    }
    table_settings = {
        "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True},
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "DeletionProtectionEnabled": True,
    }
    bucket_settings = {
        "LifecycleConfiguration": {"Rules": [{"Status": "Enabled", "ExpirationInDays": 30}]},
        "NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}},
        "PublicAccessBlockConfiguration": {"BlockPublicAcls": True},
    }

    def resources(of_table: dict[str, Any], of_bucket: dict[str, Any], **reserved: int) -> dict[str, Any]:
        heard = {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"bucket": {"name": ["taken-back"]}}}
        target = {"Id": "1", "Arn": {"Fn::GetAtt": ["Queue", "Arn"]}}
        return {
            "Role": role(),
            "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {**table, **of_table}},
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "taken-back"}},
            "Policy": resource_policy("SQS::QueuePolicy", {"Queues": [{"Ref": "Queue"}]}, "events", "sqs:SendMessage"),
            "Rule": {"Type": "AWS::Events::Rule", "Properties": {"EventPattern": heard, "Targets": [target]}},
            "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "taken-back", **of_bucket}},
            "Function": function("taken-back", "def handler(event, context): return 1", **reserved),
        }

    s3, dynamodb, functions = (environment.client(name) for name in ("s3", "dynamodb", "lambda"))

    def observed() -> dict[str, Any]:
        described = dynamodb.describe_table(TableName="taken-back")["Table"]
        backups = dynamodb.describe_continuous_backups(TableName="taken-back")["ContinuousBackupsDescription"]
        return {
            "expires": dynamodb.describe_time_to_live(TableName="taken-back")["TimeToLiveDescription"]["TimeToLiveStatus"],
            "recovery": backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"],
            "protected": described["DeletionProtectionEnabled"],
            "reserved": functions.get_function_concurrency(FunctionName="taken-back").get("ReservedConcurrentExecutions"),
        }

    deploy("taken-back", resources(table_settings, bucket_settings, ReservedConcurrentExecutions=3))
    assert tuple(observed().values()) == ("ENABLED", "ENABLED", True, 3)
    deploy("taken-back", resources({}, {}))
    assert tuple(observed().values()) == ("DISABLED", "DISABLED", False, None)
    s3.put_object(Bucket="taken-back", Key="unheard", Body=b"1")
    for gone in (s3.get_bucket_lifecycle_configuration, s3.get_public_access_block):
        with pytest.raises(ClientError, match="NoSuch"):
            gone(Bucket="taken-back")
    deploy("taken-back", resources({}, bucket_settings))
    s3.put_object(Bucket="taken-back", Key="heard", Body=b"1")
    sqs, url = environment.client("sqs"), environment.client("sqs").get_queue_url(QueueName="taken-back")["QueueUrl"]
    messages = eventually(lambda: sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"))
    assert [json.loads(message["Body"])["detail"]["object"]["key"] for message in messages] == ["heard"]


def test_a_change_reaches_the_resources_that_refer_to_the_changed_one(environment: Environment, deploy: Deploy) -> None:
    def resources(queue: str) -> dict[str, Any]:
        value = {"Type": "String", "Name": "/dependent", "Value": {"Fn::GetAtt": ["Queue", "Arn"]}}
        return {
            "Parameter": {"Type": "AWS::SSM::Parameter", "Properties": value},
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": queue}},
        }

    deploy("dependent", resources("dependent-a"))
    deploy("dependent", resources("dependent-b"))
    parameter = environment.client("ssm").get_parameter(Name="/dependent")["Parameter"]
    assert parameter["Value"].endswith(":dependent-b")


def test_an_unchanged_stack_is_told_as_such(environment: Environment, tmp_path: Path) -> None:
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "unchanged"}}
    app = write_app(tmp_path, {"name": "unchanged", "resources": {"Queue": queue}})
    told: list[str] = []
    environment.deploy(app, told.append)
    environment.deploy(app, told.append)
    assert [line.split()[0] for line in told] == ["created", "unchanged"]


def test_stacks_are_deployed_after_those_they_depend_on(environment: Environment, tmp_path: Path) -> None:
    producer = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/producer", "Type": "String", "Value": "from-a"}}
    consumer = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/consumer", "Type": "String", "Value": {"Ref": "In"}}}
    parameter = {"In": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/producer"}}
    app = write_app(
        tmp_path,
        {"name": "consumer", "resources": {"P": consumer}, "parameters": parameter, "depends_on": ["producer"]},
        {"name": "producer", "resources": {"P": producer}},
    )
    environment.deploy(app)
    assert environment.client("ssm").get_parameter(Name="/consumer")["Parameter"]["Value"] == "from-a"


def test_all_stacks_are_told_however_many_there_are(environment: Environment, tmp_path: Path) -> None:
    """Lists come in pages: moto's have fifty stacks."""
    topic = {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {}}}
    names = [f"many-{n}" for n in range(52)]
    environment.deploy(write_app(tmp_path / "app", *({"name": n, "resources": topic, "outputs": {"Own": n}} for n in names)))
    assert [environment.outputs(name)["Own"] for name in names] == names


def test_an_asset_folder_becomes_the_code_of_a_function(environment: Environment, deploy: Deploy, tmp_path: Path) -> None:
    source = tmp_path / "app" / "asset.1"
    source.mkdir(parents=True)
    (source / "main.py").write_text("import helper\ndef handler(event, context): return helper.answer()")
    (source / "helper.py").write_text("def answer(): return 'from the asset'")
    destination = {"bucketName": "cdk-assets-${AWS::AccountId}-${AWS::Region}", "objectKey": "1.zip"}
    code = {"S3Bucket": {"Fn::Sub": "cdk-assets-${AWS::AccountId}-${AWS::Region}"}, "S3Key": "1.zip"}
    deploy(
        "assets",
        {"Role": role(), "Function": function("from-asset", "", Code=code, Handler="main.handler")},
        assets={"1": {"source": {"path": "asset.1", "packaging": "zip"}, "destinations": {"here": destination}}},
    )
    answer = environment.client("lambda").invoke(FunctionName="from-asset")
    assert json.loads(answer["Payload"].read()) == "from the asset"


def test_a_type_that_is_not_emulated_fails_with_its_name(deploy: Deploy) -> None:
    with pytest.raises(LocalAwsError, match=r"Stack odd .*Zoo \(AWS::Robotics::Zoo\).*does not have"):
        deploy("odd", {"Zoo": {"Type": "AWS::Robotics::Zoo", "Properties": {}}})


_TARGETS = [{"Id": "1", "Arn": "arn:aws:batch:us-east-1:123456789012:job-queue/q"}]
_TRANSFORMED = [{"Id": "1", "Arn": "arn:aws:sqs:us-east-1:123456789012:q", "InputTransformer": {"InputTemplate": "1"}}]
_MAPPED = {"integration.request.path.key": "method.request.path.key"}
_CALLED = {"TopicArn": "arn:aws:sns:us-east-1:123456789012:t", "Protocol": "lambda", "Endpoint": "arn"}
_AT = {"Arn": "arn:aws:sqs:us-east-1:123456789012:q", "RoleArn": "arn", "Input": "<aws.scheduler.scheduled-time>"}
_PROCESSED = {"ExtendedS3DestinationConfiguration": {"ProcessingConfiguration": {"Enabled": True}}}


@pytest.mark.parametrize(
    ("kind", "properties", "reason"),
    [
        ("S3::Bucket", {"CorsConfiguration": {"CorsRules": []}}, "the property CorsConfiguration is not emulated"),
        (
            "S3::Bucket",
            {"NotificationConfiguration": {"QueueConfigurations": [{}]}},
            "NotificationConfiguration.QueueConfigurations",
        ),
        ("DynamoDB::Table", {"StreamSpecification": {"StreamViewType": "KEYS_ONLY"}}, "the property StreamSpecification is not"),
        ("Lambda::EventSourceMapping", {"FilterCriteria": {"Filters": []}}, "the property FilterCriteria is not emulated"),
        ("ApiGateway::Method", {"Integration": {"RequestParameters": _MAPPED}}, "method.request.path.key: only constants"),
        ("ApiGateway::Model", {"Schema": {"items": {"$ref": "https://apigateway/models/Item"}}}, "references to other models"),
        ("StepFunctions::StateMachine", {"Definition": {"StartAt": "a"}}, "the property Definition is not emulated"),
        ("ApiGateway::RestApi", {"BinaryMediaTypes": ["image/png"]}, "the property BinaryMediaTypes is not emulated"),
        ("KinesisFirehose::DeliveryStream", _PROCESSED, "ProcessingConfiguration is not emulated"),
        ("KinesisFirehose::DeliveryStream", {"DeliveryStreamType": "DirectPut"}, "only delivery streams from Kinesis to S3"),
        ("Events::Rule", {"EventPattern": {"source": ["a"]}, "Targets": _TARGETS}, "job-queue/q is not a target"),
        (
            "Events::Rule",
            {"EventPattern": {"source": ["a"]}, "Targets": _TRANSFORMED},
            "the property Targets.InputTransformer is",
        ),
        ("Events::Rule", {"EventPattern": {"source": ["a"]}, "EventBusName": "own"}, "rules of another bus"),
        ("SNS::Subscription", _CALLED, "subscriptions of lambda are not emulated, only of email, email-json, sqs"),
        ("SQS::Queue", {"FifoQueue": True}, "the property FifoQueue is not emulated"),
        ("Scheduler::Schedule", {"ScheduleExpression": "rate(1 day)", "Target": _AT}, "context attributes"),
    ],
)
def test_what_is_not_emulated_of_a_type_fails_by_its_name(deploy: Deploy, kind: str, properties: Any, reason: str) -> None:
    with pytest.raises(LocalAwsError, match=rf"Part \(AWS::{kind}\): .*{reason}"):
        deploy("not-emulated", {"Part": {"Type": f"AWS::{kind}", "Properties": properties}})


def test_a_failing_resource_is_named_with_its_reason(environment: Environment, deploy: Deploy) -> None:
    bucket = {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {"BucketName": "broken-bucket"}}
    machine = {**state_machine("broken", {"StartAt": "Nowhere"}), "DependsOn": "Bucket"}
    broken = {"Role": role(), "Bucket": bucket, "Machine": machine}
    with pytest.raises(LocalAwsError, match=r"Stack broken .*Machine \(AWS::StepFunctions::StateMachine\): InvalidDefinition"):
        deploy("broken", broken)
    deploy("broken", {"Role": role(), "Bucket": bucket})  # the next attempt starts afresh
    status = environment.client("cloudformation").describe_stacks(StackName="broken")["Stacks"][0]["StackStatus"]
    assert status == "CREATE_COMPLETE"


def test_a_custom_resource_lives_through_its_function(environment: Environment, deploy: Deploy) -> None:
    code = (
        "import boto3, cfnresponse\n"
        "def handler(event, context):\n"
        "    value = event['ResourceProperties']['Value']\n"
        "    name = '/custom/' + event['RequestType']\n"
        "    boto3.client('ssm').put_parameter(Name=name, Value=value, Type='String', Overwrite=True)\n"
        "    cfnresponse.send(event, context, 'SUCCESS', {'Echo': value + '!'}, 'custom-id')\n"
    )

    def resources(value: Any) -> dict[str, Any]:
        token = {"Fn::GetAtt": ["Function", "Arn"]}
        custom = {"Type": "Custom::Echo", "Properties": {"ServiceToken": token, "Value": value}}
        return {"Role": role(), "Function": function("custom-function", code), "Custom": custom}

    outputs = {"Echo": {"Fn::GetAtt": ["Custom", "Echo"]}, "Id": {"Ref": "Custom"}}
    assert deploy("custom", resources(True), outputs) == {"Echo": "true!", "Id": "custom-id"}
    assert deploy("custom", resources("two"), outputs)["Echo"] == "two!"
    environment.client("cloudformation").delete_stack(StackName="custom")
    ssm = environment.client("ssm")
    values = [ssm.get_parameter(Name=f"/custom/{kind}")["Parameter"]["Value"] for kind in ("Create", "Update", "Delete")]
    assert values == ["true", "two", "two"]


SECURELY = """
import json
from http.client import HTTPSConnection
from urllib.parse import urlsplit
def handler(event, context):
    url = urlsplit(event["ResponseURL"])
    named = ("StackId", "RequestId", "LogicalResourceId")
    body = {"Status": "SUCCESS", "PhysicalResourceId": url.scheme, **{name: event[name] for name in named}}
    connection = HTTPSConnection(url.netloc)
    connection.request("PUT", f"{url.path}?{url.query}", json.dumps(body), {"content-type": ""})
    connection.getresponse()
"""


def test_a_custom_resource_may_answer_over_https(deploy: Deploy) -> None:
    """As crhelper does it, whatever the URL begins with."""
    custom = {"Type": "Custom::Secure", "Properties": {"ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]}}}
    resources = {"Role": role(), "Function": function("secure-function", SECURELY), "Custom": custom}
    assert deploy("secure", resources, {"Id": {"Ref": "Custom"}}) == {"Id": "https"}


def test_what_is_accepted_without_an_effect_is_named(environment: Environment, tmp_path: Path) -> None:
    application = {"Type": "AWS::ServiceCatalogAppRegistry::Application", "Properties": {"Name": "app"}}
    told: list[str] = []
    app = write_app(
        tmp_path, {"name": "registry", "resources": {"App": application}, "outputs": {"Arn": {"Fn::GetAtt": ["App", "Arn"]}}}
    )
    environment.deploy(app, told.append)
    assert "stack registry: AWS::ServiceCatalogAppRegistry::Application is accepted and not emulated" in told


def test_deleting_a_stack_removes_its_resources_but_not_the_retained(environment: Environment, deploy: Deploy) -> None:
    deploy(
        "deleted",
        {
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "deleted-queue"}},
            "Bucket": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {"BucketName": "deleted-kept"}},
            "Role": role(),
            "Function": function("deleted-function", "def handler(event, context): return 1"),
        },
    )
    environment.client("cloudformation").delete_stack(StackName="deleted")
    assert environment.client("sqs").list_queues(QueueNamePrefix="deleted-").get("QueueUrls", []) == []
    environment.client("s3").head_bucket(Bucket="deleted-kept")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        environment.client("lambda").get_function(FunctionName="deleted-function")


def test_a_failed_creation_keeps_what_is_retained_and_deletes_what_is_retained_except_then(
    environment: Environment, deploy: Deploy
) -> None:
    """docs: AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html"""

    def table(name: str, policy: str) -> dict[str, Any]:
        key = {"AttributeName": "id", "AttributeType": "S"}
        properties = {
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [key],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        }
        return {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": policy, "Properties": properties}

    def attempt(policy: str, definition: dict[str, Any]) -> dict[str, Any]:
        kept = table(f"halfway-{policy.lower()}", policy)
        return {
            "Role": role(),
            "Kept": kept,
            "Machine": {**state_machine(f"half-{policy.lower()}", definition), "DependsOn": "Kept"},
        }

    good = {"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}
    cloudformation = environment.client("cloudformation")
    for policy in ("RetainExceptOnCreate", "Retain"):
        with pytest.raises(LocalAwsError, match="InvalidDefinition"):
            deploy(f"halfway-{policy.lower()}", attempt(policy, {"StartAt": "Nowhere"}))
        stack = cloudformation.describe_stacks(StackName=f"halfway-{policy.lower()}")["Stacks"][0]
        assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    tables = environment.client("dynamodb").list_tables()["TableNames"]
    assert ("halfway-retain" in tables, "halfway-retainexceptoncreate" in tables) == (True, False)
    with pytest.raises(ClientError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
        cloudformation.update_stack(StackName="halfway-retain", TemplateBody='{"Resources": {}}')
    deploy("halfway-retainexceptoncreate", attempt("RetainExceptOnCreate", good))
    with pytest.raises(LocalAwsError, match="halfway-retain"):
        deploy("halfway-retain", attempt("Retain", good))
    assert "halfway-retainexceptoncreate" in environment.client("dynamodb").list_tables()["TableNames"]
    environment.client("cloudformation").delete_stack(StackName="halfway-retainexceptoncreate")
    assert "halfway-retainexceptoncreate" in environment.client("dynamodb").list_tables()["TableNames"]


def test_a_generated_name_does_not_collide_with_what_a_deleted_stack_retained(environment: Environment, deploy: Deploy) -> None:
    for _ in range(2):
        deploy("again", {"Role": {**role(), "DeletionPolicy": "Retain"}})
        environment.client("cloudformation").delete_stack(StackName="again")
    names = [role["RoleName"] for role in environment.client("iam").list_roles()["Roles"]]
    assert len([name for name in names if name.startswith("again-Role-")]) == 2


def test_a_stack_that_could_not_be_deleted_is_there_to_be_deleted_again(environment: Environment, deploy: Deploy) -> None:
    cloudformation, s3 = environment.client("cloudformation"), environment.client("s3")
    deploy("full", {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "full-bucket"}}})
    s3.put_object(Bucket="full-bucket", Key="x", Body=b"x")
    with pytest.raises(ClientError, match=r"Bucket \(AWS::S3::Bucket\): BucketNotEmpty"):
        cloudformation.delete_stack(StackName="full")
    assert cloudformation.describe_stacks(StackName="full")["Stacks"][0]["StackStatus"] == "DELETE_FAILED"
    s3.delete_object(Bucket="full-bucket", Key="x")
    cloudformation.delete_stack(StackName="full")
    assert "full-bucket" not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]


def test_stacks_can_be_listed_while_one_is_half_made(environment: Environment, deploy: Deploy) -> None:
    broken = {"Role": role(), "Machine": {**state_machine("half-made", {"StartAt": "Nowhere"}), "DependsOn": "Role"}}
    with pytest.raises(LocalAwsError):
        deploy("half-made", broken, {"Machine": {"Value": {"Fn::GetAtt": ["Machine", "Arn"]}}})
    listed = environment.client("cloudformation").get_paginator("describe_stacks").paginate().build_full_result()["Stacks"]
    assert next(stack for stack in listed if stack["StackName"] == "half-made")["StackStatus"] == "ROLLBACK_COMPLETE"
    environment.client("cloudformation").delete_stack(StackName="half-made")

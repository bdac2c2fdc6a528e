"""Events find their targets: S3, EventBridge, schedules, SNS."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from localaws.environment import Environment, LocalAwsError
from localaws.schedule_expressions import check, check_of_rule, next_time
from localaws.triggers.schedules import Schedule, Schedules
from tests.harness.waiting import eventually
from tests.localaws.apps import arn_of, function, resource_policy, role, state_machine

Deploy = Callable[..., dict[str, str]]

KEEP = """
import boto3, json, os
def handler(event, context):
    body = json.dumps(event)
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=body)
"""


def kept(name: str) -> dict[str, Any]:
    """A queue, and a function that puts its events there."""
    return {
        "Role": role(),
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}},
        "Keep": function(f"{name}-keep", KEEP, Environment={"Variables": {"QUEUE": {"Ref": "Queue"}}}),
    }


def received(environment: Environment, queue: str) -> list[Any]:
    """The messages of a queue, which are removed by this."""
    sqs = environment.client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in messages]


def rule(targets: list[dict[str, Any]], **properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::Events::Rule", "Properties": {"Targets": targets, **properties}}


def test_an_object_in_s3_starts_a_state_machine_once(environment: Environment, deploy: Deploy) -> None:
    definition = {"StartAt": "Key", "States": {"Key": {"Type": "Pass", "InputPath": "$.detail.object.key", "End": True}}}
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": ["s3-events"]}, "object": {"key": [{"prefix": "datasets/"}]}},
    }
    events = {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    outputs = deploy(
        "s3-events",
        {
            "Role": role(),
            "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "s3-events", "NotificationConfiguration": events}},
            "Machine": state_machine("s3-events", definition),
            "Rule": rule([{"Id": "1", "Arn": arn_of("Machine"), "RoleArn": arn_of("Role")}], EventPattern=pattern),
            "Nightly": rule([{"Id": "1", "Arn": arn_of("Machine")}], ScheduleExpression="rate(1 day)"),
        },
        {"Machine": {"Ref": "Machine"}},
    )
    s3, states = environment.client("s3"), environment.client("stepfunctions")
    s3.put_object(Bucket="s3-events", Key="other/a.csv", Body=b"1")
    s3.put_object(Bucket="s3-events", Key="datasets/b.csv", Body=b"1")

    def done() -> list[Any]:
        executions = states.list_executions(stateMachineArn=outputs["Machine"])["executions"]
        return [entry for entry in executions if entry["status"] == "SUCCEEDED"]

    executions = eventually(done)
    found = [json.loads(states.describe_execution(executionArn=e["executionArn"])["output"]) for e in executions]
    assert found == ["datasets/b.csv"]


def test_events_reach_functions_queues_and_topics(environment: Environment, deploy: Deploy) -> None:
    targets = [
        {"Id": "function", "Arn": arn_of("Keep")},
        {"Id": "queue", "Arn": arn_of("Direct")},
        {"Id": "topic", "Arn": {"Ref": "Topic"}, "Input": '"constant"'},
    ]
    subscription = {"TopicArn": {"Ref": "Topic"}, "Protocol": "sqs", "Endpoint": arn_of("Subscribed"), "RawMessageDelivery": True}
    deploy(
        "targets",
        {
            **kept("targets-kept"),
            "Direct": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "targets-direct"}},
            "Subscribed": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "targets-subscribed"}},
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "targets"}},
            "ToDirect": resource_policy("SQS::QueuePolicy", {"Queues": [{"Ref": "Direct"}]}, "events", "sqs:SendMessage"),
            "ToSubscribed": resource_policy("SQS::QueuePolicy", {"Queues": [{"Ref": "Subscribed"}]}, "sns", "sqs:SendMessage"),
            "ToTopic": resource_policy("SNS::TopicPolicy", {"Topics": [{"Ref": "Topic"}]}, "events", "sns:Publish"),
            "Subscription": {"Type": "AWS::SNS::Subscription", "Properties": subscription},
            "Rule": rule(targets, EventPattern={"source": ["targets"]}),
        },
    )
    detail = {"who": 'it\'s "me"', "n": 3}
    entry = {"Source": "targets", "DetailType": "x", "Detail": json.dumps(detail)}
    environment.client("events").put_events(Entries=[entry, {**entry, "Source": "others"}])
    for queue in ("targets-kept", "targets-direct"):
        assert [event["detail"] for event in eventually(lambda queue=queue: received(environment, queue))] == [detail]
    assert eventually(lambda: received(environment, "targets-subscribed")) == ["constant"]


def test_a_schedule_fires_on_demand(environment: Environment, deploy: Deploy) -> None:
    target = {"Arn": arn_of("Keep"), "RoleArn": arn_of("Role"), "Input": '{"constant": 1}'}
    schedule = {
        "ScheduleExpression": "cron(0 3 ? * SUN *)",
        "ScheduleExpressionTimezone": "Europe/Berlin",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": target,
    }
    outputs = deploy(
        "scheduled",
        {
            **kept("scheduled-kept"),
            "Rule": rule([{"Id": "1", "Arn": arn_of("Keep")}], ScheduleExpression="cron(0 3 ? * SUN *)"),
            "Schedule": {"Type": "AWS::Scheduler::Schedule", "Properties": schedule},
        },
        {"Rule": arn_of("Rule"), "Schedule": arn_of("Schedule")},
    )
    environment.fire(outputs["Rule"])
    (event,) = eventually(lambda: received(environment, "scheduled-kept"))
    assert (event["source"], event["resources"]) == ("aws.events", [outputs["Rule"]])
    environment.fire(outputs["Schedule"])
    (event,) = eventually(lambda: received(environment, "scheduled-kept"))
    assert event == {"constant": 1}
    with pytest.raises(LocalAwsError, match="no enabled schedule arn:none"):
        environment.fire("arn:none")


def test_all_rules_fire_however_many_there_are(environment: Environment, deploy: Deploy) -> None:
    """Lists come in pages: moto's have fifty rules."""
    target = [{"Id": "Queue", "Arn": arn_of("Queue"), "Input": '{"fired": true}'}]
    rules = {f"Rule{n}": rule(target, Name=f"many-{n:02}", ScheduleExpression="rate(7 days)") for n in range(60)}
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "many-rules"}}
    policy = resource_policy("SQS::QueuePolicy", {"Queues": [{"Ref": "Queue"}]}, "events", "sqs:SendMessage")
    outputs = deploy("many-rules", {"Queue": queue, "Policy": policy, **rules}, {"Last": arn_of("Rule59")})
    environment.fire(outputs["Last"])
    assert eventually(lambda: received(environment, "many-rules")) == [{"fired": True}]


def test_what_a_target_can_not_take_goes_to_its_dead_letters(environment: Environment, deploy: Deploy) -> None:
    """By a schedule with its role, by a rule in its own name."""
    gone, kept_there = "arn:aws:sqs:us-east-1:123456789012:gone", {"Arn": arn_of("Letters")}
    target = {"Arn": gone, "RoleArn": arn_of("Role"), "DeadLetterConfig": kept_there}
    schedule = {"ScheduleExpression": "rate(1 day)", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target}
    outputs = deploy(
        "undelivered",
        {
            "Role": role(),
            "Letters": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "undelivered"}},
            "ToLetters": resource_policy("SQS::QueuePolicy", {"Queues": [{"Ref": "Letters"}]}, "events", "sqs:SendMessage"),
            "Rule": rule([{"Id": "1", **target}], EventPattern={"source": ["undelivered"]}),
            "Schedule": {"Type": "AWS::Scheduler::Schedule", "Properties": schedule},
        },
        {"Schedule": arn_of("Schedule")},
    )
    environment.client("events").put_events(Entries=[{"Source": "undelivered", "DetailType": "x", "Detail": "{}"}])
    (event,) = eventually(lambda: received(environment, "undelivered"))
    assert event["source"] == "undelivered"
    environment.fire(outputs["Schedule"])
    (event,) = eventually(lambda: received(environment, "undelivered"))
    assert event["source"] == "aws.scheduler"


def test_a_due_schedule_fires_by_itself(environment: Environment, deploy: Deploy) -> None:
    schedule = {
        "ScheduleExpression": "at(2100-01-01T00:00:00)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": arn_of("Queue"), "RoleArn": arn_of("Role"), "Input": '"due"'},
    }
    resource = {"Type": "AWS::Scheduler::Schedule", "Properties": {"Name": "due", **schedule}}
    deploy("due", {**kept("due-kept"), "Schedule": resource})
    scheduler = environment.client("scheduler")
    target = scheduler.get_schedule(Name="due")["Target"]
    due = datetime.now(UTC)

    def fired() -> list[Any]:
        """What has come; when the machine was too busy to set the clock in time, it is set again."""
        nonlocal due
        if due < datetime.now(UTC) - timedelta(seconds=10):
            due = datetime.now(UTC) + timedelta(seconds=2)
            at = f"at({due:%Y-%m-%dT%H:%M:%S})"
            scheduler.update_schedule(Name="due", ScheduleExpression=at, FlexibleTimeWindow={"Mode": "OFF"}, Target=target)
        return received(environment, "due-kept")

    due -= timedelta(minutes=1)
    assert eventually(fired) == ["due"]


@pytest.mark.parametrize(
    ("expression", "zone", "expected"),
    [
        ("rate(5 minutes)", "UTC", "2026-11-24T12:05:00"),
        ("rate(1 day)", "UTC", "2026-11-25T11:30:00"),
        ("cron(0 3 ? * SUN *)", "UTC", "2026-11-29T03:00:00"),
        ("cron(0 3 ? * 1 *)", "UTC", "2026-11-29T03:00:00"),
        ("cron(15 10 ? * MON-FRI 2027)", "UTC", "2027-01-01T10:15:00"),
        ("cron(0/20 * * * ? *)", "UTC", "2026-11-24T12:20:00"),
        ("cron(0 9 1 * ? *)", "Europe/Berlin", "2026-12-01T08:00:00"),
        ("cron(0 8 ? * 2#1 *)", "UTC", "2026-12-07T08:00:00"),
        ("cron(0 8 ? * 2-6/2 *)", "UTC", "2026-11-25T08:00:00"),
        ("at(2026-12-24T18:00:00)", "America/New_York", "2026-12-24T23:00:00"),
        ("at(2020-01-01T00:00:00)", "UTC", None),
    ],
)
def test_next_times_follow_the_syntax_of_aws(expression: str, zone: str, expected: str | None) -> None:
    after = datetime(2026, 11, 24, 12, 0, 30, tzinfo=UTC)
    since = datetime(2026, 11, 24, 11, 30, tzinfo=UTC)
    found = next_time(expression, zone, after, since)
    assert found == (datetime.fromisoformat(expected).replace(tzinfo=UTC) if expected else None)


@pytest.mark.parametrize(
    "expression",
    ["rate(1 minute)", "rate(2 days)", "cron(0 3 ? * SUN *)", "cron(*/5 8-18 L * ? 2026-2030)", "cron(0 9 ? 1,6 6L *)"],
)
def test_expressions_that_are_valid_for_rules_and_schedules(expression: str) -> None:
    check(expression)
    check_of_rule(expression)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("cron(0 3 * * SUN *)", "exactly one of its day fields"),
        ("cron(0 3 ? * ? *)", "exactly one of its day fields"),
        ("cron(0 25 ? * SUN *)", "Bad hour"),
        ("cron(? 3 ? * SUN *)", "Bad minute"),
        ("cron(0 3 ? * SUN)", "six fields"),
        ("cron(0 3 ? * 0 *)", "1 is Sunday"),
        ("cron(0 3 ? * SUN ?)", "wrong year"),
        ("cron(0 3 15W * ? *)", "valid in AWS but can't be run here"),
        ("rate(0 minutes)", "is not a schedule expression"),
        ("rate(1 week)", "is not a schedule expression"),
        ("at(tomorrow)", "is not a schedule expression"),
    ],
)
def test_expressions_that_are_refused(expression: str, reason: str) -> None:
    for refused in (check, check_of_rule):
        with pytest.raises(ValueError, match=reason):
            refused(expression)


@pytest.mark.parametrize("expression", ["rate(1 days)", "rate(2 day)", "at(2026-12-24T18:00:00)"])
def test_rules_are_stricter_than_schedules(expression: str) -> None:
    check(expression)
    with pytest.raises(ValueError, match="rule"):
        check_of_rule(expression)


def test_a_deployment_with_a_wrong_schedule_names_the_resource(deploy: Deploy) -> None:
    target = [{"Id": "1", "Arn": "arn:aws:sqs:us-east-1:123456789012:none"}]
    with pytest.raises(LocalAwsError, match=r"Daily \(AWS::Events::Rule\): ValueError: 'rate\(1 days\)'"):
        deploy("wrong-rule", {"Daily": rule(target, ScheduleExpression="rate(1 days)")})
    schedule = {"ScheduleExpression": "cron(0 3 * * SUN *)", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target[0]}
    with pytest.raises(LocalAwsError, match=r"Weekly \(AWS::Scheduler::Schedule\): ValueError: 'cron\(0 3 \* \* SUN \*\)'"):
        deploy("wrong-schedule", {"Weekly": {"Type": "AWS::Scheduler::Schedule", "Properties": schedule}})


def test_a_wrong_schedule_does_not_keep_others_from_firing(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Schedule("arn:wrong", "rate(0 minutes)", "UTC", [], "aws.events")
    soon = Schedule("arn:soon", f"at({datetime.now(UTC) + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S})", "UTC", [], "aws.events")
    fired: list[str] = []
    schedules = Schedules(cast(Any, None), cast(Any, None))
    monkeypatch.setattr(schedules, "_schedules", lambda: iter([wrong, soon]))
    monkeypatch.setattr(schedules, "_fire", lambda schedule, moment: fired.append(schedule.arn))
    assert eventually(lambda: schedules.turn() or fired) == ["arn:soon"]

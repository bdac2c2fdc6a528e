"""What starts a train run: the schedule, and the marker `datasets/_READY` that somebody puts beside the CSVs."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as stepfunctions

from lambdas.config import Config
from lambdas.stores import prefixes
from stacks import names
from stacks.dead_letters import add_dead_letters
from stacks.grants import Grant
from stacks.machines import schedule_role, start_by_schedule


def add_starts(stack: cdk.Stack, config: Config, machine: stepfunctions.StateMachine) -> None:
    """What a rule or a schedule could not start is kept in a queue. docs: eventbridge/latest/userguide/eb-rule-dlq.html"""
    starter = schedule_role(stack, "StartRole", "Starts train runs", "events")
    missed = add_dead_letters(stack, "MissedStarts", names.missed_starts_queue(config))
    Grant(["states:StartExecution"], [machine.state_machine_arn]).give(starter)
    marker = {"bucket": {"name": [names.data_bucket(config)]}, "object": {"key": [prefixes.READY]}}
    rule = events.CfnRule(
        stack,
        "ReadyRule",
        description="A train run when the marker _READY is put beside the CSVs",
        event_pattern={"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": marker},
        targets=[
            events.CfnRule.TargetProperty(
                id="train",
                arn=machine.state_machine_arn,
                role_arn=starter.role_arn,
                input="{}",
                dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=missed.queue_arn),
            )
        ],
    )
    missed.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal("events.amazonaws.com")],
            actions=["sqs:SendMessage"],
            resources=[missed.queue_arn],
            conditions={"ArnEquals": {"aws:SourceArn": rule.attr_arn}},
        )
    )
    if expression := config.schedules.train:
        given = stack.to_json_string({"retrain": True})
        start_by_schedule(stack, config, "train", expression, starter, machine.state_machine_arn, given)

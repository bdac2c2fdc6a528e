"""A state machine from its definition in `statemachines/`: logged, traced, allowed to call its functions and to be started."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from lambdas.config import Config
from lambdas.config.names import own_name
from stacks import names
from stacks.acknowledged import acknowledge
from stacks.definitions import load_definition
from stacks.grants import Grant


def machine_arn(stack: cdk.Stack, config: Config, name: str) -> str:
    return stack.format_arn(
        service="states",
        resource="stateMachine",
        resource_name=names.state_machine(config, name),
        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
    )


def executions(stack: cdk.Stack, config: Config, name: str) -> str:
    return machine_arn(stack, config, name).replace(":stateMachine:", ":execution:") + ":*"


def add_machine(
    scope: Construct,
    config: Config,
    name: str,
    steps: Mapping[str, lambda_.Function],
    grants: Sequence[Grant] = (),
    substitutions: Mapping[str, str] | None = None,
) -> stepfunctions.StateMachine:
    """The machine of `<name>.asl.yaml`, which names functions by their folder in camel case: `${PlanTraining}`."""
    full_name, title = names.state_machine(config, name), name.title()
    machine = stepfunctions.StateMachine(
        scope,
        title,
        state_machine_name=full_name,
        definition_body=stepfunctions.DefinitionBody.from_string(json.dumps(load_definition(name), indent=2)),
        definition_substitutions={step: function.function_arn for step, function in steps.items()} | dict(substitutions or {}),
        logs=stepfunctions.LogOptions(
            destination=logs.LogGroup(
                scope,
                f"{title}Log",
                log_group_name=f"/aws/vendedlogs/states/{full_name}",
                retention=logs.RetentionDays.THREE_MONTHS,
                removal_policy=cdk.RemovalPolicy.DESTROY,
            ),
            level=stepfunctions.LogLevel.ALL,
        ),
        tracing_enabled=True,
    )
    machine.add_to_role_policy(
        iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[f.function_arn for f in steps.values()])
    )
    for grant in grants:
        grant.give(machine.role)  # type: ignore[arg-type]
    acknowledge(machine, {"AwsSolutions-IAM5[Resource::*]": "log delivery and X-Ray take no resource but *"})
    return machine


def schedule_role(scope: Construct, id_: str, description: str, *services: str) -> iam.Role:
    """A role with which EventBridge starts something, for this account's rules and schedules alone, or keeps what it could not.

    docs: scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
    """
    own = {"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}}
    trusted = [iam.ServicePrincipal(f"{service}.amazonaws.com", conditions=own) for service in ("scheduler", *services)]
    return iam.Role(scope, id_, assumed_by=iam.CompositePrincipal(*trusted), description=description)


def _missed_starts_arn(scope: Construct, config: Config) -> str:
    return cdk.Stack.of(scope).format_arn(service="sqs", resource=names.missed_starts_queue(config))


def start_by_schedule(
    scope: Construct, config: Config, name: str, expression: str, starter: iam.Role, target: str, given: str = "{}"
) -> None:
    """Start the target (an ARN) as EventBridge Scheduler's expression says; what can't be started is kept as a message.

    docs: scheduler/latest/UserGuide/configuring-schedule-dlq.html
    """
    kept = _missed_starts_arn(scope, config)
    Grant(["sqs:SendMessage"], [kept]).give(starter)
    scheduler.CfnSchedule(
        scope,
        f"{name.title().replace('-', '')}Schedule",
        name=own_name(config, name),
        description=f"Starts {name}",
        schedule_expression=expression,
        flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
        target=scheduler.CfnSchedule.TargetProperty(
            arn=target,
            role_arn=starter.role_arn,
            input=given,
            dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=kept),
        ),
    )


def unsuccessful(machine: stepfunctions.StateMachine) -> cloudwatch.MathExpression:
    """The machine's executions that failed, timed out or were aborted: Step Functions counts each kind on its own.

    Whether SUM leaves out a kind that was never counted is not documented: FILL gives it zeros.
    """
    return cloudwatch.MathExpression(
        expression="FILL(failed, 0) + FILL(timed_out, 0) + FILL(aborted, 0)",
        using_metrics={
            "failed": machine.metric_failed(),
            "timed_out": machine.metric_timed_out(),
            "aborted": machine.metric_aborted(),
        },
        period=cdk.Duration.minutes(5),
    )

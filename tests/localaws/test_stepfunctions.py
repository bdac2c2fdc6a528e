"""State machines: the real definition is run, on a faster clock."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.stepfunctions.parser.asl.eval.program_state import ProgramEnded
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication

from localaws.environment import Environment, LocalAwsError
from localaws.moto import stepfunctions
from tests.harness.waiting import eventually
from tests.localaws.apps import function, role, state_machine

Deploy = Callable[..., dict[str, str]]

CODE = """
import boto3
CALLS = {}
class TooSoon(Exception): pass
def handler(event, context):
    name = event.get("name")
    CALLS[name] = CALLS.get(name, 0) + 1
    if "token" in event:
        boto3.client("stepfunctions").send_task_success(taskToken=event["token"], output='{"approved": true}')
    if name == "bad": raise ValueError("bad item")
    if name == "flaky" and CALLS[name] < 3: raise TooSoon("not yet")
    return {"name": name, "status": "ACTIVE" if CALLS[name] >= 2 else "PENDING", "wait_seconds": 3, "calls": CALLS[name]}
"""


def jsonata(states: dict[str, Any], start: str) -> dict[str, Any]:
    return {"QueryLanguage": "JSONata", "StartAt": start, "States": states}


def call_function(arguments: dict[str, Any], **more: Any) -> dict[str, Any]:
    invoke = {"FunctionName": "${Function}", "Payload": arguments}
    return {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Arguments": invoke, **more}


def run(environment: Environment, deploy: Deploy, name: str, definition: dict[str, Any], given: Any = None) -> dict[str, Any]:
    resources = {
        "Role": role(),
        "Function": function(f"{name}-function", CODE),
        "Machine": state_machine(name, definition, Function={"Fn::GetAtt": ["Function", "Arn"]}),
    }
    arn = deploy(name, resources, {"Arn": {"Ref": "Machine"}})["Arn"]
    states = environment.client("stepfunctions")
    execution = states.start_execution(stateMachineArn=arn, input=json.dumps(given or {}))["executionArn"]
    return eventually(lambda: _finished(states.describe_execution(executionArn=execution)))


def _finished(description: dict[str, Any]) -> dict[str, Any] | None:
    return None if description["status"] == "RUNNING" else description


def output_of(description: dict[str, Any]) -> Any:
    assert description["status"] == "SUCCEEDED", description
    return json.loads(description["output"])


def test_a_loop_of_task_choice_and_wait_in_a_map_with_a_catch(environment: Environment, deploy: Deploy) -> None:
    failed = "{% {'failed': $states.errorOutput.Error} %}"
    processor = {
        "ProcessorConfig": {"Mode": "INLINE"},
        "StartAt": "Ensure",
        "States": {
            "Ensure": call_function(
                {"name": "{% $exists($states.input.item) ? $states.input.item.name : $name %}"},
                Assign={"answer": "{% $states.result.Payload %}", "name": "{% $states.result.Payload.name %}"},
                Next="Ready?",
                Catch=[{"ErrorEquals": ["States.ALL"], "Output": failed, "Next": "Give up"}],
            ),
            "Ready?": {
                "Type": "Choice",
                "Choices": [{"Condition": "{% $answer.status = 'ACTIVE' %}", "Next": "Done"}],
                "Default": "Wait",
            },
            "Wait": {"Type": "Wait", "Seconds": "{% $answer.wait_seconds %}", "Next": "Ensure"},
            "Done": {"Type": "Pass", "Output": "{% $answer.name %}", "End": True},
            "Give up": {"Type": "Pass", "End": True},
        },
    }
    every = {
        "Type": "Map",
        "Items": "{% $states.input.items %}",
        "ItemSelector": {"item": "{% $states.context.Map.Item.Value %}"},
        "ItemProcessor": processor,
        "MaxConcurrency": 2,
        "End": True,
    }
    items = [{"name": "one"}, {"name": "bad"}, {"name": 'it\'s "quoted"'}]
    started = time.monotonic()
    result = output_of(run(environment, deploy, "loop", jsonata({"Every": every}, "Every"), {"items": items}))
    assert result == ["one", {"failed": "ValueError"}, 'it\'s "quoted"']
    assert time.monotonic() - started < 30


def test_retry_waits_on_the_fast_clock(environment: Environment, deploy: Deploy) -> None:
    retry = [{"ErrorEquals": ["TooSoon"], "IntervalSeconds": 10, "BackoffRate": 2, "MaxAttempts": 3}]
    task = call_function({"name": "flaky"}, Output="{% $states.result.Payload.calls %}", Retry=retry, End=True)
    description = run(environment, deploy, "retrying", jsonata({"Task": task}, "Task"))
    assert output_of(description) == 3
    took = description["stopDate"] - description["startDate"]
    assert 1.4 <= took.total_seconds() < 30  # (10 + 20) s at twenty times the speed


def test_the_functions_that_step_functions_adds_to_jsonata(environment: Environment, deploy: Deploy) -> None:
    output = {
        "partition": "{% $partition([1, 2, 3], 2) %}",
        "range": "{% $range(0, 10, 5) %}",
        "down": "{% $range(3, 1, -1) %}",
        "hash": "{% $hash('a', 'SHA-256') %}",
        "parse": "{% $parse('{\"a\": [1]}').a[0] %}",
        "same": "{% $random(7) = $random(7) %}",
        "uuids": "{% $uuid() != $uuid() %}",
        "missing": "{% $exists($states.input.nothing) %}",
    }
    pass_state = {"Type": "Pass", "Output": output, "End": True}
    result = output_of(run(environment, deploy, "functions-of-jsonata", jsonata({"Pass": pass_state}, "Pass")))
    assert result == {
        "partition": [[1, 2], [3]],
        "range": [0, 5, 10],
        "down": [3, 2, 1],
        "hash": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
        "parse": 1,
        "same": True,
        "uuids": True,
        "missing": False,
    }


def test_a_faulty_expression_is_an_error_that_can_be_caught(environment: Environment, deploy: Deploy) -> None:
    catch = [{"ErrorEquals": ["States.QueryEvaluationError"], "Next": "Caught"}]
    states = {
        "Add": call_function({"name": "{% $number('x') %}"}, Catch=catch, End=True),
        "Caught": {"Type": "Pass", "Output": "caught", "End": True},
    }
    assert output_of(run(environment, deploy, "faulty", jsonata(states, "Add"))) == "caught"


def test_a_task_token_is_answered_by_a_function(environment: Environment, deploy: Deploy) -> None:
    ask = call_function({"name": "ask", "token": "{% $states.context.Task.Token %}"}, End=True)
    ask["Resource"] = "arn:aws:states:::lambda:invoke.waitForTaskToken"
    assert output_of(run(environment, deploy, "token", jsonata({"Ask": ask}, "Ask"))) == {"approved": True}


def test_sdk_integrations_use_the_spelling_of_step_functions(environment: Environment, deploy: Deploy) -> None:
    put = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:ssm:putParameter",
        "Arguments": {"Name": "/from-machine", "Value": "1", "Type": "String"},
        "Next": "Get",
    }
    get = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:ssm:getParameter",
        "Arguments": {"Name": "/from-machine"},
        "Output": "{% $states.result.Parameter.Value %}",
        "Next": "Missing",
    }
    missing = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:ssm:getParameter",
        "Arguments": {"Name": "/missing"},
        "End": True,
        "Catch": [{"ErrorEquals": ["Ssm.ParameterNotFoundException"], "Output": "not there", "Next": "End"}],
    }
    end = {"Type": "Succeed"}
    states = {"Put": put, "Get": get, "Missing": missing, "End": end}
    assert output_of(run(environment, deploy, "sdk", jsonata(states, "Put"))) == "not there"


def test_a_failure_tells_its_error_and_cause_and_is_in_the_history(environment: Environment, deploy: Deploy) -> None:
    fail = {"Type": "Fail", "Error": "Training", "Cause": "{% 'because of ' & $states.input.what %}"}
    description = run(environment, deploy, "failing", jsonata({"Fail": fail}, "Fail"), {"what": "weather"})
    assert (description["status"], description["error"]) == ("FAILED", "Training")
    assert description["cause"] == "because of weather"
    history = environment.client("stepfunctions").get_execution_history(executionArn=description["executionArn"])["events"]
    assert [event["type"] for event in history] == ["ExecutionStarted", "FailStateEntered", "ExecutionFailed"]


def test_a_history_comes_in_pages(environment: Environment, deploy: Deploy) -> None:
    passes = {f"S{n}": {"Type": "Pass", "Output": {"secret": n}, "Next": f"S{n + 1}"} for n in range(4)}
    description = run(environment, deploy, "paged", jsonata({**passes, "S4": {"Type": "Succeed"}}, "S0"))
    client, of = environment.client("stepfunctions"), {"executionArn": description["executionArn"]}
    whole = client.get_execution_history(**of)["events"]
    assert [event["id"] for event in whole] == list(range(1, 13))  # begin, end, and of each state that it was entered and left

    first = client.get_execution_history(**of, maxResults=5)
    second = client.get_execution_history(**of, maxResults=7, nextToken=first["nextToken"])
    assert first["events"] + second["events"] == whole
    assert "nextToken" not in second
    pages = client.get_paginator("get_execution_history").paginate(**of, reverseOrder=True, PaginationConfig={"PageSize": 5})
    assert [event for page in pages for event in page["events"]] == whole[::-1]
    assert "secret" in json.dumps(whole, default=str)
    assert "secret" not in json.dumps(client.get_execution_history(**of, includeExecutionData=False)["events"], default=str)
    with pytest.raises(ClientError, match="InvalidToken"):
        client.get_execution_history(**of, nextToken="nonsense")


def test_executions_are_listed_and_can_be_stopped(environment: Environment, deploy: Deploy) -> None:
    wait = {"Type": "Wait", "Seconds": 100_000, "End": True}
    arn = deploy(
        "stoppable",
        {"Role": role(), "Machine": state_machine("stoppable", jsonata({"W": wait}, "W"))},
        {"Arn": {"Ref": "Machine"}},
    )
    states = environment.client("stepfunctions")
    execution = states.start_execution(stateMachineArn=arn["Arn"], name="by-hand")["executionArn"]
    listed = states.list_executions(stateMachineArn=arn["Arn"], statusFilter="RUNNING")["executions"]
    assert [entry["name"] for entry in listed] == ["by-hand"]
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        states.start_execution(stateMachineArn=arn["Arn"], name="by-hand", input='{"other": 1}')
    states.stop_execution(executionArn=execution)
    assert eventually(lambda: _finished(states.describe_execution(executionArn=execution)))["status"] == "ABORTED"


def test_a_distributed_map_over_json_lines_is_refused_by_its_name(environment: Environment, deploy: Deploy) -> None:
    item = {"Pass": {"Type": "Pass", "End": True}}
    every = {
        "Type": "Map",
        "ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSONL"}, "Arguments": {}},
        "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "StartAt": "Pass", "States": item},
        "End": True,
    }
    with pytest.raises(LocalAwsError, match="'JSONL' is not a valid InputTypeValue"):
        run(environment, deploy, "distributed", jsonata({"Every": every}, "Every"))


def test_however_fast_the_clock_a_machine_does_not_look_for_a_job_without_a_pause(
    environment: Environment, deploy: Deploy
) -> None:
    """A minute passes in three seconds here, and a second in a twentieth of one; but not a wait between two looks."""
    ended = run(
        environment, deploy, "one-second", {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 1, "End": True}}}
    )
    assert ended["status"] == "SUCCEEDED"
    assert (ended["stopDate"] - ended["startDate"]).total_seconds() >= 0.3


class _Watched(SimpleNamespace):
    """An execution that notes what it has for an output whenever its status is set."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "exec_status":
            self.seen = [*self.seen, (value, self.output)]
        super().__setattr__(name, value)


def test_who_sees_that_an_execution_succeeded_sees_its_output() -> None:
    environment = SimpleNamespace(program_state=ProgramEnded, states=SimpleNamespace(get_input=lambda: {"made": "here"}))
    execution = _Watched(exec_worker=SimpleNamespace(env=environment), output=None, error=None, cause=None, seen=[])
    worker = BaseExecutionWorkerCommunication(execution)  # type: ignore[arg-type]
    stepfunctions.status_last(BaseExecutionWorkerCommunication._reflect_execution_status, worker)
    assert execution.seen == [("SUCCEEDED", {"made": "here"})]

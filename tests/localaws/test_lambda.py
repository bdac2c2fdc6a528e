"""Functions run for real: results, errors, timeouts, logs, isolation."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from localaws.environment import Environment
from tests.harness.waiting import eventually
from tests.localaws.apps import create_function, function, role, write_app, zipped

CODE = """
import json, os, sys, time
import boto3
COUNT = 0
def handler(event, context):
    global COUNT
    COUNT += 1
    action = event.get("do")
    print("handling", action)
    if action == "raise": raise ValueError("no such thing")
    if action == "exit": os._exit(3)
    if action == "sleep": time.sleep(event["seconds"])
    if action == "write": boto3.client("ssm").put_parameter(Name=event["name"], Value="written", Type="String")
    return {"count": COUNT, "pid": os.getpid(), "who": os.environ.get("WHO"), "left": context.get_remaining_time_in_millis(),
            "name": context.function_name, "arn": context.invoked_function_arn, "region": os.environ["AWS_REGION"]}
"""


@pytest.fixture(scope="module", autouse=True)
def functions(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> None:
    who = {"Variables": {"WHO": "first"}}
    log_group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/own/group"}}
    logging = {"LogGroup": {"Ref": "Group"}}
    resources = {
        "Role": role(),
        "Group": log_group,
        "First": function("lambda-first", CODE, Environment=who, LoggingConfig=logging, Timeout=2),
        "Second": function("lambda-second", CODE, Environment={"Variables": {"WHO": "second"}}),
        "Single": function("lambda-single", CODE, ReservedConcurrentExecutions=1),
    }
    environment.deploy(write_app(tmp_path_factory.mktemp("app"), {"name": "functions", "resources": resources}))


def invoke(environment: Environment, name: str, event: dict[str, Any], **options: Any) -> tuple[Any, dict[str, Any]]:
    answer = environment.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode(), **options)
    return json.loads(answer["Payload"].read() or b"null"), answer


def test_a_function_gets_its_event_environment_and_context(environment: Environment) -> None:
    result, answer = invoke(environment, "lambda-first", {})
    assert answer["StatusCode"] == 200
    assert (result["who"], result["name"], result["region"]) == ("first", "lambda-first", "us-east-1")
    assert result["arn"].endswith(":function:lambda-first")
    assert 0 < result["left"] <= 2000


def test_a_warm_worker_is_used_again_and_functions_do_not_share_one(environment: Environment) -> None:
    first, _ = invoke(environment, "lambda-second", {})
    again, _ = invoke(environment, "lambda-second", {})
    other, _ = invoke(environment, "lambda-first", {})
    assert again["pid"] == first["pid"]
    assert again["count"] == first["count"] + 1
    assert other["pid"] != first["pid"]


def test_concurrent_calls_run_in_processes_of_their_own(environment: Environment) -> None:
    sleep = {"do": "sleep", "seconds": 0.5}
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: invoke(environment, "lambda-second", sleep)[0], range(4)))
    assert len({result["pid"] for result in results}) == 4


def test_an_exception_comes_back_as_a_function_error(environment: Environment) -> None:
    result, answer = invoke(environment, "lambda-first", {"do": "raise"})
    assert answer["FunctionError"] == "Unhandled"
    assert (result["errorType"], result["errorMessage"]) == ("ValueError", "no such thing")


def test_a_process_that_ends_is_an_error_and_the_next_call_works(environment: Environment) -> None:
    result, answer = invoke(environment, "lambda-first", {"do": "exit"})
    assert (answer["FunctionError"], result["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert invoke(environment, "lambda-first", {})[0]["count"] == 1


def test_a_timeout_kills_the_worker(environment: Environment) -> None:
    before, _ = invoke(environment, "lambda-first", {})
    result, answer = invoke(environment, "lambda-first", {"do": "sleep", "seconds": 30})
    assert (answer["FunctionError"], result["errorType"]) == ("Unhandled", "Sandbox.Timedout")
    assert "Task timed out after 2.00 seconds" in result["errorMessage"]
    with pytest.raises(ProcessLookupError):
        os.kill(before["pid"], 0)


def test_what_a_function_prints_is_in_the_tail_and_in_cloudwatch_logs(environment: Environment) -> None:
    _, answer = invoke(environment, "lambda-first", {"do": "nothing-special"}, LogType="Tail")
    tail = base64.b64decode(answer["LogResult"]).decode()
    assert "handling nothing-special" in tail
    assert "REPORT RequestId:" in tail
    logs = environment.client("logs")

    def logged() -> bool:
        events = logs.filter_log_events(logGroupName="/own/group")["events"]
        return any("handling nothing-special" in event["message"] for event in events)

    eventually(logged)


def test_an_asynchronous_call_answers_at_once_and_runs(environment: Environment) -> None:
    _, answer = invoke(environment, "lambda-second", {"do": "write", "name": "/async"}, InvocationType="Event")
    assert answer["StatusCode"] == 202
    ssm = environment.client("ssm")
    names = eventually(lambda: ssm.get_parameters(Names=["/async"])["Parameters"])
    assert names[0]["Value"] == "written"


def test_a_dry_run_runs_nothing(environment: Environment) -> None:
    before, _ = invoke(environment, "lambda-second", {})
    _, answer = invoke(environment, "lambda-second", {}, InvocationType="DryRun")
    after, _ = invoke(environment, "lambda-second", {})
    assert answer["StatusCode"] == 204
    assert after["count"] == before["count"] + 1


def test_reserved_concurrency_refuses_what_is_above_it(environment: Environment) -> None:
    client = boto3.client(
        "lambda",
        endpoint_url=environment.aws_endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),  # the SDK would repeat a refused call
    )

    def refused_while_another_call_runs() -> tuple[str, int] | None:
        with ThreadPoolExecutor(1) as threads:
            running = threads.submit(invoke, environment, "lambda-single", {"do": "sleep", "seconds": 1.5})
            refused = None
            while not running.done() and refused is None:
                refused = _refusal(client)
        return refused if running.exception() is None else None  # it was the other one that was refused

    assert eventually(refused_while_another_call_runs) == ("TooManyRequestsException", 429)


def _refusal(client: Any) -> tuple[str, int] | None:
    try:
        client.invoke(FunctionName="lambda-single", Payload=b"{}")
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    return None


def test_modules_of_a_layer_are_found(environment: Environment, deploy: Callable[..., dict[str, str]], tmp_path: Path) -> None:
    layer = tmp_path / "app" / "layer" / "python"
    layer.mkdir(parents=True)
    (layer / "only_in_layer.py").write_text("ANSWER = 42")
    destination = {"bucketName": "layer-assets", "objectKey": "layer.zip"}
    code = "import boto3, only_in_layer\ndef handler(event, context): return only_in_layer.ANSWER"
    content = {"Content": {"S3Bucket": "layer-assets", "S3Key": "layer.zip"}}
    deploy(
        "layered",
        {
            "Role": role(),
            "Layer": {"Type": "AWS::Lambda::LayerVersion", "Properties": content},
            "Function": function("layered-function", code, Layers=[{"Ref": "Layer"}]),
        },
        assets={"1": {"source": {"path": "layer", "packaging": "zip"}, "destinations": {"here": destination}}},
    )
    assert invoke(environment, "layered-function", {})[0] == 42


def test_an_import_error_of_the_function_is_its_error(environment: Environment, deploy: Callable[..., dict[str, str]]) -> None:
    deploy("unimportable", {"Role": role(), "Function": function("unimportable", "import no_such_module")})
    result, answer = invoke(environment, "unimportable", {})
    assert answer["FunctionError"] == "Unhandled"
    assert result["errorType"] == "Runtime.ImportModuleError"
    assert "no_such_module" in result["errorMessage"]


def test_what_a_function_brings_is_used_before_what_workers_have_in_common(environment: Environment) -> None:
    code = "import boto3, six\ndef handler(event, context): return [six.__file__, boto3.__version__]"
    create_function(environment, "lambda-own", zipped({"index.py": code, "six.py": "", "boto3/__init__.py": "__version__ = '0'"}))
    (six, version), _ = invoke(environment, "lambda-own", {})
    assert version == "0"
    assert "site-packages" not in six


def test_variables_that_are_read_when_a_program_starts_have_their_effect(environment: Environment) -> None:
    code = "import time, os\ndef handler(event, context): return [hash('a'), time.strftime('%Z'), os.environ.get('ONLY_HERE')]"
    create_function(environment, "lambda-variables", zipped({"index.py": code}), PYTHONHASHSEED="1", TZ="XYZ-3", ONLY_HERE="yes")
    create_function(environment, "lambda-variables-not", zipped({"index.py": code}), TZ="ABC+7")
    seen, _ = invoke(environment, "lambda-variables", {})
    python = [sys.executable, "-c", "print(hash('a'))"]
    expected = subprocess.run(python, env={"PYTHONHASHSEED": "1"}, capture_output=True, text=True, check=True).stdout
    assert seen == [int(expected), "XYZ", "yes"]
    assert invoke(environment, "lambda-variables-not", {})[0][1:] == ["ABC", None]


def test_when_workers_are_killed_with_what_they_are_forked_from_new_ones_start(environment: Environment) -> None:
    code = "import os\ndef handler(event, context): return os.getppid(), os.getpid()"
    create_function(environment, "lambda-forked", zipped({"index.py": code}))
    (server, worker), _ = invoke(environment, "lambda-forked", {})
    os.kill(server, signal.SIGKILL)
    next_server, next_worker = eventually(lambda: answer_of_another(environment, worker))
    assert server != next_server
    os.kill(next_worker, signal.SIGKILL)
    assert eventually(lambda: answer_of_another(environment, next_worker))[0] == next_server


def answer_of_another(environment: Environment, worker: int) -> list[int] | None:
    """What the function answers; nothing while the worker that was killed is not known to be."""
    answer, _ = invoke(environment, "lambda-forked", {})
    return answer if isinstance(answer, list) and answer[1] != worker else None

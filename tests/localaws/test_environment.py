"""Starting, finding and stopping: no process is left behind, and every refusal is one sentence."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import boto3
import pytest
from moto import mock_aws

from localaws import state
from localaws.clients import Aws
from localaws.environment import Environment, LocalAwsError, launch
from tests.harness.processes import processes_in
from tests.harness.waiting import eventually
from tests.localaws.apps import function, role, write_app

PORTS = ["--port", "0", "--api-port", "0", "--no-personalize"]


def app_with_function(folder: Path) -> Path:
    code = "import os\ndef handler(event, context): return os.getpid()"
    resources = {"Role": role(), "Function": function("in-environment", code)}
    return write_app(folder, {"name": "app", "resources": resources, "outputs": {"Name": {"Ref": "Function"}}})


def start(data: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "localaws", "--data", str(data), *PORTS, *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, start_new_session=True
    )


def gone(data: Path) -> bool:
    return not processes_in(data)


def invoke_worker(environment: Environment) -> int:
    return int(json.loads(environment.client("lambda").invoke(FunctionName="in-environment")["Payload"].read()))


def test_launch_tells_its_progress_and_stop_leaves_nothing(tmp_path: Path) -> None:
    told: list[str] = []
    data = tmp_path / "data"
    with launch(app_with_function(tmp_path / "app"), data, port=0, api_port=0, personalize=False, on_progress=told.append) as up:
        assert up.outputs("app") == {"Name": "in-environment"}
        assert any("created stack app" in line for line in told)
        assert up.environ["AWS_ENDPOINT_URL"] == up.aws_endpoint
        with pytest.raises(LocalAwsError, match="no stack other"):
            up.outputs("other")
        worker = invoke_worker(up)
        assert worker in processes_in(data)
    assert gone(data)
    assert not (data / "environment.json").exists()


def test_a_detached_environment_is_found_and_stopped_by_its_data(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert Environment.attach(data) is None
    started = launch(None, data, port=0, api_port=0, personalize=False, detach=True)
    try:
        found = Environment.attach(data)
        assert found is not None
        assert found.aws_endpoint == started.aws_endpoint
        found.deploy(app_with_function(tmp_path / "app"))
        again = Environment.attach(data)
        assert again is not None
        assert again.stacks == {"app": {"Name": "in-environment"}}
        with pytest.raises(LocalAwsError, match="in use by a running environment"):
            launch(None, data, port=0, api_port=0, personalize=False)
        invoke_worker(again)
    finally:
        started.stop()
    assert Environment.attach(data) is None
    assert gone(data)


def test_a_port_in_use_is_one_sentence_and_exit_code_1(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start(tmp_path, "--api-port", str(port))
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 1
        assert errors.strip() == (
            f"Port {port} is in use by another program: stop it, or choose another with --api-port (0 takes any free one)."
        )
        with pytest.raises(LocalAwsError, match=f"Port {port} is in use.*--port"):
            launch(None, tmp_path, port=port, api_port=0, personalize=False)
    assert gone(tmp_path)


def test_what_cannot_be_deployed_ends_the_start_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(LocalAwsError, match=r"has no manifest.json"):
        launch(tmp_path / "empty", tmp_path / "data", port=0, api_port=0, personalize=False)
    assert gone(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything_when_it_is_up(tmp_path: Path, number: signal.Signals) -> None:
    data = tmp_path / "data"
    process = start(data, "--app", str(app_with_function(tmp_path / "app")))
    up = eventually(lambda: Environment.attach(data))
    invoke_worker(up)
    process.send_signal(number)
    _, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (0, "")
    assert gone(data)


@pytest.mark.parametrize("delay", [0.3, 1.2])
def test_a_signal_during_the_start_stops_everything(tmp_path: Path, delay: float) -> None:
    data = tmp_path / "data"
    process = start(data, "--app", str(app_with_function(tmp_path / "app")))
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (0, "")
    eventually(lambda: gone(data))


def test_a_killed_environment_takes_its_workers_along(tmp_path: Path) -> None:
    data = tmp_path / "data"
    process = start(data, "--app", str(app_with_function(tmp_path / "app")))
    up = eventually(lambda: Environment.attach(data))
    invoke_worker(up)
    process.kill()
    process.communicate(timeout=300)
    eventually(lambda: gone(data))
    assert Environment.attach(data) is None
    with launch(None, data, port=0, api_port=0, personalize=False) as next_one:
        assert next_one.stacks == {"app": {"Name": "in-environment"}}
        assert invoke_worker(next_one) in processes_in(data)
    with launch(None, data, port=0, api_port=0, personalize=False, fresh=True) as fresh:
        assert fresh.stacks == {}


def test_an_environment_ends_with_the_program_that_launched_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    program = (
        "import os, pathlib\nfrom localaws.environment import launch\n"
        f"launch(None, pathlib.Path({str(data)!r}), port=0, api_port=0, personalize=False)\nos._exit(9)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=False, timeout=300)
    assert ended.returncode == 9
    eventually(lambda: gone(data))


SWALLOWED = """
import os, signal, weakref
from localaws import interruption
from tests.harness.processes import processes_in
signal.signal(signal.SIGINT, interruption.interrupt)
class Anything: ...
thing = Anything()
callback = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGINT))
del thing
print("swallowed", flush=True)
interruption.check()
print("forgotten")
"""


def test_a_signal_that_python_swallows_is_not_forgotten() -> None:
    done = subprocess.run([sys.executable, "-c", SWALLOWED], capture_output=True, text=True, check=False, timeout=300)
    assert done.stdout == "swallowed\n"
    assert done.stderr.endswith("KeyboardInterrupt\n")


@mock_aws
def test_all_stacks_are_described_however_many() -> None:
    """moto, as CloudFormation, gives them in pages: 50 are in the first."""
    clients = {name: boto3.client(name, "us-east-1") for name in ("cloudformation", "apigateway")}  # type: ignore[call-overload]
    template = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}, "Outputs": {"Here": {"Value": "yes"}}}
    for number in range(51):
        clients["cloudformation"].create_stack(StackName=f"stack-{number}", TemplateBody=json.dumps(template))
    described = state.describe(cast(Aws, SimpleNamespace(client=clients.__getitem__)), "http://front")
    assert described["stacks"] == {f"stack-{number}": {"Here": "yes"} for number in range(51)}

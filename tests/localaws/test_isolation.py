"""What runs here reaches neither AWS nor the credentials of the machine's owner, and says why."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localaws import isolation
from localaws.clients import own_session
from localaws.environment import Environment, launch
from localaws.glue.run import Assumed, Ended, Job, Run
from tests.harness.processes import command_of, environment_of, is_emulator, processes_in
from tests.localaws.apps import create_function, function, role, write_app, zipped

ASKS = """
import json, os, subprocess, sys, urllib.request
if "OLD" in os.environ: import botocore
def attempt(call):
    try: return str(call())
    except Exception as error: return f"{type(error).__name__}: {error}"
def handler(event, context):
    if "url" in event: return attempt(lambda: urllib.request.urlopen(event["url"], timeout=5).status)
    if "command" in event:
        done = subprocess.run(event["command"], capture_output=True, text=True)
        return done.stdout + done.stderr
    if "endpoint" in event:
        import boto3
        return attempt(lambda: boto3.client("sqs", endpoint_url=event["endpoint"]).list_queues())
    import boto3
    return {"key": boto3.Session().get_credentials().access_key, "environ": dict(os.environ)}
"""
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
LOOK_UP = "import socket; socket.getaddrinfo('s3.amazonaws.com', 443)"
NODE_LOOK_UP = "require('dns').lookup('s3.us-east-1.amazonaws.com', e => console.log(e && e.code))"
NODE_CONNECT = "require('http').get('http://169.254.169.254/')"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """Started by somebody who has an AWS account, and names a profile that is not there."""
    folder = tmp_path_factory.mktemp("isolation")
    (folder / ".aws").mkdir()
    (folder / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id = AKIAOFTHEOWNER\naws_secret_access_key = secret\n"
    )
    resources = {
        "Role": role(),
        "Asks": function("asks", ASKS),
    }
    app = write_app(folder / "app", {"name": "isolation", "resources": resources})
    with pytest.MonkeyPatch.context() as patch:
        owner = {
            "HOME": str(folder),
            "AWS_PROFILE": "not-there",
            "AWS_SESSION_TOKEN": "token",
            "AWS_ROLE_ARN": "arn:aws:iam::1:role/x",
        }
        for name, value in owner.items():
            patch.setenv(name, value)
        with launch(app, folder / "data", port=0, api_port=0, personalize_port=0) as running:
            code = zipped({"index.py": ASKS, "botocore/__init__.py": "__version__ = '1.29.165'"})
            create_function(running, "old", code, OLD="1")
            yield running


def ask(environment: Environment, name: str, **event: Any) -> Any:
    answer = environment.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
    return json.loads(answer["Payload"].read())


def test_a_function_has_the_credentials_of_its_role_alone(environment: Environment) -> None:
    seen = ask(environment, "asks")
    assert seen["key"] == seen["environ"]["AWS_ACCESS_KEY_ID"]
    assert seen["environ"]["AWS_SESSION_TOKEN"] != "token"
    assert not {"AWS_PROFILE", "AWS_ROLE_ARN"} & seen["environ"].keys()
    assert "AKIAOFTHEOWNER" not in json.dumps(seen)
    own = {name.lower(): value for name, value in seen["environ"].items() if name in KEYS}
    caller = own_session().client("sts", "us-east-1", endpoint_url=environment.aws_endpoint, **own).get_caller_identity()
    assert re.search(r":assumed-role/[^/]+/asks$", caller["Arn"])


@pytest.mark.parametrize(
    "url",
    [
        "https://dynamodb.us-east-1.amazonaws.com/",
        "https://S3.amazonaws.com./b",
        "https://lambda.us-east-1.api.aws/",
        "http://169.254.169.254/latest/",
    ],
)
def test_names_of_aws_are_out_of_reach(environment: Environment, url: str) -> None:
    said = ask(environment, "asks", url=url)
    assert said.startswith("OutOfReach: ")
    assert "can't be reached from the local AWS environment" in said
    assert "LOCALAWS_NETWORK=open" in said


def test_the_library_that_asked_is_named_with_what_to_do(environment: Environment) -> None:
    old = ask(environment, "old", url="https://sqs.us-east-1.amazonaws.com/")
    assert "botocore 1.29.165 does not know AWS_ENDPOINT_URL. Bundle boto3 1.28 or newer" in old
    told = ask(environment, "asks", endpoint="https://sqs.us-east-1.amazonaws.com/")
    assert "was told another address. Leave endpoint_url" in told


def test_what_is_not_aws_is_reached(environment: Environment) -> None:
    assert ask(environment, "asks", url=f"{environment.aws_endpoint}/moto-api/") == "200"
    said = ask(environment, "asks", url="http://no-such-host.invalid/")
    assert said.startswith("URLError")


def test_children_of_a_function_are_kept_in_too(environment: Environment) -> None:
    assert "OutOfReach: s3.amazonaws.com" in ask(environment, "asks", command=[sys.executable, "-c", LOOK_UP])
    node = shutil.which("node")
    if node:
        assert "s3.us-east-1.amazonaws.com can't be reached" in ask(environment, "asks", command=[node, "-e", NODE_LOOK_UP])
        assert "169.254.169.254 can't be reached" in ask(environment, "asks", command=[node, "-e", NODE_CONNECT])
        assert ask(environment, "asks", command=[node, "-e", "console.log(40 + 2)"]) == "42\n"


def test_the_emulator_and_its_jobs_are_kept_in(environment: Environment) -> None:
    folder = Path(command_of(environment.pid).split("--data ")[1].split()[0])
    (emulator,) = [pid for pid in processes_in(folder) if is_emulator(pid)]
    kept = environment_of(emulator)
    assert "AKIAOFTHEOWNER" not in kept.values()
    assert "AWS_PROFILE" not in kept
    done = subprocess.run([sys.executable, "-c", LOOK_UP], env=kept, capture_output=True, text=True, check=False)
    assert "OutOfReach: s3.amazonaws.com" in done.stderr


JOB = """
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
assert spark.range(3).count() == 3
try: spark._jvm.java.net.InetAddress.getByName("s3.amazonaws.com")
except Exception as error: print("JVM:", "UnknownHostException" in str(error))
import socket
try: socket.getaddrinfo("s3.amazonaws.com", 443)
except Exception as error: print("Python:", type(error).__name__)
"""


def test_a_spark_job_is_kept_in_with_its_jvm(environment: Environment, tmp_path: Path) -> None:
    s3, printed = environment.client("s3"), []
    s3.create_bucket(Bucket="isolated-jobs")
    s3.put_object(Bucket="isolated-jobs", Key="job.py", Body=JOB.encode())
    folder = tmp_path / "a run"
    folder.mkdir()
    job = Job("job", "run", "s3://isolated-jobs/job.py", {}, 300)
    ended = Run(
        job,
        lambda: Assumed(s3, environment.environ),
        folder,
        lambda stream, text: printed.append(text) if stream == "output" else None,
    ).execute()
    assert ended == Ended("SUCCEEDED")
    assert "JVM: True" in "".join(printed)
    assert "Python: OutOfReach" in "".join(printed)


def test_the_operator_may_let_everything_through() -> None:
    code = f"from localaws import isolation; isolation.keep_in(); print(isolation.environ({{'HOME': '/h'}}))\n{LOOK_UP}"
    environ = {**os.environ, "LOCALAWS_NETWORK": "open"}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)
    assert "OutOfReach" not in done.stderr
    assert "NODE_OPTIONS" not in done.stdout


def test_the_machine_s_own_sitecustomize_has_its_turn(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import builtins; builtins.own = 'had its turn'")
    environ = {**os.environ, "PYTHONPATH": isolation.python_path(str(tmp_path))}
    done = subprocess.run([sys.executable, "-c", "print(own)"], env=environ, capture_output=True, text=True, check=False)
    assert done.stdout == "had its turn\n", done.stderr

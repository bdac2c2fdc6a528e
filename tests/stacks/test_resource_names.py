"""Resources keep their logical ids, types and names: CloudFormation deletes and makes anew what has another one, with all it holds.

python -m tests.stacks.test_resource_names      writes resource_names.json anew, after a change that is meant
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest

from reco.local.synth import synthesize

KEPT = Path(__file__).with_name("resource_names.json")
CONFIGS = ("movielens", "shop")
#: What holds data, or a name or an address that others keep.
STATEFUL = {
    "AWS::ApiGateway::ApiKey",
    "AWS::ApiGateway::RestApi",
    "AWS::DynamoDB::Table",
    "AWS::KMS::Key",
    "AWS::Kinesis::Stream",
    "AWS::KinesisFirehose::DeliveryStream",
    "AWS::S3::Bucket",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
    "AWS::SSM::Parameter",
}


def named(config: str) -> dict[str, dict[str, str]]:
    """By stack and logical id: the type, and the physical name where the template gives one."""
    with tempfile.TemporaryDirectory() as folder:
        assembly = synthesize(Path("config") / f"{config}.yaml", Path(folder) / "out", validate=False)
        files = sorted(assembly.glob("*.template.json"))
        templates = {file.name.removesuffix(".template.json"): json.loads(file.read_text()) for file in files}
    return {
        stack: {_logical_id(name, resource): _identity(resource) for name, resource in template["Resources"].items()}
        for stack, template in templates.items()
    }


def _logical_id(name: str, resource: dict[str, Any]) -> str:
    """A deployment of an API is named for the hash of the API, and made anew with each change of it."""
    return re.sub("[0-9a-f]{32}$", "", name) if resource["Type"] == "AWS::ApiGateway::Deployment" else name


def _identity(resource: dict[str, Any]) -> str:
    kind, properties = resource["Type"], resource.get("Properties", {})
    name = properties.get("Name", properties.get(kind.split("::")[-1] + "Name", ""))
    return f"{kind} {name if isinstance(name, str) else json.dumps(name)}".strip()


@pytest.mark.parametrize("config", CONFIGS)
def test_resources_keep_their_ids_types_and_names(config: str) -> None:
    kept, now = json.loads(KEPT.read_text())[config], named(config)
    assert set(now) == set(kept)
    for stack, resources in kept.items():
        gone = {name: what for name, what in resources.items() if now[stack].get(name) != what}
        lost = {name: what for name, what in gone.items() if what.split()[0] in STATEFUL}
        assert not lost, f"the next deployment of {stack} deletes them, and what they hold"
        assert not gone, f"the next deployment of {stack} replaces them"
        new = set(now[stack]) - set(resources)
        assert not new, f"new in {stack}; where that is meant: `python -m tests.stacks.test_resource_names`"


if __name__ == "__main__":
    KEPT.write_text(json.dumps({config: named(config) for config in CONFIGS}, indent=1, sort_keys=True) + "\n")

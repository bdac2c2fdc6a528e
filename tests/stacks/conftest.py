"""The synthesized templates of the shipped configs, made once for each worker, with no credentials in sight."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from reco.local.synth import ENVIRONMENT, ROOT, synthesize

Templates = dict[str, dict[str, Any]]
KEY = "arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012"
PROD = {
    "alarms": {"email": "ops@shop.test", "monthly_budget_usd": 500},
    "kms_key": KEY,
    "protection": {"keep": "everything", "log_days": 365},
    "serving": {"snap_start": True},
    "solutions": {"for-you": {"approval": {}}},
}


def resources(templates: Templates, kind: str, beginning: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """The resources of a type with their logical ids, which begin so."""
    for template in templates.values():
        for name, resource in template["Resources"].items():
            if resource["Type"] == kind and name.startswith(beginning):
                yield name, resource


def all_of(templates: Templates, stack: str, kind: str) -> list[dict[str, Any]]:
    """The properties of a stack's resources of a type."""
    return [resource["Properties"] for _, resource in resources({stack: templates[stack]}, kind)]


def statements(templates: Templates, beginning: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of a role's own policy, with the policy's logical id, which begins so."""
    for name, policy in resources(templates, "AWS::IAM::Policy", beginning):
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            yield name, statement


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cloud assembly of the demo, synthesized without AWS credentials."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("AWS_")}
    try:
        return synthesize(Path("config/movielens.yaml"), tmp_path_factory.mktemp("cdk") / "out")
    finally:
        os.environ.update(kept)


@pytest.fixture(scope="session")
def templates(assembly: Path) -> Templates:
    """Each stack's template by its capability."""
    return {
        path.name.removeprefix("recostack-movielens-").removesuffix(".template.json"): json.loads(path.read_text())
        for path in assembly.glob("*.template.json")
    }


@pytest.fixture(scope="session")
def prod(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The assembly of the shop in an environment that keeps everything, has a budget and asks before a version goes live."""
    folder = tmp_path_factory.mktemp("prod")
    (folder / "schemas").symlink_to(ROOT / "config" / "schemas")
    raw = yaml.safe_load((ROOT / "config" / "shop.yaml").read_text())
    (folder / "shop.yaml").write_text(yaml.safe_dump(raw | {"environments": {"prod": PROD}}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ENVIRONMENT, "prod")
        return synthesize(folder / "shop.yaml", folder / "out")


@pytest.fixture(scope="session")
def templates_of_prod(prod: Path) -> Templates:
    return {
        file.name.split(".")[0].removeprefix("recostack-shop-prod-"): json.loads(file.read_text())
        for file in prod.glob("*.template.json")
    }

"""The workflows and the roles they assume: what they call is there, and nobody else may assume them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


class Template(yaml.SafeLoader):
    """Reads CloudFormation's short functions as {tag: value}."""


def short(loader: Template, tag: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {tag: loader.construct_scalar(node)}
    return {tag: loader.construct_sequence(node, deep=True)}  # type: ignore[arg-type]


Template.add_multi_constructor("!", short)


def test_the_workflows_call_targets_that_the_makefile_has() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called: set[str] = set()
    for workflow in (ROOT / ".github" / "workflows").glob("*.yml"):
        jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
        commands = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
        called |= {target for command in commands for target in re.findall(r"\bmake (\w+)", command)}
    assert called == {"lint", "test", "audit", "diff", "deploy"}
    assert called <= targets


def test_only_jobs_of_the_repository_may_assume_the_roles() -> None:
    template = yaml.load((ROOT / ".github" / "deploy-roles.yaml").read_text(), Template)  # noqa: S506  a SafeLoader
    roles = {n: r["Properties"] for n, r in template["Resources"].items() if r["Type"] == "AWS::IAM::Role"}
    assert set(roles) == {"DiffRole", "DeployRole"}
    for name, role in roles.items():
        [trust] = role["AssumeRolePolicyDocument"]["Statement"]
        condition = trust["Condition"].pop("StringEquals")
        assert trust["Condition"] == {}, "StringLike would let in more than is named"
        assert condition["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
        for subject in condition["token.actions.githubusercontent.com:sub"]:
            text = subject["Sub"] if isinstance(subject["Sub"], str) else subject["Sub"][0]
            assert text.startswith("repo:${Repository}:")
            assert "*" not in text
            assert (":environment:" in text) is (name == "DeployRole")
        for statement in (s for policy in role["Policies"] for s in policy["PolicyDocument"]["Statement"]):
            assert statement["Action"] == "sts:AssumeRole"
            allowed = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
            assert all("role/cdk-${Qualifier}-" in resource["Sub"] and "*" not in resource["Sub"] for resource in allowed)
            assert name == "DeployRole" or all("lookup-role" in resource["Sub"] for resource in allowed)

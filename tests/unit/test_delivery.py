"""The workflows and the roles they assume: what they call is there, and nobody else may assume them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


class Template(yaml.SafeLoader):
    """Reads CloudFormation's short functions as {tag: value}."""


def short(loader: Template, tag: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {tag: loader.construct_scalar(node)}
    return {tag: loader.construct_sequence(node, deep=True)}  # type: ignore[arg-type]


Template.add_multi_constructor("!", short)


WORKFLOWS = [yaml.safe_load(path.read_text()) for path in (ROOT / ".github" / "workflows").glob("*.yml")]
JOBS = [job for workflow in WORKFLOWS for job in workflow["jobs"].values()]
STEPS = [step for job in JOBS for step in job["steps"]]


def test_the_workflows_call_targets_that_the_makefile_has() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = {target for step in STEPS if "run" in step for target in re.findall(r"\bmake (\w+)", step["run"])}
    assert called == {"lint", "test", "audit", "diff", "deploy"}
    assert called <= targets


def test_a_job_has_the_permissions_that_it_uses() -> None:
    assert [workflow["permissions"] for workflow in WORKFLOWS] == [{}, {}]
    for job in JOBS:
        assumes = any("configure-aws-credentials" in step.get("uses", "") for step in job["steps"])
        assert job["permissions"] == {"contents": "read"} | ({"id-token": "write"} if assumes else {})


def test_the_actions_are_pinned_by_commit_and_keep_no_token() -> None:
    for step in STEPS:
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"])
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"] == {"persist-credentials": False}


def test_no_command_of_a_workflow_is_made_of_values() -> None:
    assert not [step["run"] for step in STEPS if "${{" in step.get("run", "")]


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_what_is_in_config_is_run_by_neither_make_nor_the_shell(how: str, tmp_path: Path) -> None:
    """The real Makefile with an `npx` that writes its arguments down."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    ran, said = tmp_path / "ran", tmp_path / "said"
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "install.py").touch()
    npx = tmp_path / "bin" / "npx"
    npx.parent.mkdir()
    npx.write_text(f'#!/bin/sh\nfor argument; do echo "$argument" >> {said}; done\n')
    npx.chmod(0o755)
    hostile = f"$(shell touch {ran}) `touch {ran}` $$(touch {ran}) a\"; touch {ran}; '"
    values = {"CONFIG": hostile, "ENV": hostile, "REGION": hostile}
    environment = {**os.environ, "PATH": f"{npx.parent}:{os.environ['PATH']}", **(values if how == "environment" else {})}
    arguments = [f"{name}={value}" for name, value in values.items()] if how == "argument" else []
    subprocess.run(["make", "diff", f"PYTHON={sys.executable}", *arguments], cwd=tmp_path, env=environment, check=True)
    assert not ran.exists()
    context = [line.removeprefix("-c ") for line in said.read_text().splitlines() if "=" in line]
    assert context == [f"config={hostile}", f"env={hostile}", f"region={hostile}"]


def test_only_jobs_of_the_repository_may_assume_the_roles() -> None:
    template = yaml.load((ROOT / ".github" / "deploy-roles.yaml").read_text(), Template)  # noqa: S506  a SafeLoader
    roles = {n: r["Properties"] for n, r in template["Resources"].items() if r["Type"] == "AWS::IAM::Role"}
    assert set(roles) == {"DiffRole", "DeployRole"}
    for name, role in roles.items():
        [trust] = role["AssumeRolePolicyDocument"]["Statement"]
        condition = trust["Condition"]["StringEquals"]
        assert set(trust["Condition"]) == {"StringEquals"}, "StringLike would let in more than is named"
        assert condition["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
        for subject in condition["token.actions.githubusercontent.com:sub"]:
            text = subject["Sub"]
            wanted = "repo:${Repository}:environment:${Environment}"
            assert text == (wanted if name == "DeployRole" else f"{wanted}-diff")
        for statement in (s for policy in role["Policies"] for s in policy["PolicyDocument"]["Statement"]):
            assert statement["Action"] == "sts:AssumeRole"
            allowed = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
            assert all("role/cdk-${Qualifier}-" in resource["Sub"] and "*" not in resource["Sub"] for resource in allowed)
            assert name == "DeployRole" or all("lookup-role" in resource["Sub"] for resource in allowed)
    assert len(subjects(roles["DeployRole"])) == 1, "a role for each environment: an unprotected one must not deploy the other"


ASSUMING = [job for job in JOBS if any("role-to-assume" in step.get("with", {}) for step in job["steps"])]


def variables(value: Any) -> set[str]:
    """Those of GitHub that a job, or a part of it, reads."""
    return set(re.findall(r"\bvars\.(\w+)", yaml.dump(value, width=10_000)))


def test_a_job_with_a_role_acts_in_an_environment_of_its_own() -> None:
    """Without one a job reads the repository's variables: the diff of prod would be that of another account or bootstrap."""
    assert len(ASSUMING) == 3
    for job in ASSUMING:
        deploys = job["environment"] == "${{ inputs.environment }}"
        assert deploys or job["environment"] in ("${{ inputs.environment }}-diff", "${{ vars.RECOSTACK_ENV }}-diff")
        roles = {step["with"]["role-to-assume"] for step in job["steps"] if "role-to-assume" in step.get("with", {})}
        assert roles == {"${{ vars.AWS_DEPLOY_ROLE }}" if deploys else "${{ vars.AWS_DIFF_ROLE }}"}
        [made] = [step for step in job["steps"] if re.match(r"make (diff|deploy)", step.get("run", ""))]
        assert set(made["env"]) == {"ENVIRONMENT", "CONFIG", "QUALIFIER"}
        assert 'ENV="$ENVIRONMENT" CONFIG="$CONFIG"' in made["run"]


def test_a_deployment_goes_where_its_diff_was_made() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "deploy.yml").read_text())
    shown, deployed = workflow["jobs"]["diff"], workflow["jobs"]["deploy"]
    assert shown["outputs"] == {"region": "${{ vars.AWS_REGION }}", "qualifier": "${{ vars.CDK_QUALIFIER }}"}
    assert deployed["needs"] == ["diff"]
    assert variables(deployed) == {"AWS_DEPLOY_ROLE"}
    assert {"region", "qualifier"} == set(re.findall(r"needs\.diff\.outputs\.(\w+)", str(deployed)))


def test_the_page_says_of_which_level_each_variable_is() -> None:
    """A job sees those of its environment in its steps and outputs; what decides about the job is read before it has one."""
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|", (ROOT / "docs" / "deploying.md").read_text(), re.MULTILINE)
    levels = {name: level for name, level in rows if level == "the repository" or level.startswith("the environment")}
    read = set[tuple[str, str]]()
    for job in JOBS:
        own = "the environment `prod-diff`" if str(job.get("environment")).endswith("-diff") else "the environment `prod`"
        before = variables({key: job.get(key) for key in ("if", "environment")})
        for name in before | variables(job):
            read.add((name, "the repository" if name in before or name.startswith("RECOSTACK_") else own))
    assert read == set(levels.items())


def subjects(role: dict[str, Any]) -> list[Any]:
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    found: list[Any] = trust["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"]
    return found


@pytest.mark.parametrize(
    ("repository", "taken"),
    [
        ("octocat/my-repo", True),
        ("octocat@123456/my-repo@456789", True),  # the subject of a repository that was made since July 2026
        ("octocat/*", False),
        ("octocat@/my-repo", False),
        ("octocat/my-repo:environment:x", False),
    ],
)
def test_the_repository_is_named_as_its_tokens_name_it(repository: str, taken: bool) -> None:
    template = yaml.load((ROOT / ".github" / "deploy-roles.yaml").read_text(), Template)  # noqa: S506  a SafeLoader
    assert bool(re.fullmatch(template["Parameters"]["Repository"]["AllowedPattern"], repository)) is taken

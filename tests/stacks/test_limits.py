"""What the synth refuses because a service would, and the switches for what AWS's documentation leaves open."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import aws_cdk as cdk
import pytest
import yaml
from aws_cdk.assertions import Template

from lambdas.config import Config, Protection
from lambdas.config.file import load_config
from reco.local.synth import ROOT, node_path
from stacks.alarms import days_between_runs
from stacks.names import LongName, require_bucket_name
from stacks.personalize_role import list_below
from stacks.storage import StorageStack


@pytest.fixture
def shop() -> Config:
    return load_config(ROOT / "config" / "shop.yaml")


@pytest.mark.parametrize(("region", "longest"), [("ap-northeast-1", 20), ("us-east-1", 25), ("eu-central-1", 22), (None, 99)])
def test_a_data_bucket_whose_name_s3_refuses_ends_the_synth(shop: Config, region: str | None, longest: int) -> None:
    """docs: AmazonS3/latest/userguide/bucketnamingrules.html"""
    for letters in (longest - 1, longest, longest + 1):
        config = shop.model_copy(update={"name": "s" * letters})
        if letters <= longest or region is None:
            require_bucket_name(config, region)
        else:
            with pytest.raises(LongName, match=f"64 characters in {region}.* at most {longest} characters"):
                require_bucket_name(config, region)


def test_the_app_says_so_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "schemas").symlink_to(ROOT / "config" / "schemas")
    raw = yaml.safe_load((ROOT / "config" / "shop.yaml").read_text())
    (tmp_path / "long.yaml").write_text(yaml.safe_dump(raw | {"name": "a-shop-of-twenty-four-ch", "environments": {}}))
    context = json.dumps({"config": str(tmp_path / "long.yaml")})
    environ = os.environ | {"CDK_DEFAULT_REGION": "ap-northeast-1", "CDK_CONTEXT_JSON": context, "PATH": node_path()}
    done = subprocess.run([sys.executable, "app.py"], cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "67 characters in ap-northeast-1" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_personalize_may_reach_can_be_relaxed_to_what_its_documentation_asks_for(shop: Config) -> None:
    """docs: personalize/latest/dg/granting-personalize-s3-access.html has no condition."""
    relaxed = shop.model_copy(update={"protection": Protection(personalize_conditions=False)})
    for config, conditions in ((shop, True), (relaxed, False)):
        policies = Template.from_stack(StorageStack(cdk.App(), "storage", config)).find_resources("AWS::S3::BucketPolicy")
        found = [s for policy in policies.values() for s in policy["Properties"]["PolicyDocument"]["Statement"]]
        theirs = [s for s in found if s.get("Principal") == {"Service": "personalize.amazonaws.com"}]
        assert len(theirs) == 2
        assert all(("Condition" in statement) is conditions for statement in theirs)
        assert bool(list_below(config, "arn:aws:s3:::data", "datasets/").conditions) is conditions


@pytest.mark.parametrize(
    ("schedule", "days"),
    [
        ("cron(30 1 * * ? *)", 1),
        ("cron(0 3 ? * SUN *)", 7),
        ("cron(0 3 ? * MON-FRI *)", 7),
        ("cron(0 3 ? * * *)", 1),
        ("cron(0 3 1 * ? *)", None),
        ("cron(0 3 ? * SUN#1 *)", None),
        ("cron(0 3 * 6 ? *)", None),
        ("rate(1 day)", 1),
        ("rate(90 minutes)", 1),
        ("rate(36 hours)", 2),
        ("rate(7 days)", 7),
        ("rate(8 days)", None),
    ],
)
def test_how_long_a_schedule_may_be_silent(schedule: str, days: int | None) -> None:
    assert days_between_runs(schedule) == days

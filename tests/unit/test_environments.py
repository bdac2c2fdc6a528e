"""Environments of a config: what is laid over what, under which name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto import mock_aws

from lambdas.config import ConfigError
from lambdas.config.file import load_config
from reco.deployment.destroy import Destruction
from reco.target import Target

SHOP = Path(__file__).parents[2] / "config" / "shop.yaml"


@pytest.fixture
def write(tmp_path: Path) -> Any:
    """Writes the shop's config with other environments beside its schemas; gives the file."""
    (tmp_path / "schemas").symlink_to(SHOP.parent / "schemas")

    def written(environments: Any, **changed: Any) -> Path:
        file = tmp_path / "shop.yaml"
        file.write_text(yaml.safe_dump(yaml.safe_load(SHOP.read_text()) | {"environments": environments} | changed))
        return file

    return written


def test_without_an_environment_all_is_as_the_file_says() -> None:
    config = load_config(SHOP)
    assert (config.name, config.protection.keep, config.protection.log_days) == ("shop", "buckets", 90)
    assert config.schedules.train == "cron(0 3 ? * SUN *)"


def test_an_environment_has_its_name_and_its_differences() -> None:
    dev, prod = load_config(SHOP, "dev"), load_config(SHOP, "prod")
    assert (dev.name, dev.protection.keep, dev.schedules.train) == ("shop-dev", "nothing", None)
    assert (prod.name, prod.protection.keep, prod.schedules.train) == ("shop-prod", "everything", "cron(0 3 ? * SUN *)")
    assert prod.solutions == dev.solutions


def test_mappings_are_merged_all_else_is_replaced_and_null_takes_away(write: Any) -> None:
    changes = {
        "solutions": {"for-you": {"campaign": {"min_provisioned_tps": 5}, "gate": None}},
        "placements": {"home": {"rules": ["sold_out"]}},
        "kms_key": None,
    }
    config, base = load_config(write({"prod": changes}), "prod"), load_config(SHOP)
    for_you = config.solutions["for-you"]
    assert for_you.campaign is not None
    assert for_you.campaign.min_provisioned_tps == 5
    assert for_you.gate is None
    assert for_you.event_weights == base.solutions["for-you"].event_weights
    assert config.placements["home"].rules == ["sold_out"]
    assert config.placements["search"] == base.placements["search"]


def test_an_environment_may_have_a_name_of_its_own(write: Any) -> None:
    assert load_config(write({"prod": {"name": "flagship"}}), "prod").name == "flagship"


@pytest.mark.parametrize(
    ("environments", "name", "problem"),
    [
        ({"prod": {}}, "shop", "environments: there is no environment 'prd', did you mean 'prod'?"),
        ({}, "shop", "environments: there is no environment 'prd': the config names none"),
        (
            {"prd": None},
            "a-shop-of-many-letters",
            "environments.prd.name: 'a-shop-of-many-letters-prd' is longer than 24 characters",
        ),
        ({"prd": {"placement": {}}}, "shop", "environments.prd.placement: there is no such setting"),
        (["prd"], "shop", "environments: must map"),
    ],
)
def test_an_environment_that_is_wrong_is_refused(write: Any, environments: Any, name: str, problem: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(write(environments, name=name), "prd")
    assert error.value.problems[0].startswith(problem)


def test_the_check_of_a_config_checks_its_environments(write: Any) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(write({"prod": {"solutions": {"for-you": {"recipe": "aws-foo"}}}}))
    assert error.value.problems[0].startswith("environments.prod.solutions.for-you.recipe: unknown recipe 'aws-foo'")


@pytest.mark.parametrize("name", [None, "dev", "prod"])
def test_a_mistake_outside_the_environments_is_named_where_it_stands(write: Any, name: str | None) -> None:
    """Once, and not as `environments.dev.serving.…`, although every environment has it."""
    environments = {"dev": {"schedules": None}, "prod": {"solutions": {"for-you": {"gate": None}}}}
    file = write(environments, colour="red", serving={"time_budget_ms": "long"})
    with pytest.raises(ConfigError) as error:
        load_config(file, name)
    paths = sorted(problem.partition(":")[0] for problem in error.value.problems)
    assert paths == ["colour", "serving.time_budget_ms"]


def test_a_budget_needs_somebody_to_hear_of_it(write: Any) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(write({"prod": {"alarms": {"monthly_budget_usd": 100}}}), "prod")
    assert error.value.problems == ["environments.prod.alarms.monthly_budget_usd: give alarms.email too, or nobody hears of it"]


@mock_aws
def test_a_bucket_of_an_environment_that_keeps_nothing_is_emptied_of_all_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="dev")
    s3.put_bucket_versioning(Bucket="dev", VersioningConfiguration={"Status": "Enabled"})
    for key in ("a", "a", "b"):
        s3.put_object(Bucket="dev", Key=key, Body=b"x")
    s3.delete_object(Bucket="dev", Key="b")
    said: list[str] = []
    Destruction(Target("shop-dev", None), load_config(SHOP, "dev"), tell=said.append).empty_bucket("dev")
    s3.delete_bucket(Bucket="dev")
    assert said == ["emptied the bucket dev"]

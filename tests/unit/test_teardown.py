"""Deleting one deployment of two in Amazon Personalize: the order, what is on its way, and that nothing else is touched."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from lambdas.config import Config
from lambdas.config.tags import deployment_tags
from reco.deployment.teardown import ORDER, Owner, Teardown
from reco.errors import RecoError
from tests.harness.waiting import eventually
from tests.unit.conftest import Deployment

PREFIX = "arn:aws:personalize:us-east-1:123456789012"
ROLE = "arn:aws:iam::123456789012:role/personalize"


@dataclass
class Made:
    """A deployment in Personalize as a train run leaves it."""

    config: Config
    personalize: Any

    def make(self, bucket: str) -> None:
        name, tags = self.config.name, deployment_tags(self.config)
        group = self.personalize.create_dataset_group(name=name, tags=tags)["datasetGroupArn"]
        self.until("dataset_group", datasetGroupArn=group)
        for kind, dataset in self.config.datasets.present().items():
            schema = self.personalize.create_schema(name=f"{name}_{kind}-0a1b2c3d", schema=dataset.avro.text)["schemaArn"]
            made = self.personalize.create_dataset(
                name=f"{name}-{kind}", schemaArn=schema, datasetGroupArn=group, datasetType=kind, tags=tags
            )
            self.until("dataset", datasetArn=made["datasetArn"])
            job = self.personalize.create_dataset_import_job(
                jobName=f"{name}-{kind}",
                datasetArn=made["datasetArn"],
                dataSource={"dataLocation": f"s3://{bucket}/datasets/{kind}/"},
                roleArn=ROLE,
                tags=tags,
            )
            self.until("dataset_import_job", datasetImportJobArn=job["datasetImportJobArn"])
        self.personalize.create_event_tracker(name=name, datasetGroupArn=group, tags=tags)
        self.personalize.create_filter(
            name=f"{name}-stock", datasetGroupArn=group, filterExpression="INCLUDE ItemID WHERE Items.STOCK > 0", tags=tags
        )
        self.personalize.create_metric_attribution(
            name=f"{name}-attribution",
            datasetGroupArn=group,
            metrics=[{"eventType": "buy", "metricName": "buys", "expression": "SAMPLECOUNT()"}],
            metricsOutputConfig={"roleArn": ROLE},
        )
        self.train(group, tags)

    def train(self, group: str, tags: Any) -> None:
        name = self.config.name
        recipe = "arn:aws:personalize:::recipe/aws-popularity-count"
        solution = self.personalize.create_solution(
            name=f"{name}-popular", datasetGroupArn=group, recipeArn=recipe, performAutoTraining=False, tags=tags
        )["solutionArn"]
        self.until("solution", solutionArn=solution)
        version = self.personalize.create_solution_version(solutionArn=solution, tags=tags)["solutionVersionArn"]
        self.until("solution_version", solutionVersionArn=version)
        campaign = self.personalize.create_campaign(name=f"{name}-popular", solutionVersionArn=version, tags=tags)
        self.until("campaign", campaignArn=campaign["campaignArn"])

    def until(self, kind: str, **arn: str) -> None:
        """Wait until the resource is ACTIVE."""

        def active() -> bool:
            described = getattr(self.personalize, f"describe_{kind}")(**arn)
            (resource,) = (value for key, value in described.items() if key != "ResponseMetadata")
            assert "FAILED" not in resource["status"], resource
            return bool(resource["status"] == "ACTIVE")

        eventually(active)


@pytest.fixture
def two(shop: Deployment) -> tuple[Made, Made]:
    """Two deployments; the name of the second begins with the name of the first, and so do the names of all it has."""
    shop.put_all_csvs()
    made = []
    for name in (shop.config.name, f"{shop.config.name}-two"):
        made.append(Made(shop.config.model_copy(update={"name": name, "tags": {"team": "shop"}}), boto3.client("personalize")))
        made[-1].make(shop.bucket)
    return made[0], made[1]


@pytest.fixture
def slow_training(personalize_endpoint: str) -> Iterator[Any]:
    """A client for trainings that are still going on when the test looks: they take half a minute."""

    def set_duration(seconds: float) -> None:
        body = json.dumps({"durations": {"solution-version": [0, seconds]}}).encode()
        urllib.request.urlopen(
            urllib.request.Request(f"{personalize_endpoint}/_emulator", body, method="PUT"), timeout=300
        ).close()

    set_duration(60_000)
    yield boto3.client("personalize")
    set_duration(280)


def test_one_deployment_goes_and_the_other_stays_as_it_is(two: tuple[Made, Made], slow_training: Any) -> None:
    gone, stays = two
    teardown, told = Teardown(gone.personalize, pause=0.02), list[str]()
    before = teardown.find(Owner.deployment(stays.config))
    assert set(before) == set(ORDER) - {"recommender"}
    for made in two:
        solution = f"{PREFIX}:solution/{made.config.name}-popular"
        slow_training.create_solution_version(solutionArn=solution, tags=deployment_tags(made.config))
    removed = Teardown(gone.personalize, told.append, pause=0.02).remove(Owner.deployment(gone.config))
    assert len(removed) == 12
    assert any(said.startswith(f"stopped the training of solution/{gone.config.name}-popular/") for said in told)
    assert Teardown(gone.personalize).find(Owner.deployment(gone.config)) == {}
    assert Teardown(gone.personalize).find(Owner.deployment(stays.config)) == before
    assert not [arn for arn in removed if f"{stays.config.name}" in arn]
    stays.until("campaign", campaignArn=f"{PREFIX}:campaign/{stays.config.name}-popular")
    assert teardown.remove(Owner.deployment(gone.config)) == []


def test_what_does_not_carry_the_tag_is_named_before_anything_is_deleted(shop: Deployment) -> None:
    personalize, owner = boto3.client("personalize"), Owner.deployment(shop.config)
    made = Made(shop.config, personalize)
    group = personalize.create_dataset_group(name=shop.config.name, tags=deployment_tags(shop.config))["datasetGroupArn"]
    made.until("dataset_group", datasetGroupArn=group)
    personalize.create_event_tracker(name=f"{shop.config.name}-by-hand", datasetGroupArn=group)
    teardown = Teardown(personalize)
    with pytest.raises(RecoError, match=rf"deleted: event-tracker/.*tag them with recostack:deployment={shop.config.name};"):
        teardown.refuse_strangers(owner, teardown.find(owner))

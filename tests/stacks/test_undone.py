"""Mends for AWS that are undone in the templates go red in a run here: the local AWS environment refuses, or does, what AWS would."""

from __future__ import annotations

import copy
import gzip
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from localaws.environment import Environment, launch
from reco.target import Target
from tests.harness.waiting import eventually
from tests.stacks import test_as_aws as undone
from tests.stacks.conftest import Templates, statements

GROUP = "undone"
ROWS = "".join(f"u{n % 40},i{n % 60},{1_700_000_000 + n},view,1.0,web\n" for n in range(1200))
CSV = "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE,DEVICE\n" + ROWS


@dataclass
class Shop:
    """The shop of prod, up, with its templates as they are deployed at the moment."""

    environment: Environment
    templates: Templates

    @property
    def target(self) -> Target:
        return Target("shop-prod", self.environment)

    @property
    def bucket(self) -> str:
        return self.target.output("storage", "DataBucket")

    def client(self, service: str) -> Any:
        return self.environment.client(service)

    def change(self, templates: Templates) -> None:
        """Update the stacks whose template is another one, but for policies of deletion: these alone are no update."""
        for capability, template in templates.items():
            if template != self.templates[capability]:
                names = {"StackName": f"recostack-shop-prod-{capability}", "Capabilities": ["CAPABILITY_NAMED_IAM"]}
                try:
                    self.client("cloudformation").update_stack(TemplateBody=_deployed_anew(template), **names)
                except ClientError as error:
                    if "No updates are to be performed" not in str(error):
                        raise
        self.templates = templates

    def role(self, capability: str, beginning: str) -> str:
        resources = self.client("cloudformation").get_paginator("list_stack_resources")
        for page in resources.paginate(StackName=f"recostack-shop-prod-{capability}"):
            for one in page["StackResourceSummaries"]:
                if one["ResourceType"] == "AWS::IAM::Role" and one["LogicalResourceId"].startswith(beginning):
                    return str(self.client("iam").get_role(RoleName=one["PhysicalResourceId"])["Role"]["Arn"])
        raise AssertionError(f"{capability} has no role {beginning}")

    def call(self, url: str, method: str, key: str, body: Any = None, **headers: str) -> int:
        data = None if body is None else json.dumps(body).encode()
        given = {"x-api-key": key, "Content-Type": "application/json", **headers}
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data, given, method=method), timeout=300) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def ended(self, describe: Callable[[], dict[str, Any]], statuses: tuple[str, ...]) -> dict[str, Any]:
        """What a job says once it has ended."""
        eventually(lambda: describe()["status"] in statuses)
        return describe()


def _deployed_anew(template: dict[str, Any]) -> str:
    """The template with deployments of other names: a stage serves what was deployed, whatever the methods are now."""
    text, of = json.dumps(template), time.time_ns()
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::ApiGateway::Deployment":
            text = text.replace(f'"{name}"', f'"{name}N{of}"')
    return text


@pytest.fixture(scope="module")
def shop(prod: Path, templates_of_prod: Templates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("undone")
    with launch(prod, folder, port=0, api_port=0, personalize_port=0, speed=2000) as environment:
        made = Shop(environment, templates_of_prod)
        s3, personalize = made.client("s3"), made.client("personalize")
        line = {"kind": "event", "received_at": 1_700_000_000_000, "id": "a", "body": {"event_type": "view", "user_id": "u"}}
        archived = gzip.compress(json.dumps(line).encode() + b"\n")
        s3.put_object(Bucket=made.bucket, Key="events/year=2026/month=11/day=01/hour=01/a.gz", Body=archived)
        for key in ("datasets/interactions/a.csv", "snapshots/a/a.csv"):
            s3.put_object(Bucket=made.bucket, Key=key, Body=CSV.encode())
        lists = made.target.output("ingestion", "ErasureBucket")
        s3.put_object(Bucket=lists, Key="deletions/a.csv", Body=b"USER_ID\nu1\n")
        group = personalize.create_dataset_group(name=GROUP)["datasetGroupArn"]
        describe = personalize.describe_dataset_group
        made.ended(lambda: describe(datasetGroupArn=group)["datasetGroup"], ("ACTIVE",))
        schema = Path("config/schemas/shop/interactions.json").read_text()
        arn = personalize.create_schema(name=GROUP, schema=schema)["schemaArn"]
        dataset = personalize.create_dataset(name=GROUP, schemaArn=arn, datasetGroupArn=group, datasetType="Interactions")
        of = {"datasetArn": dataset["datasetArn"]}
        made.ended(lambda: personalize.describe_dataset(**of)["dataset"], ("ACTIVE",))
        yield made


def spark_runs(shop: Shop) -> None:
    """A Spark job reads the archive and writes its figures."""
    glue, name = shop.client("glue"), "shop-prod_retention"
    folders = {"--archive": f"s3://{shop.bucket}/events/", "--output": f"s3://{shop.bucket}/retention/"}
    run = glue.start_job_run(JobName=name, Arguments={**folders, "--now": "2026-11-30T00:00:00Z"})["JobRunId"]

    def described() -> dict[str, Any]:
        found = glue.get_job_run(JobName=name, RunId=run)["JobRun"]
        return {"status": found["JobRunState"], **found}

    ended = shop.ended(described, ("SUCCEEDED", "FAILED"))
    assert ended["status"] == "SUCCEEDED", ended.get("ErrorMessage")


def imports(shop: Shop, folder: str) -> None:
    """Amazon Personalize reads a folder of the bucket with the role of the train runs."""
    personalize = shop.client("personalize")
    (dataset,) = personalize.list_datasets()["datasets"]
    job = personalize.create_dataset_import_job(
        jobName=f"import-{time.time_ns()}",
        datasetArn=dataset["datasetArn"],
        dataSource={"dataLocation": f"s3://{shop.bucket}/{folder}"},
        roleArn=shop.role("training", "PersonalizeRole"),
    )["datasetImportJobArn"]
    describe = personalize.describe_dataset_import_job
    ended = shop.ended(lambda: describe(datasetImportJobArn=job)["datasetImportJob"], ("ACTIVE", "CREATE FAILED"))
    assert ended["status"] == "ACTIVE", ended["failureReason"]


def snapshots_are_read(shop: Shop) -> None:
    imports(shop, "snapshots/a/")


def datasets_are_read(shop: Shop) -> None:
    imports(shop, "datasets/interactions/")


def deletions_are_read(shop: Shop) -> None:
    personalize = shop.client("personalize")
    (group,) = personalize.list_dataset_groups()["datasetGroups"]
    job = personalize.create_data_deletion_job(
        jobName=f"delete-{time.time_ns()}",
        datasetGroupArn=group["datasetGroupArn"],
        dataSource={"dataLocation": f"s3://{shop.target.output('ingestion', 'ErasureBucket')}/deletions/a.csv"},
        roleArn=shop.role("ingestion", "DeletionRole"),
    )["dataDeletionJobArn"]
    describe = personalize.describe_data_deletion_job
    ended = shop.ended(lambda: describe(dataDeletionJobArn=job)["dataDeletionJob"], ("COMPLETED", "FAILED"))
    assert ended["status"] == "COMPLETED", ended["failureReason"]


def post(shop: Shop, session: str, **headers: str) -> int:
    body = {"events": [{"event_type": "view", "user_id": "u", "session_id": session, "item_id": "i"}]}
    return shop.call(f"{shop.target.api_url}/events", "POST", shop.target.api_key, body, **headers)


def events_are_taken(shop: Shop) -> None:
    assert post(shop, "taken") == 202


def two_requests_have_two_ids(shop: Shop) -> None:
    """Both posts carry the id that a caller chose."""
    session = f"session-{time.time_ns()}"
    assert [post(shop, session, **{"X-Amzn-RequestId": "chosen"}) for _ in range(2)] == [202, 202]
    kinesis, stream = shop.client("kinesis"), shop.target.output("ingestion", "EventStream")
    found = []
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        of = {"StreamName": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        records = kinesis.get_records(ShardIterator=kinesis.get_shard_iterator(**of)["ShardIterator"])["Records"]
        found += [json.loads(record["Data"]) for record in records]
    ids = [record["id"] for record in found if record["body"].get("session_id") == session]
    assert len(ids) == 2
    assert len(set(ids)) == 2, ids


def browsers_are_kept_out(shop: Shop) -> None:
    """The browsers' key opens nothing of the servers' API."""
    key_id = shop.target.output("api", "BrowserKeyId")
    key = shop.client("apigateway").get_api_key(apiKey=key_id, includeValue=True)["value"]
    assert shop.call(f"{shop.target.api_url}/users/u1", "DELETE", key) == 403


def servers_may_delete(shop: Shop) -> None:
    assert shop.call(f"{shop.target.api_url}/users/nobody", "DELETE", shop.target.api_key) == 202


def a_first_deployment_can_be_repeated(shop: Shop) -> None:
    """The stack of the data, under other names: it fails midway, then it is made."""
    template = json.loads(json.dumps(shop.templates["storage"]).replace("shop-prod", f"half{time.time_ns() % 10**6}"))
    template["Outputs"] = {}
    cloudformation, name = shop.client("cloudformation"), f"half-{time.time_ns()}"
    broken = copy.deepcopy(template)
    machine = {"RoleArn": "arn:aws:iam::123456789012:role/none", "DefinitionString": "{}"}
    everything = list(template["Resources"])
    broken["Resources"]["Broken"] = {"Type": "AWS::StepFunctions::StateMachine", "Properties": machine, "DependsOn": everything}
    with pytest.raises(ClientError):
        cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(broken))
    cloudformation.delete_stack(StackName=name)
    try:
        cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))
    except ClientError as error:
        raise AssertionError(f"the second attempt failed: {error}") from None


def the_page_of_approvals_may_not_publish(shop: Shop) -> None:
    """What the page's function would be told if it tried."""
    given = shop.client("sts").assume_role(RoleArn=shop.role("training", "FunctionsApprovalPage"), RoleSessionName="page")
    keys = given["Credentials"]
    own = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], "us-east-1")
    sns = own.client("sns", endpoint_url=shop.environment.aws_endpoint)
    topic = shop.target.output("training", "RunTopic")
    try:
        sns.publish(TopicArn=topic, Message="from the page")
    except ClientError as error:
        refused = error.response["Error"]["Code"]
    else:
        refused = ""
    assert refused == "AuthorizationError", "the page may publish"


def with_the_step_as_page(templates: Templates) -> None:
    """The page's role as it was when the step and the page were one function."""
    undone.with_the_step_as_page(templates)
    for _, statement in statements(templates, "FunctionsApprovalPageRole"):
        if "sns:Publish" in statement["Action"]:
            statement["Resource"] = "*"


Probe = Callable[[Shop], None]
UNDONE: list[tuple[Callable[[Templates], None], Probe]] = [
    (undone.without_bare_folders, spark_runs),
    (undone.without_markers, spark_runs),
    (undone.with_a_condition_that_needs_its_key, spark_runs),
    (undone.without_listing_snapshots, snapshots_are_read),
    (undone.without_content_type, events_are_taken),
    (undone.with_the_shops_key_on_deletions, deletions_are_read),
    (undone.without_describing_the_key, datasets_are_read),
    (undone.with_ids_of_callers, two_requests_have_two_ids),
    (undone.with_a_throttle_of_zero, servers_may_delete),
    (undone.with_browsers_at_the_servers_api, browsers_are_kept_out),
    (undone.with_plain_retain, a_first_deployment_can_be_repeated),
    (with_the_step_as_page, the_page_of_approvals_may_not_publish),
]
PROBES = list(dict.fromkeys(probe for _, probe in UNDONE))


def is_red(shop: Shop, probe: Probe) -> bool:
    try:
        probe(shop)
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.__name__)
def test_it_works_as_it_is(shop: Shop, probe: Probe) -> None:
    probe(shop)


@pytest.mark.parametrize(("undo", "probe"), UNDONE, ids=lambda given: given.__name__)
def test_a_mend_that_is_undone_goes_red(
    shop: Shop, templates_of_prod: Templates, undo: Callable[[Templates], None], probe: Probe
) -> None:
    changed = copy.deepcopy(templates_of_prod)
    undo(changed)
    shop.change(changed)
    try:
        eventually(lambda: is_red(shop, probe))  # usage plans are looked at every two seconds
    finally:
        shop.change(templates_of_prod)

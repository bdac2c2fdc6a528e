"""The train state machine as an operator meets it: deployed here, run on the Personalize emulator, through faults and changes."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from lambdas.stores import snapshots
from localaws.environment import Environment, launch
from reco.data import load
from reco.deployment import train
from reco.deployment.approvals import decide, waiting
from reco.deployment.rollback import rollback
from reco.deployment.train import Outcome
from reco.local.synth import synthesize
from reco.target import DATA, Target
from tests.e2e.conftest import CommandLine
from tests.harness.deployment import Api, patient_shop, until, write_config
from tests.harness.processes import children_of, command_of
from tests.harness.shop_csvs import HEADERS, rows, write
from tests.harness.waiting import eventually

NDCG = "normalized_discounted_cumulative_gain_at_25"
Change = Callable[[dict[str, Any]], None]


def base_config() -> dict[str, Any]:
    """The shop with two gates, of which one can't be passed, and no second category filter."""
    raw = patient_shop()
    raw["solutions"] = {
        "for-you": {"recipe": "aws-user-personalization-v2", "gate": {"may_fall_by": 0.2, "beats": "popular"}, "campaign": {}},
        "related": {"recipe": "aws-similar-items", "campaign": {}},
        "ranking": {"recipe": "aws-personalized-ranking-v2", "campaign": {}},
        "popular": {"recipe": "aws-popularity-count", "gate": {"beats": "for-you"}, "campaign": {}},
    }
    raw["filters"] = {"in_stock": raw["filters"]["in_stock"], "not_bought": raw["filters"]["not_bought"]}
    del raw["batch"]
    raw["placements"] = {
        "home": {"solution": "for-you", "filter": "in_stock", "fallback": ["popular"]},
        "all": {"solution": "for-you", "fallback": ["popular"], "num_results": 500},
        "item-page": {"solution": "related"},
        "search": {"solution": "ranking"},
    }
    raw["api"]["browser_placements"] = ["home"]
    return raw


class Site:
    """The shop, up on this machine."""

    def __init__(self, folder: Path, environment: Environment) -> None:
        self.folder, self.environment = folder, environment
        self.target = Target("shop", environment)
        self.raw = base_config()

    def deploy(self, change: Change | None = None) -> None:
        """Deploy the base config, changed."""
        raw = base_config()
        if change:
            change(raw)
        file = write_config(raw, self.folder)
        self.environment.deploy(synthesize(file, self.folder / "cdk.out", validate=False))

    def load(self, **changed: list[str]) -> None:
        load.upload(self.target, load.find_csvs(write(self.folder / "csv", **changed)))

    def run(self, *, retrain: bool = False, solutions: list[str] | None = None) -> Outcome:
        return train.follow(self.target, train.start(self.target, retrain=retrain, solutions=solutions), lambda state: None, 0.1)

    def reco(self, command: str, *arguments: str, code: int = 0) -> Any:
        """What a command of the operator says, in the folder of the environment."""
        return CommandLine(self.folder).json(command, *arguments, "--config", "shop.yaml", code=code)

    def faults(self, *faults: dict[str, Any]) -> None:
        self.emulator({"faults": list(faults)})

    def emulator(self, settings: dict[str, Any]) -> None:
        """Change settings of the Personalize emulator."""
        url, body = f"{self.environment.personalize_endpoint}/_emulator", json.dumps(settings).encode()
        urllib.request.urlopen(urllib.request.Request(url, body, method="PUT"), timeout=300).close()

    def counts(self) -> dict[str, int]:
        """How many import jobs, versions and campaigns there are."""
        imports = self.personalize.list_dataset_import_jobs(maxResults=100)["datasetImportJobs"]
        versions = self.personalize.list_solution_versions(maxResults=100)["solutionVersions"]
        campaigns = self.personalize.list_campaigns(maxResults=100)["campaigns"]
        return {"imports": len(imports), "versions": len(versions), "campaigns": len(campaigns)}

    def campaign(self, name: str) -> dict[str, Any]:
        arn = f"arn:aws:personalize:us-east-1:123456789012:campaign/shop_{name}"
        return dict(self.personalize.describe_campaign(campaignArn=arn)["campaign"])

    @cached_property
    def environment_pid(self) -> int:
        return int(json.loads((self.folder / DATA / "environment.json").read_text())["pid"])

    @cached_property
    def personalize(self) -> Any:
        return self.environment.client("personalize")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Deployed, loaded, and trained once."""
    folder = tmp_path_factory.mktemp("site")
    with launch(None, folder / DATA, port=0, api_port=0, personalize_port=0, speed=2000) as environment:
        made = Site(folder, environment)
        made.deploy()
        made.load()
        train.require_success(made.run())
        yield made


@pytest.fixture
def clean(site: Site) -> Iterator[Site]:
    """The site, brought back to the base config and data without faults after the test."""
    yield site
    site.faults()


def verdict(outcome: Outcome, name: str) -> dict[str, Any]:
    assert outcome.report is not None
    return next(dict(s["verdict"]) for s in outcome.report["solutions"] if s["name"] == name)


def test_the_first_run_deploys_what_the_config_says(site: Site) -> None:
    assert site.counts() == {"imports": 3, "versions": 4, "campaigns": 3}
    document = json.loads(site.environment.client("ssm").get_parameter(Name="/recostack/shop/deployment")["Parameter"]["Value"])
    assert set(document["campaigns"]) == {"for-you", "related", "ranking"}
    assert set(document["filters"]) == {"in_stock", "not_bought"}


def test_a_run_with_nothing_changed_makes_nothing(site: Site) -> None:
    before = site.counts()
    outcome = site.run()
    train.require_success(outcome)
    assert verdict(outcome, "for-you")["decision"] == "keep"
    assert site.counts() == before


def test_a_changed_csv_is_imported_alone_and_trained_on(site: Site) -> None:
    before = site.counts()
    site.load(users=[*rows()["users"], "u999,44,F,gold"])
    train.require_success(site.run(solutions=["related"]))
    after = site.counts()
    assert after["imports"] == before["imports"] + 1
    assert after["versions"] == before["versions"] + 1
    newest = max(
        site.personalize.list_dataset_import_jobs(maxResults=100)["datasetImportJobs"], key=lambda job: job["creationDateTime"]
    )
    assert newest["jobName"].startswith("shop_users-")


def test_a_solution_trained_alone_has_to_beat_its_baseline_all_the_same(clean: Site) -> None:
    """A popularity count is no match for personalization, in the run that trains both as in one that trains it alone."""
    report = clean.reco("train", "--wait", "--retrain", "--solution", "popular")["report"]
    refused = report["solutions"][0]["verdict"]
    assert refused["decision"] == "refuse"
    assert re.search(rf"{NDCG} is 0\.\d+, no better than the 0\.\d+ of 'for-you'", refused["reasons"][0])
    assert clean.counts()["campaigns"] == 3
    report = clean.reco("train", "--wait", "--retrain", "--solution", "for-you")["report"]
    assert report["solutions"][0]["verdict"]["decision"] == "deploy", "it beats the baseline that no campaign serves"


def test_items_that_left_the_shop_are_in_no_answer(clean: Site) -> None:
    """They are in the models, in the snapshot and in Personalize; what was put since the CSVs were uploaded stays."""
    until(lambda: snapshot_of(clean) != [])
    left = {"i1", "i4", "i7"}
    clean.load(items=[row for row in rows()["items"] if row.split(",")[0] not in left])
    api, table = Api(clean.target), clean.target.output("storage", "CatalogueTable")
    columns = {
        "TITLE": "Put",
        "CATEGORY": "toys",
        "BRAND": "brand0",
        "PRICE": 1.0,
        "STOCK": 1,
        "CREATION_TIMESTAMP": 1_700_000_000,
    }
    for item_id in ("i0", "put-alone"):
        assert api.call("PUT", f"/items/{item_id}", columns)[0] == 202

    def items() -> dict[str, Any]:
        pages = clean.environment.client("dynamodb").get_paginator("scan").paginate(TableName=table)
        return {row["item_id"]["S"]: row["attributes"]["M"] for page in pages for row in page["Items"]}

    until(lambda: "put-alone" in items() and items()["i0"]["TITLE"] == {"S": "Put"})
    clean.faults({"operation": "CreateSolutionVersion", "action": "create-failed"})  # the models stay as they are
    assert clean.reco("train", "--wait", "--solution", "for-you", code=1)["report"]["items_removed"] == len(left)
    there = {row.split(",")[0] for row in rows()["items"]} - left | {"put-alone"}
    assert (set(items()), items()["i0"]["TITLE"]) == (there, {"S": "Put"})
    for outage in ([], [{"operation": "GetRecommendations", "action": "error", "rate": 1.0}]):
        clean.faults(*outage)
        answer = api.call("GET", "/recommendations/all?user_id=u1")[1]
        assert answer["source"] == ("popular" if outage else "for-you")
        assert not left & {item["item_id"] for item in answer["items"]}
        assert answer["returned"] > 50
    clean.faults()
    clean.load()


def snapshot_of(site: Site) -> list[str]:
    """The snapshot of what is popular; nothing while there is none."""
    s3, bucket = site.environment.client("s3"), site.target.output("storage", "DataBucket")
    try:
        body = s3.get_object(Bucket=bucket, Key=snapshots.output_key("popular"))["Body"].read()
    except s3.exceptions.NoSuchKey:
        return []
    return list(json.loads(body)["output"]["recommendedItems"])


def test_a_snapshot_that_is_gone_comes_back_with_the_next_run(clean: Site) -> None:
    """The job that made it is still listed. An outage is answered from the file."""
    until(lambda: snapshot_of(clean) != [])
    bucket = clean.target.output("storage", "DataBucket")
    clean.environment.client("s3").delete_object(Bucket=bucket, Key=snapshots.output_key("popular"))
    clean.reco("train", "--wait")
    until(lambda: snapshot_of(clean) != [])
    clean.faults({"operation": "GetRecommendations", "action": "error", "rate": 1.0})
    answer = clean.reco("recommend", "home", "--user", "u1")
    assert (answer["source"], answer["returned"]) == ("popular", 25)


def test_a_worse_model_is_refused_and_a_later_good_one_deployed(clean: Site) -> None:
    serving = clean.campaign("for-you")["solutionVersionArn"]
    dice = random.Random(3)
    noise = [f"u{dice.randrange(80)},i{dice.randrange(60)},{1_700_000_000 + n},view,,mobile" for n in range(4000)]
    clean.load(interactions=noise)
    outcome = clean.run(solutions=["for-you", "popular"])
    refused = verdict(outcome, "for-you")
    assert refused["decision"] == "refuse"
    assert re.search(rf"{NDCG} is 0\.\d+, more than 20% below the 0\.\d+ of the version that serves", refused["reasons"][0])
    assert clean.campaign("for-you")["solutionVersionArn"] == serving
    clean.load()
    again = clean.run(solutions=["for-you", "popular"])
    assert verdict(again, "for-you")["decision"] == "deploy"
    deployed = clean.campaign("for-you")["solutionVersionArn"]
    assert deployed != serving

    left, taken = rollback(clean.target, "for-you", every=0.1)
    assert (left, taken) == (deployed, serving)
    assert clean.campaign("for-you")["solutionVersionArn"] == serving
    assert verdict(clean.run(solutions=["for-you", "popular"]), "for-you")["decision"] == "rolled_back"
    assert clean.campaign("for-you")["solutionVersionArn"] == serving


def test_one_failed_solution_leaves_its_siblings_alone(clean: Site) -> None:
    before = clean.counts()["versions"]
    clean.faults(
        {"operation": "CreateSolutionVersion", "action": "create-failed", "rate": 0.34, "seed": 4, "reason": "No capacity left"}
    )
    outcome = clean.run(retrain=True)
    assert outcome.status == "SUCCEEDED"
    assert outcome.report is not None
    assert outcome.report["status"] == "PARTLY_FAILED"
    failed = [problem["part"] for problem in outcome.report["problems"]]
    assert 1 <= len(failed) < 4
    assert all("No capacity left" in problem["message"] for problem in outcome.report["problems"])
    assert len(outcome.report["solutions"]) == 4 - len(failed)
    assert clean.counts()["versions"] == before + 4
    clean.faults()
    train.require_success(clean.run(retrain=True))


def test_throttling_is_waited_out(clean: Site) -> None:
    clean.faults({"operation": "*", "action": "throttle", "rate": 0.2, "seed": 1})
    assert train.require_success(clean.run(retrain=True))["status"] == "SUCCEEDED"


def test_a_full_queue_of_imports_is_waited_out(clean: Site) -> None:
    clean.emulator({"quotas": {"pending_import_jobs": 1}})
    try:
        clean.load(users=rows()["users"][:-1], items=[*rows()["items"], rows()["items"][0].replace("i0,", "i999,")])
        train.require_success(clean.run(solutions=["related"]))
    finally:
        clean.emulator({"quotas": {"pending_import_jobs": 5}})


def test_two_starts_at_once_make_one_run(clean: Site) -> None:
    runs = [train.start(clean.target, retrain=True) for _ in range(2)]
    outcomes = [train.follow(clean.target, run, lambda state: None, 0.1) for run in runs]
    second = next(n for n, each in enumerate(outcomes) if each.report and each.report["status"] == "ALREADY_RUNNING")
    assert outcomes[second].status == "SUCCEEDED"
    assert outcomes[second].report == {"status": "ALREADY_RUNNING", "execution": runs[1 - second]}
    train.require_success(outcomes[1 - second])


def test_a_run_that_was_stopped_can_be_started_again(clean: Site) -> None:
    """The lock of an execution that is not running any more is taken over; what it began is adopted."""
    before = clean.counts()["versions"]
    first = train.start(clean.target, retrain=True)
    eventually(lambda: clean.counts()["versions"] > before)
    clean.environment.client("stepfunctions").stop_execution(executionArn=first)
    train.require_success(clean.run())


def test_killed_workers_do_not_end_a_run(clean: Site) -> None:
    """The functions are idempotent: Step Functions calls again, and the next worker goes on."""
    execution = train.start(clean.target, retrain=True)
    for _ in range(3):
        for worker in eventually(lambda: workers_of(clean.environment_pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
    train.require_success(train.follow(clean.target, execution, lambda state: None, 0.1))


def workers_of(environment: int) -> list[int]:
    """The processes of its functions: forks of one of its children."""
    (server,) = [pid for pid in children_of(environment) if "fork_server" in command_of(pid)] or [0]
    return children_of(server)


def test_a_marker_beside_the_csvs_starts_a_run(clean: Site) -> None:
    bucket = clean.target.output("storage", "DataBucket")
    put = clean.environment.client("s3").put_object
    train.require_success(run_started_by(clean, lambda: put(Bucket=bucket, Key="datasets/_READY", Body=b"")))


def test_the_schedule_starts_a_run_that_retrains(clean: Site) -> None:
    before = clean.counts()["versions"]
    schedule = clean.environment.client("scheduler").get_schedule(Name="shop_train")
    assert schedule["ScheduleExpression"] == "cron(0 3 ? * SUN *)"
    train.require_success(run_started_by(clean, lambda: clean.environment.fire(schedule["Arn"])))
    assert clean.counts()["versions"] == before + 4


def run_started_by(site: Site, start: Callable[[], object]) -> Outcome:
    """The outcome of the run that `start` brings about by itself."""
    client, machine = site.environment.client("stepfunctions"), site.target.output("training", "TrainStateMachine")

    def executions() -> set[str]:
        listed = client.list_executions(stateMachineArn=machine, maxResults=1000)["executions"]
        return {execution["executionArn"] for execution in listed}

    before = executions()
    start()
    started = eventually(lambda: executions() - before)
    return train.follow(site.target, started.pop(), lambda state: None, 0.1)


def test_approvals(clean: Site) -> None:
    """Nobody answers, a person says no by the link, the operator says yes by the command line; both see lists of both versions."""

    def ask(raw: dict[str, Any]) -> None:
        raw["solutions"]["ranking"]["approval"] = {"within_hours": 10 / 3600}
        raw["solutions"]["related"]["approval"] = {}

    clean.deploy(ask)
    clean.load()
    serving = {name: clean.campaign(name)["solutionVersionArn"] for name in ("ranking", "related")}
    unanswered = verdict(clean.run(retrain=True, solutions=["ranking"]), "ranking")
    assert unanswered == {"decision": "unanswered", "reasons": ["nobody answered in time: the next run asks again"]}
    assert clean.campaign("ranking")["solutionVersionArn"] == serving["ranking"]

    link = mailbox(clean)
    versions = clean.counts()["versions"]
    execution = train.start(clean.target, solutions=["ranking"])
    asked = link()
    shown = [CommandLine(clean.folder).run("approve", "--config", "shop.yaml")[0], read(asked)]
    post(asked, "approve")
    asked_again = train.follow(clean.target, execution, lambda state: None, 0.1)
    assert asked_again.report is not None
    page = urllib.parse.urlsplit(asked_again.report["page"])
    body = clean.environment.client("s3").get_object(Bucket=page.netloc, Key=page.path[1:])["Body"].read().decode()
    for text in [*shown, body]:
        users = re.split(r"User \d+, \d+ events in the CSVs", text)[1:]
        assert [len(re.findall(r"Item \d+", user)) for user in users] == [20] * 5, "both lists of ten, with titles"
    assert max(len(line) for line in shown[0].splitlines() if line[:1] in "│┃┏┡└") <= 80
    assert verdict(asked_again, "ranking") == {"decision": "deploy", "reasons": ["a person approved it"]}
    assert clean.counts()["versions"] == versions, "about the version that nobody had decided about"
    assert clean.campaign("ranking")["solutionVersionArn"] != serving["ranking"]

    execution = train.start(clean.target, retrain=True, solutions=["related"])
    approval = link()
    text = read(approval)
    assert "May the new version of related go live?" in text
    assert "Sample lists" not in text, "related items are nobody's own"
    post(approval, "reject")
    rejected = train.follow(clean.target, execution, lambda state: None, 0.1)
    assert verdict(rejected, "related") == {"decision": "rejected", "reasons": ["a person rejected it"]}
    assert clean.campaign("related")["solutionVersionArn"] == serving["related"]
    with pytest.raises(urllib.error.HTTPError) as used:
        post(approval, "approve")
    assert used.value.code == 404

    execution = train.start(clean.target, retrain=True, solutions=["related"])
    eventually(lambda: waiting(clean.target))
    decide(clean.target, "related", approved=True)
    approved = train.follow(clean.target, execution, lambda state: None, 0.1)
    assert verdict(approved, "related") == {"decision": "deploy", "reasons": ["a person approved it"]}
    assert clean.campaign("related")["solutionVersionArn"] != serving["related"]


def mailbox(site: Site) -> Callable[[], str]:
    """A queue on the topic of runs; the returned function waits for an approval mail and gives its link, on this machine's API."""
    sqs, topic = site.environment.client("sqs"), site.target.output("training", "RunTopic")
    sent = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [sent]})
    queue = sqs.create_queue(QueueName="mailbox", Attributes={"Policy": policy})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    site.environment.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def link() -> str:
        mails = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", [])
        paths = [re.search(r"/approvals/[\w-]+", json.loads(mail["Body"])["Message"]) for mail in mails]
        return "".join(f"{site.target.api_url}{path[0]}" for path in paths if path)

    return lambda: eventually(link)


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=300) as page:
        return str(page.read().decode())


def post(url: str, decision: str) -> None:
    urllib.request.urlopen(url, urllib.parse.urlencode({"decision": decision}).encode(), timeout=300).close()


def test_changes_of_the_config_reach_personalize(clean: Site) -> None:
    """Another filter expression, more capacity, imports that add, a schema with one more nullable column; a solution that is named
    no more, and a new one. What could not be made is made by the next run.

    The last test of the file: a dataset keeps the column that it was given.
    """

    def change(raw: dict[str, Any]) -> None:
        raw["filters"]["in_stock"] = "INCLUDE ItemID WHERE Items.STOCK >= 3"
        raw["solutions"]["related"]["campaign"] = {"min_provisioned_tps": 2}
        raw["tags"] = {"team": "shop"}
        raw["datasets"]["interactions"]["import_mode"] = "INCREMENTAL"
        schema = json.loads(Path("config/schemas/shop/users.json").read_text())
        schema["fields"].append({"name": "CITY", "type": ["null", "string"], "categorical": True})
        raw["datasets"]["users"]["schema"] = schema
        del raw["solutions"]["ranking"], raw["placements"]["search"]
        raw["solutions"]["more"] = {"recipe": "aws-similar-items", "campaign": {}}

    def failed(*operations: str) -> list[str]:
        clean.faults(*({"operation": operation, "action": "create-failed"} for operation in operations))
        outcome = clean.reco("train", "--wait", "--solution", "more", code=1)
        return [problem["part"] for problem in outcome["report"]["problems"]]

    clean.deploy(change)
    folder = clean.folder / "csv"
    clean.load()
    (folder / "users.csv").write_text(
        "\n".join([HEADERS["users"] + ",CITY", *(f"{row},Seoul" for row in rows()["users"])]) + "\n"
    )
    with (folder / "items.csv").open("a") as items:
        items.write(f"{rows()['items'][0]}\n")
    load.upload(clean.target, load.find_csvs(folder))
    assert failed("CreateSolution", "CreateFilter") == ["filter in_stock", "solution more"]
    assert failed("CreateCampaign") == ["campaign more"]
    clean.faults()
    report = train.require_success(clean.run())
    assert (clean.campaign("more")["status"], clean.campaign("related")["minProvisionedTPS"]) == ("ACTIVE", 2)
    assert [warning.split(": ", 1)[1] for warning in report["warnings"]] == [
        "'i0' stands here again: of records with one id the newest counts"
    ]
    tags = clean.personalize.list_tags_for_resource(resourceArn=clean.campaign("related")["campaignArn"])["tags"]
    assert {"tagKey": "team", "tagValue": "shop"} in tags
    expressions = {
        clean.personalize.describe_filter(filterArn=f["filterArn"])["filter"]["filterExpression"]
        for f in clean.personalize.list_filters()["Filters"]
    }
    assert "INCLUDE ItemID WHERE Items.STOCK >= 3" in expressions
    assert "INCLUDE ItemID WHERE Items.STOCK > 0" not in expressions  # replaced, then deleted
    assert report["leftover"] == ["campaign/shop_ranking", "solution/shop_ranking"]

    clean.deploy(lambda raw: (change(raw), raw.update(prune=True)))  # type: ignore[func-returns-value]
    assert train.require_success(clean.run())["leftover"] == []
    campaigns = {campaign["name"] for campaign in clean.personalize.list_campaigns(maxResults=100)["campaigns"]}
    assert ("shop_more" in campaigns, "shop_ranking" in campaigns) == (True, False)
    clean.deploy(lambda raw: raw["datasets"]["interactions"].update(schema="schemas/movielens/interactions.json"))
    clean.load(interactions=[])
    (folder / "interactions.csv").write_text(
        "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE\n"
        + "".join(row.rsplit(",", 1)[0] + "\n" for row in rows()["interactions"])
    )
    load.upload(clean.target, load.find_csvs(folder))
    outcome = clean.run()
    assert outcome.report is not None
    drift = outcome.report["problems"][0]
    assert (drift["part"], drift["error"]) == ("dataset interactions", "ConfigurationDrift")
    assert drift["message"].count("schema/shop_interactions-") == 2

"""The train state machine as an operator meets it: deployed here, run on the Personalize emulator, through faults and changes."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import yaml

from localaws.environment import Environment, launch
from reco import load, train
from reco.approvals import decide, waiting
from reco.rollback import rollback
from reco.synth import synthesize
from reco.target import Target
from reco.train import Outcome
from tests.shop_csvs import HEADERS, rows, write

NDCG = "normalized_discounted_cumulative_gain_at_25"
CONFIG = Path("config/shop.yaml")
Change = Callable[[dict[str, Any]], None]


def base_config() -> dict[str, Any]:
    """The shop with a gate, a baseline without a campaign, and no second category filter."""
    raw: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    raw["solutions"] = {
        "for-you": {"recipe": "aws-user-personalization-v2", "gate": {"may_fall_by": 0.2, "beats": "popular"}, "campaign": {}},
        "related": {"recipe": "aws-similar-items", "campaign": {}},
        "ranking": {"recipe": "aws-personalized-ranking-v2", "campaign": {}},
        "popular": {"recipe": "aws-popularity-count"},
    }
    raw["filters"] = {"in_stock": raw["filters"]["in_stock"], "not_bought": raw["filters"]["not_bought"]}
    del raw["batch"]
    raw["placements"] = {
        "home": {"solution": "for-you", "filter": "in_stock"},
        "item-page": {"solution": "related"},
        "search": {"solution": "ranking"},
    }
    return raw


class Site:
    """The shop, up on this machine."""

    def __init__(self, folder: Path, environment: Environment) -> None:
        self.folder, self.environment = folder, environment
        self.target = Target("shop", environment)
        self.raw = base_config()
        (folder / "schemas").symlink_to(Path("config/schemas").resolve())

    def deploy(self, change: Change | None = None) -> None:
        """Deploy the base config, changed."""
        raw = base_config()
        if change:
            change(raw)
        file = self.folder / "shop.yaml"
        file.write_text(yaml.safe_dump(raw, sort_keys=False))
        self.environment.deploy(synthesize(file, self.folder / "cdk.out", validate=False))

    def load(self, **changed: list[str]) -> None:
        load.upload(self.target, load.find_csvs(write(self.folder / "csv", **changed)))

    def run(self, *, retrain: bool = False, solutions: list[str] | None = None) -> Outcome:
        return train.follow(self.target, train.start(self.target, retrain=retrain, solutions=solutions), lambda state: None, 0.1)

    def faults(self, *faults: dict[str, Any]) -> None:
        self.emulator({"faults": list(faults)})

    def emulator(self, settings: dict[str, Any]) -> None:
        """Change settings of the Personalize emulator."""
        url, body = f"{self.environment.personalize_endpoint}/_emulator", json.dumps(settings).encode()
        urllib.request.urlopen(urllib.request.Request(url, body, method="PUT"), timeout=10).close()

    def counts(self) -> dict[str, int]:
        """How many import jobs, versions and campaigns there are."""
        imports = self.personalize.list_dataset_import_jobs(maxResults=100)["datasetImportJobs"]
        versions = self.personalize.list_solution_versions(maxResults=100)["solutionVersions"]
        campaigns = self.personalize.list_campaigns(maxResults=100)["campaigns"]
        return {"imports": len(imports), "versions": len(versions), "campaigns": len(campaigns)}

    def campaign(self, name: str) -> dict[str, Any]:
        arn = f"arn:aws:personalize:us-east-1:123456789012:campaign/shop-{name}"
        return dict(self.personalize.describe_campaign(campaignArn=arn)["campaign"])

    @cached_property
    def environment_pid(self) -> int:
        return int(json.loads((self.folder / "data" / "environment.json").read_text())["pid"])

    @cached_property
    def personalize(self) -> Any:
        return self.environment.client("personalize")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Deployed, loaded, and trained once."""
    folder = tmp_path_factory.mktemp("site")
    with launch(None, folder / "data", port=0, api_port=0, personalize_port=0, speed=2000) as environment:
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
    assert newest["jobName"].startswith("shop-users-")


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
    deadline = time.monotonic() + 120
    while clean.counts()["versions"] == before and time.monotonic() < deadline:
        time.sleep(0.1)
    clean.environment.client("stepfunctions").stop_execution(executionArn=first)
    train.require_success(clean.run())


def test_killed_workers_do_not_end_a_run(clean: Site) -> None:
    """The functions are idempotent: Step Functions calls again, and the next worker goes on."""
    execution, killed = train.start(clean.target, retrain=True), 0
    deadline = time.monotonic() + 120
    while killed < 3 and time.monotonic() < deadline:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                command, parent = (process / "cmdline").read_bytes(), (process / "status").read_text()
            except OSError:
                continue
            if b"lambda_workers" in command and f"PPid:\t{clean.environment_pid}\n" in parent:
                os.kill(int(process.name), signal.SIGKILL)
                killed += 1
        time.sleep(0.3)
    assert killed >= 3
    train.require_success(train.follow(clean.target, execution, lambda state: None, 0.1))


def test_a_marker_beside_the_csvs_starts_a_run(clean: Site) -> None:
    bucket = clean.target.output("storage", "DataBucket")
    put = clean.environment.client("s3").put_object
    train.require_success(run_started_by(clean, lambda: put(Bucket=bucket, Key="datasets/_READY", Body=b"")))


def test_the_schedule_starts_a_run_that_retrains(clean: Site) -> None:
    before = clean.counts()["versions"]
    schedule = clean.environment.client("scheduler").get_schedule(Name="shop-train")
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
    deadline = time.monotonic() + 120
    while not (started := executions() - before) and time.monotonic() < deadline:
        time.sleep(0.2)
    return train.follow(site.target, started.pop(), lambda state: None, 0.1)


def test_approvals(clean: Site) -> None:
    """Nobody answers, a person says no by the link, the operator says yes by the command line."""

    def ask(raw: dict[str, Any]) -> None:
        raw["solutions"]["ranking"]["approval"] = {"within_hours": 5 / 3600}
        raw["solutions"]["related"]["approval"] = {}

    clean.deploy(ask)
    clean.load()
    serving = {name: clean.campaign(name)["solutionVersionArn"] for name in ("ranking", "related")}
    unanswered = verdict(clean.run(retrain=True, solutions=["ranking"]), "ranking")
    assert unanswered == {"decision": "rejected", "reasons": ["nobody answered in time"]}
    assert clean.campaign("ranking")["solutionVersionArn"] == serving["ranking"]

    link = mailbox(clean)
    execution = train.start(clean.target, retrain=True, solutions=["related"])
    approval = link()
    with urllib.request.urlopen(approval, timeout=10) as page:
        assert "May the new version of related go live?" in page.read().decode()
    post(approval, "reject")
    rejected = train.follow(clean.target, execution, lambda state: None, 0.1)
    assert verdict(rejected, "related") == {"decision": "rejected", "reasons": ["a person rejected it"]}
    assert clean.campaign("related")["solutionVersionArn"] == serving["related"]
    with pytest.raises(urllib.error.HTTPError) as used:
        post(approval, "approve")
    assert used.value.code == 404

    execution = train.start(clean.target, retrain=True, solutions=["related"])
    deadline = time.monotonic() + 120
    while not waiting(clean.target) and time.monotonic() < deadline:
        time.sleep(0.1)
    decide(clean.target, "related", approved=True)
    approved = train.follow(clean.target, execution, lambda state: None, 0.1)
    assert verdict(approved, "related") == {"decision": "deploy", "reasons": ["a person approved it"]}
    assert clean.campaign("related")["solutionVersionArn"] != serving["related"]


def mailbox(site: Site) -> Callable[[], str]:
    """A queue on the topic of runs; the returned function waits for an approval mail and gives its link, on this machine's API."""
    sqs, topic = site.environment.client("sqs"), site.target.output("training", "RunTopic")
    queue = sqs.create_queue(QueueName="mailbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    site.environment.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def link() -> str:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            for mail in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", []):
                found = re.search(r"/approvals/[\w-]+", json.loads(mail["Body"])["Message"])
                if found:
                    return f"{site.target.api_url}{found[0]}"
        raise AssertionError("no approval mail came in two minutes")

    return link


def post(url: str, decision: str) -> None:
    urllib.request.urlopen(url, urllib.parse.urlencode({"decision": decision}).encode(), timeout=10).close()


def test_changes_of_the_config_reach_personalize(clean: Site) -> None:
    """Another filter expression, more capacity, imports that add, a schema with a nullable column more; a solution named no more.

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

    clean.deploy(change)
    folder = clean.folder / "csv"
    clean.load()
    (folder / "users.csv").write_text(
        "\n".join([HEADERS["users"] + ",CITY", *(f"{row},Seoul" for row in rows()["users"])]) + "\n"
    )
    with (folder / "items.csv").open("a") as items:
        items.write(f"{rows()['items'][0]}\n")
    load.upload(clean.target, load.find_csvs(folder))
    report = train.require_success(clean.run())
    assert [warning.split(": ", 1)[1] for warning in report["warnings"]] == [
        "'i0' stands here again: of records with one id the newest counts"
    ]
    assert clean.campaign("related")["minProvisionedTPS"] == 2
    tags = clean.personalize.list_tags_for_resource(resourceArn=clean.campaign("related")["campaignArn"])["tags"]
    assert {"tagKey": "team", "tagValue": "shop"} in tags
    expressions = {
        clean.personalize.describe_filter(filterArn=f["filterArn"])["filter"]["filterExpression"]
        for f in clean.personalize.list_filters()["Filters"]
    }
    assert "INCLUDE ItemID WHERE Items.STOCK >= 3" in expressions
    assert "INCLUDE ItemID WHERE Items.STOCK > 0" not in expressions  # replaced, then deleted
    assert report["leftover"] == ["campaign/shop-ranking", "solution/shop-ranking"]

    clean.deploy(lambda raw: (change(raw), raw.update(prune=True)))  # type: ignore[func-returns-value]
    assert train.require_success(clean.run())["leftover"] == []
    assert clean.counts()["campaigns"] == 2
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
    assert drift["message"].count("schema/shop-interactions-") == 2

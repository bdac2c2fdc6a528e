"""The slice, through the doors that an operator and a shop have: the command line and HTTP."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from typing import Any

import pytest

from localaws.environment import Environment
from reco.target import DATA
from tests.e2e.conftest import CommandLine
from tests.harness.deployment import patient_shop, write_config
from tests.harness.shop_csvs import START, rows, write
from tests.harness.waiting import eventually

SHOP = ("--config", "config/shop.yaml")
PORTS = ("--port", "0", "--api-port", "0", "--personalize-port", "0")


@pytest.fixture(scope="module")
def up(reco: CommandLine) -> CommandLine:
    """The shop deployed on this machine, in the background."""
    endpoints = reco.json("up", "--detach", *SHOP, *PORTS, "--speed", "1000")
    addresses = {"api_url", "browser_api_url", "storefront_url", "aws_endpoint", "personalize_endpoint"}
    assert set(endpoints) == {*addresses, "browser_key", "parts"}
    assert endpoints["storefront_url"] == f"{endpoints['browser_api_url']}/storefront/index.html"
    assert endpoints["parts"] == {"aws": "up", "api": "up", "personalize": "up"}
    assert reco.json("status") == endpoints
    return reco


def test_bad_csvs_end_the_run_before_anything_is_made(up: CommandLine) -> None:
    lines = rows()["interactions"]
    lines[40] = lines[40].replace("1700", "1700000", 1)
    folder = str(write(up.folder / "bad", interactions=lines))
    found = up.json("check", folder, *SHOP, code=1)["findings"]
    assert [(f["file"], f["line"], f["column"], f["severity"]) for f in found] == [
        (f"{folder}/interactions.csv", 42, "TIMESTAMP", "error")
    ]
    assert "line 42, column TIMESTAMP" in up.run("load", folder, *SHOP, code=1)[1]
    up.run("load", folder, "--unchecked", *SHOP)
    outcome = up.json("train", "--wait", *SHOP, code=1)
    assert outcome["status"] == "FAILED"
    problem = outcome["report"]["problems"][0]
    assert problem["error"] == "InvalidData"
    assert "interactions/interactions.csv, line 42, column TIMESTAMP" in problem["message"]
    assert "looks like milliseconds" in problem["message"]
    said = up.run("train", "--wait", *SHOP, code=1)[1]
    assert "line 42, column TIMESTAMP" in said
    assert "Correct the CSVs" in said
    assert "Traceback" not in said


def test_from_csvs_to_recommendations(up: CommandLine) -> None:
    """Load, train, recommend, send events, recommend again; a second run finds nothing to do."""
    sizes = up.json("load", str(write(up.folder / "good")), *SHOP)
    assert set(sizes) == {"interactions", "items", "users"}
    outcome = up.json("train", "--wait", *SHOP)
    assert outcome["status"] == "SUCCEEDED"
    assert outcome["report"]["status"] == "SUCCEEDED"
    assert {s["name"] for s in outcome["report"]["solutions"]} == {"for-you", "related", "ranking", "best-sellers"}
    assert all(0 < s["metrics"]["coverage"] <= 1 for s in outcome["report"]["solutions"])

    before = up.json("recommend", "home", "--user", "u1", "-n", "10", *SHOP)
    assert before["returned"] == 10
    assert all(item["attributes"]["STOCK"] > 0 for item in before["items"])
    toys = [f"i{n}" for n in range(2, 60, 3)][:5]
    events = [json.dumps({"user_id": "u1", "item_id": item, "event_type": "buy"}) for item in toys]
    assert up.json("send-events", "-", *SHOP, stdin="\n".join(events)) == {"sent": 5}
    until_recommendations_differ(up, before)

    popular = up.json("recommend", "best-sellers", *SHOP)
    assert popular["returned"] == 25
    again = up.json("train", "--wait", *SHOP)
    versions = [{s["name"]: s["solution_version_arn"] for s in run["report"]["solutions"]} for run in (outcome, again)]
    assert versions[0] == versions[1]


def until_recommendations_differ(up: CommandLine, before: dict[str, Any]) -> None:
    """Events are on their way for a second or two."""

    def items() -> list[str]:
        return [item["item_id"] for item in up.json("recommend", "home", "--user", "u1", "-n", "10", *SHOP)["items"]]

    eventually(lambda: items() != [item["item_id"] for item in before["items"]])


def test_the_printed_calls_as_they_stand(up: CommandLine) -> None:
    """Both calls of `reco keys`, run by a shell, with ids of this shop; also where the first placement needs a category."""
    raw = patient_shop()
    raw["placements"] = {"category": raw["placements"].pop("category"), **raw["placements"]}
    write_config(raw, up.folder / "category-first")
    for config in (SHOP, ("--config", "category-first/shop.yaml")):
        said, told = up.run("keys", *config)[0], up.json("keys", *config)
        assert (told["curl"] in said, told["curl_event"] in said, told["put_in"]) == (True, True, [])
        listed, accepted = (json.loads(run_by_a_shell(told[name])) for name in ("curl", "curl_event"))
        assert (listed["placement"], listed["returned"], accepted["accepted"]) == ("home", 20, 1)


def run_by_a_shell(command: str) -> str:
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, timeout=300).stdout


def test_what_a_ranking_and_the_rules_of_a_placement_did(up: CommandLine) -> None:
    """`recommend --explain` and `--ranking`, as people read them and as JSON."""
    ask = ("recommend", "home", "--user", "u2", "--explain", *SHOP)
    said, told = up.run(*ask)[0], up.json(*ask)
    rules = ["sold_out", "just_bought", "few_of_a_brand", "brands_apart"]
    assert [effect["rule"] for effect in told["explain"]] == rules
    assert [line.split(":")[0] for line in said.splitlines() if line.startswith("Rule ")] == [f"Rule {name}" for name in rules]
    assert "best-sellers has no business rules." in up.run("recommend", "best-sellers", "--user", "u2", "--explain", *SHOP)[0]
    items = [f"i{n}" for n in range(1, 7)]
    rank = ("recommend", "search", "--user", "u2", "--ranking", ", ".join(items), *SHOP)
    said, ranked = up.run(*rank)[0], [item["item_id"] for item in up.json(*rank)["items"]]
    assert sorted(ranked) == items
    assert [line.split("│")[2].strip() for line in said.splitlines() if line.startswith("│")] == ranked
    assert "add --user ID --ranking i1,i2,i3" in up.run("recommend", "search", "--user", "u2", *SHOP, code=1)[1]
    assert "A ranking is for a user: add --user ID." in up.run("recommend", "search", "--ranking", "i1", *SHOP, code=1)[1]


def test_the_api_as_a_shop_calls_it(up: CommandLine) -> None:
    url = up.json("status")["api_url"]
    told = up.json("status")
    asked = urllib.request.Request(
        f"{told['browser_api_url']}/recommendations/home?session_id=visitor-0123456789abcdef",
        headers={"x-api-key": told["browser_key"]},
    )
    with urllib.request.urlopen(asked, timeout=300) as answer:
        assert json.loads(answer.read())["placement"] == "home"
    with urllib.request.urlopen(told["storefront_url"], timeout=300) as page:
        assert page.headers.get_content_type() == "text/html"
    assert f"The storefront: {told['storefront_url']}" in up.run("status")[0]
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{url}/recommendations/home?user_id=u1", timeout=300)
    assert refused.value.code == 403
    assert json.loads(refused.value.read())["error"]["code"] == "forbidden"
    said = up.run("recommend", "home", *SHOP, code=1)[1]
    assert "The API answered 400: user_id is required for this placement" in said


def test_what_only_the_import_finds_comes_back_with_its_reason(up: CommandLine) -> None:
    """One wrong cell in a file larger than what the plan reads, between two of its samples."""
    lines = [f"u{n % 500},i{n % 60},{START + n},view,,mobile" for n in range(400_000)]
    bad = 307_000
    lines[bad] = lines[bad].replace(f"{START + bad}", "soon")
    folder = write(up.folder / "large", interactions=rows()["interactions"] + lines)
    up.run("load", str(folder), *SHOP)
    outcome = up.json("train", "--wait", *SHOP, code=1)
    problem = outcome["report"]["problems"][0]
    assert (problem["part"], problem["error"]) == ("dataset interactions", "ResourceFailed")
    assert "TIMESTAMP" in problem["message"]


def test_events_that_cannot_be_read_are_named(up: CommandLine) -> None:
    said = up.run("send-events", "-", *SHOP, code=1, stdin='{"user_id": "u1", "item_id": "i1"}\n')[1]
    assert "-, line 1, event_type: Field required" in said


def test_a_second_up_finds_the_first(up: CommandLine) -> None:
    said = up.run("up", *SHOP, code=1)[1]
    assert "is running already" in said
    assert "reco deploy" in said
    assert "reco down" in said


def test_a_changed_config_is_deployed_into_what_runs(up: CommandLine) -> None:
    """The campaign and its models stay; the new placement answers at once."""
    raw = patient_shop()
    raw["placements"]["mail"] = {"solution": "best-sellers", "num_results": 3}
    write_config(raw, up.folder / "changed")
    assert "there is no placement 'mail'" in up.run("recommend", "mail", *SHOP, code=1)[1]
    before = up.json("status")
    assert up.json("deploy", "--config", "changed/shop.yaml") == before
    assert up.json("recommend", "mail", "--config", "changed/shop.yaml")["returned"] == 3


def test_two_deployments_beside_each_other(up: CommandLine) -> None:
    """Each command asks the API of its own config, with that API's key; --env makes another deployment of the same file."""
    with_env = ("--env", "dev")
    assert "There is no stack recostack-shop-dev-api: deploy it first" in up.run(*with_env, "recommend", "home", *SHOP, code=1)[1]
    up.run(*with_env, "deploy", *SHOP)
    said = up.run(*with_env, "recommend", "home", "--user", "u1", *SHOP, code=1)[1]
    assert "The API answered 503: nothing is deployed yet" in said
    assert up.json("recommend", "home", "--user", "u1", *SHOP)["returned"] == 20
    event = json.dumps({"user_id": "u1", "item_id": "i1", "event_type": "view"})
    up.run(*with_env, "send-events", "-", *SHOP, stdin=event)
    assert events_in(up, "shop-dev") == 1


def events_in(up: CommandLine, deployment: str) -> int:
    """How many events the deployment's stream has got."""
    kinesis, found = client_of(up, "kinesis"), 0
    for shard in kinesis.list_shards(StreamName=f"{deployment}_events")["Shards"]:
        place = {"StreamName": f"{deployment}_events", "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = kinesis.get_shard_iterator(**place)["ShardIterator"]
        found += len(kinesis.get_records(ShardIterator=iterator)["Records"])
    return found


def test_an_answer_that_lacks_attributes_says_so(up: CommandLine) -> None:
    """The catalogue is gone: the rules that read it drop nothing, and the list is not passed off as whole."""
    whole, said = up.json("recommend", "home", "--user", "u1", *SHOP), up.run("recommend", "home", "--user", "u1", *SHOP)[0]
    assert ("degraded" in whole, "Degraded" in said) == (False, False)
    database = client_of(up, "dynamodb")
    table = database.describe_table(TableName="shop_catalogue")["Table"]
    database.delete_table(TableName="shop_catalogue")
    new_user = ("recommend", "search-page", "--user", "u2", "--config", "changed/degraded.yaml")
    raw = patient_shop()
    raw["placements"]["search-page"] = raw["placements"]["home"]
    write_config(raw, up.folder / "changed", "degraded.yaml")
    up.run("deploy", "--config", "changed/degraded.yaml")  # in new workers, which remember nothing
    answer, (said, _) = up.json(*new_user), up.run(*new_user)
    assert answer["degraded"] == ["attributes"]
    assert (answer["returned"], any(item["attributes"] for item in answer["items"])) == (20, False)
    assert "Degraded: the items' attributes did not come in time" in said
    shape = {name: table[name] for name in ("TableName", "KeySchema", "AttributeDefinitions")}
    database.create_table(**shape, BillingMode="PAY_PER_REQUEST")
    empty = up.json(*new_user)
    assert (empty["returned"], empty["degraded"]) == (20, ["attributes"]), "a table without items says of none that it is gone"
    up.run("load", str(up.folder / "good"), *SHOP)
    up.json("train", "--wait", *SHOP)  # which fills it again


def client_of(up: CommandLine, service: str) -> Any:
    """A boto3 client for what runs there."""
    environment = Environment.attach(up.folder / DATA)
    assert environment is not None
    return environment.client(service)

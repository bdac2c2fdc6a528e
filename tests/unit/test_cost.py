"""`reco cost`: the arithmetic on cases that one can follow by hand, the files, the output."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto import mock_aws

from lambdas.config import Approval, Campaign, Config, Placement, Segment
from lambdas.config.file import load_config
from reco.commands import cost as cost_command
from reco.cost import answers, measured
from reco.cost import estimate as cost
from reco.cost.inputs import PRICES, TRAFFIC, Price, Prices, Traffic, load_prices, load_traffic
from reco.errors import RecoError
from reco.target import Target
from tests.harness.shop_csvs import write

SHOP = Path(__file__).parents[2] / "config" / "shop.yaml"


@pytest.fixture(scope="module")
def shop() -> Config:
    return load_config(SHOP)


@pytest.fixture(scope="module")
def prices() -> Prices:
    return load_prices()


def traffic(**changed: Any) -> Traffic:
    """The traffic that comes along, with one request a second all day to each placement; parts that are mappings are merged."""
    raw = yaml.safe_load(TRAFFIC.read_text()) | {"requests_per_second": {"default": [1.0] * 24}}
    for name, value in changed.items():
        raw[name] = raw[name] | value if name in ("batch", "assumptions") else value
    return Traffic.model_validate(raw)


def dollars(lines: list[cost.Line], service: str, what: str) -> float:
    [line] = [line for line in lines if (line.service, line.what) == (service, what)]
    return line.dollars


def test_a_price_in_tiers_bills_each_tier_by_its_own() -> None:
    price = Price.model_validate(
        {"unit": "requests", "per": 10, "tiers": [{"up_to": 100, "usd": 3}, {"up_to": 300, "usd": 2}, {"usd": 1}]}
    )
    assert [price.dollars(n) for n in (0, 50, 100, 200, 300, 400)] == [0, 15, 30, 50, 70, 80]


def test_an_idle_campaign_is_billed_for_its_minimum(shop: Config, prices: Prices) -> None:
    """30 days of one request a second are 2,592,000 requests: at $0.0556 for a thousand, $144.12."""
    idle = traffic(requests_per_second={"default": [0.0] * 24})
    lines = cost.estimate(shop, idle, prices).real_time
    assert dollars(lines, "Personalize", "campaign related") == pytest.approx(144.1152)
    assert dollars(lines, "Personalize", "campaign for-you") == pytest.approx(2592 * 0.15)
    assert dollars(lines, "API Gateway", "recommendations") == 0


def test_hours_above_the_minimum_are_billed_by_their_calls(shop: Config, prices: Prices) -> None:
    """Twelve hours at 5 requests a second with 1.2 calls each, twelve hours at nothing: 6 and 1 a second are billed."""
    busy = traffic(requests_per_second={"default": [0.0] * 24, "item-page": [5.0] * 12 + [0.0] * 12})
    lines = cost.estimate(shop, busy, prices).real_time
    requests = (6 * 12 + 1 * 12) * 3600 * 30
    assert dollars(lines, "Personalize", "campaign related") == pytest.approx(requests / 1000 * 0.0556)


def test_placements_share_the_campaign_of_their_solution(shop: Config, prices: Prices) -> None:
    """home and category ask for-you: 2 requests a second, 2.4 calls."""
    lines = cost.estimate(shop, traffic(), prices).real_time
    assert dollars(lines, "Personalize", "campaign for-you") == pytest.approx(2.4 * 2592 * 0.15)


def test_trainings_by_interactions_and_by_hours(shop: Config, prices: Prices) -> None:
    asked = traffic(trainings_per_month=4, interactions=1_000_000, training_hours={"default": 0.5, "related": 2.5})
    lines = cost.estimate(shop, asked, prices).batch
    of_one = 1_000_000 + 15 * 500_000  # events stay in the dataset: in the middle of the month it has those of 15 days more
    assert dollars(lines, "Personalize", "training of for-you") == pytest.approx(4 * of_one / 1000 * 0.002)
    assert dollars(lines, "Personalize", "training of related") == pytest.approx(4 * 2.5 * 0.24)
    assert dollars(lines, "Personalize", "training of best-sellers") == pytest.approx(4 * 0.5 * 0.24)


def test_trainings_cost_more_from_month_to_month(shop: Config, prices: Prices) -> None:
    """By interactions and by hours alike: in the middle of month 12, those of eleven and a half months have come."""
    asked = traffic(interactions=1_000_000, training_hours={"default": 0.5})
    found = cost.estimate(shop, asked, prices)
    month = 30 * 500_000
    for what in ("training of for-you", "training of related"):
        first, later = (dollars(lines, "Personalize", what) for lines in (found.as_is, found.later))
        assert later / first == pytest.approx((1_000_000 + 11.5 * month) / (1_000_000 + 0.5 * month))
    quiet = cost.estimate(shop, traffic(events_per_day=0), prices)
    assert cost.total(quiet.later) == pytest.approx(cost.total(quiet.as_is))
    nothing = cost.estimate(shop, traffic(events_per_day=0, interactions=0), prices)
    assert cost.total(nothing.later) == pytest.approx(cost.total(nothing.as_is))


def test_small_events_are_billed_by_the_steps_of_the_stream_and_the_delivery(shop: Config, prices: Prices) -> None:
    """A million events of 500 bytes a day: 1 KB each in Kinesis, read twice, and 5 KB each in Firehose."""
    lines = cost.estimate(shop, traffic(events_per_day=1_000_000, event_bytes=500), prices).real_time
    assert dollars(lines, "Kinesis Data Streams", "events in") == pytest.approx(30.72 * 0.08)
    assert dollars(lines, "Kinesis Data Streams", "events out") == pytest.approx(61.44 * 0.04)
    assert dollars(lines, "Firehose", "events") == pytest.approx(153.6 * 0.029)
    assert dollars(lines, "Personalize", "events") == pytest.approx(15 * 0.05)


def test_batch_makes_a_list_for_each_user_item_or_all(shop: Config, prices: Prices) -> None:
    asked = traffic(items=500, batch={"runs_per_month": 10, "users_per_run": 2000})
    lines = cost.estimate(shop, asked, prices).batch
    assert dollars(lines, "Personalize", "batch inference of for-you") == pytest.approx(20 * 0.086)
    assert dollars(lines, "Personalize", "batch inference of related") == pytest.approx(5 * 0.086)
    assert dollars(lines, "Personalize", "batch inference of best-sellers") == pytest.approx(0.01 * 0.086)
    assert dollars(lines, "DynamoDB", "lists written") == pytest.approx(10 * (2000 + 500 + 1) * 2 / 1e6 * 0.625)


def test_what_lists_can_not_serve_keeps_its_campaign_in_the_column_of_batch(shop: Config, prices: Prices) -> None:
    """A ranking, and a filter whose values the call brings along; the campaign is asked by these placements alone."""
    found = cost.estimate(shop, traffic(), prices)
    assert found.kept_in_real_time == ["category", "search"]
    assert {line.what for line in found.batch if line.what.startswith("campaign")} == {"campaign for-you", "campaign ranking"}
    assert dollars(found.batch, "Personalize", "campaign for-you") == pytest.approx(1.2 * 2592 * 0.15)
    assert "batch inference of ranking" not in {line.what for line in found.batch}
    assert dollars(found.batch, "Personalize", "events") == dollars(found.real_time, "Personalize", "events")


def test_the_config_as_it_is_has_its_own_batches_as_often_as_it_schedules_them(shop: Config, prices: Prices) -> None:
    """shop.yaml makes a list for each of 400,000 users each morning: 12,000 thousands, $1,032."""
    found = cost.estimate(shop, traffic(), prices)
    assert dollars(found.as_is, "Personalize", "batch inference of for-you") == pytest.approx(1032)
    assert dollars(found.as_is, "Personalize", "campaign related") == dollars(found.real_time, "Personalize", "campaign related")
    weekly = shop.model_copy(update={"schedules": shop.schedules.model_copy(update={"batch": "rate(7 days)"})})
    lines = cost.estimate(weekly, traffic(), prices).as_is
    assert dollars(lines, "Personalize", "batch inference of for-you") == pytest.approx(1032 / 7)


def test_sample_lists_are_two_for_each_user_and_training(shop: Config, prices: Prices) -> None:
    """Five users, a training a week; related items are nobody's own."""
    assert not [line for line in cost.estimate(shop, traffic(), prices).as_is if line.what.startswith("sample lists")]
    asking = {name: one.model_copy(update={"approval": Approval()}) for name, one in shop.solutions.items()}
    lines = cost.estimate(shop.model_copy(update={"solutions": asking}), traffic(), prices).as_is
    assert dollars(lines, "Personalize", "sample lists of for-you") == pytest.approx(10 * 30 / 7 * 0.086 / 1000)
    assert [line.what for line in lines if line.what.startswith("sample lists")] == [
        "sample lists of for-you",
        "sample lists of ranking",
    ]


@pytest.mark.parametrize(
    ("schedule", "runs"),
    [
        ("rate(1 day)", 30),
        ("rate(12 hours)", 60),
        ("cron(0 3 ? * SUN *)", 30 / 7),
        ("cron(0 4 * * ? *)", 30),
        ("cron(0/15 * * * ? *)", 30 * 24 * 4),
        ("cron(0 3 ? * MON-FRI *)", 30 * 5 / 7),
        ("cron(0 3 1,15 * ? *)", 2),
        ("cron(0 3 1 JAN,JUL ? *)", 1 / 6),
    ],
)
def test_how_often_a_schedule_comes_round(schedule: str, runs: float) -> None:
    assert cost.runs_per_month(schedule) == pytest.approx(runs)


def test_an_experiment_splits_the_calls_by_its_weights(shop: Config, prices: Prices) -> None:
    """A quarter of home's calls asks `related`; the control gets the rest, not all."""
    variants = {"control": {"weight": 3}, "other": {"weight": 1, "solution": "related"}}
    raw = shop.placements["home"].model_dump() | {"experiment": {"name": "new-home", "variants": variants}}
    home = Placement.model_validate(raw)
    split = shop.model_copy(update={"placements": {"home": home}})
    busy = traffic(requests_per_second={"default": [100.0] * 24})
    lines = cost.estimate(split, busy, prices).real_time
    calls = {what: next(line.quantity for line in lines if line.what == f"campaign {what}") for what in ("for-you", "related")}
    assert calls["for-you"] == pytest.approx(90 * 2_592_000)
    assert calls["related"] == pytest.approx(30 * 2_592_000)


def test_an_unknown_price_makes_a_range_and_one_without_a_figure_is_named(shop: Config, prices: Prices) -> None:
    lines = cost.estimate(shop, traffic(), prices).real_time
    [for_you] = [line for line in lines if line.what == "campaign for-you"]
    assert (for_you.low, for_you.high) == pytest.approx((for_you.dollars / 2, for_you.dollars * 2))
    [related] = [line for line in lines if line.what == "campaign related"]
    assert related.low == related.dollars == related.high
    assert not prices["personalize_segments"].has_figure
    assert prices["personalize_segments"].dollars(1_000) == 0


def test_traces_are_one_a_second_and_a_share_of_the_rest(shop: Config, prices: Prices) -> None:
    one = shop.model_copy(update={"placements": {"home": shop.placements["home"]}})
    lines = cost.estimate(one, traffic(requests_per_second={"default": [11.0] * 24}), prices).real_time
    [traces] = [line for line in lines if line.what == "traces"]
    assert traces.quantity == pytest.approx(1.5 * 2_592_000)


def test_numbers_are_the_shops_own_where_there_are_csvs_and_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Users, items and events of the CSVs; what is left of the example says that it is one."""
    write(tmp_path / "csv")
    file = tmp_path / "cost.json"
    cost_command.cost(SHOP, data=tmp_path / "csv", json_file=file)
    numbers = {number["name"]: number for number in json.loads(file.read_text())["numbers"]}
    assert (numbers["users"]["value"], numbers["items"]["value"], numbers["interactions"]["value"]) == (80, 60, 4800)
    assert "counted in" in numbers["users"]["source"]
    assert "EXAMPLE" in numbers["trainings_per_month"]["source"]
    first = capsys.readouterr().out.splitlines()[:4]
    assert [line.split("  ")[1] for line in first[1:]] == ["this config as it is", "all in real time", "all by batch"]
    assert "400,000" not in " ".join(first)


def test_both_ways_cost_the_same_at_the_break_even(shop: Config, prices: Prices) -> None:
    many = traffic(batch={"users_per_run": 1_000_000})
    found = cost.estimate(shop, many, prices).break_even
    assert found.requests_per_month is not None
    bill = cost.Bill(shop, many, prices)
    at = cost.scaled(bill, found.requests_per_month / cost.requests_per_month(bill))
    assert cost.total(cost.real_time(at)) == pytest.approx(cost.total(cost.batch(at)))
    assert cost.estimate(shop, traffic(batch={"users_per_run": 10}), prices).break_even == cost.BreakEven(None, "batch")


def test_the_drivers_and_the_services_sum_up_to_the_total(tmp_path: Path) -> None:
    file = tmp_path / "cost.json"
    cost_command.cost(SHOP, json_file=file, plot=tmp_path / "cost.svg")
    answer = json.loads(file.read_text())
    for way in ("as_is", "real_time", "batch"):
        for by in ("by_service", "by_driver"):
            assert sum(part["dollars"] for part in answer[way][by].values()) == pytest.approx(
                answer[way]["dollars_per_month"], abs=0.1
            )
        assert set(answer[way]["by_driver"]) == set(cost.DRIVERS)
        assert answer[way]["certain"] is False
        assert {line["certain"] for line in answer[way]["lines"]} == {True, False}
        assert set(answer[way]["lines"][0]) == {field.name for field in fields(cost.Line)}
    assert "<svg" in (tmp_path / "cost.svg").read_text()


def test_a_million_answers_by_hand(shop: Config, prices: Prices) -> None:
    """20 ms of 1 GB are 20,000 GB-seconds; 4 units of the catalogue and half a one of the user are read each time."""
    assumed = {"recommend_milliseconds": 20, "recommend_own_milliseconds": 5, "catalogue_reads_per_request": 4}
    asked = traffic(assumptions={**assumed, "campaign_calls_per_request": 1.5, "traced_share": 0})
    found = answers.million(cost.Bill(shop, asked, prices))
    assert dollars(found.lines, "API Gateway", "recommendations") == pytest.approx(3.50)
    assert dollars(found.lines, "Lambda", "recommend, calls") == pytest.approx(0.20)
    assert dollars(found.lines, "Lambda", "recommend, time") == pytest.approx(20_000 * 0.0000133334)
    assert dollars(found.lines, "DynamoDB", "reads of the catalogue and the user") == pytest.approx(4.5 * 0.125)
    assert dollars(found.lines, "X-Ray", "traces") == pytest.approx(5 / len(shop.placements))  # one of a second's five
    assert dollars(found.campaigns, "Personalize", "campaign related") == pytest.approx(1500 * 0.0556)
    assert [line.what for line in found.campaigns] == [f"campaign {name}" for name in shop.solutions]


def test_snap_start_costs_what_is_kept_and_what_is_restored(shop: Config, prices: Prices) -> None:
    """A version of 1 GB over 30 days, and a restore of 1 GB at one call in a hundred; nothing of it without the key."""
    on = shop.model_copy(update={"serving": shop.serving.model_copy(update={"snap_start": True})})
    kept, restored = "recommend, snapshot kept", "recommend, snapshot restored"
    month = cost.estimate(on, traffic(), prices)
    for lines in (month.as_is, month.real_time, month.batch):
        assert dollars(lines, "Lambda", kept) == pytest.approx(30 * 86_400 * 0.0000015046)
        assert dollars(lines, "Lambda", restored) == pytest.approx(month.requests_per_month * 0.01 * 0.0001397998)
    of_a_million = answers.million(cost.Bill(on, traffic(), prices)).lines
    assert dollars(of_a_million, "Lambda", restored) == pytest.approx(10_000 * 0.0001397998)
    assert kept not in {line.what for line in of_a_million}, "it is for each month, whatever is asked"
    without = cost.estimate(shop, traffic(), prices)
    assert not {kept, restored} & {line.what for way in (without.as_is, without.batch) for line in way}


def test_time_that_nobody_measured_is_a_range_from_the_benchmark_to_the_assumption(shop: Config, prices: Prices) -> None:
    asked = traffic(assumptions={"recommend_milliseconds": 20, "recommend_own_milliseconds": 5})
    assumed, known = (answers.million(cost.Bill(shop, asked, prices), said) for said in ("", "measured, 700 calls"))
    [low] = [line for line in assumed.lines if line.unit == "GB-seconds"]
    assert low.low == pytest.approx(low.dollars / 4)
    assert (assumed.at_least_ms, assumed.time_from) == (5, "assumed in the traffic file")
    assert all(line.low == line.high for line in known.lines)
    assert (known.at_least_ms, known.time_from) == (20, "measured, 700 calls")
    nothing = traffic(assumptions={"recommend_milliseconds": 0}, requests_per_second={"default": [0.0] * 24})
    assert dollars(answers.million(cost.Bill(shop, nothing, prices)).lines, "X-Ray", "traces") == pytest.approx(
        5
    )  # all are traced


def test_the_command_says_what_a_million_answers_cost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cost.json"
    cost_command.cost(SHOP, json_file=file)
    found, said = json.loads(file.read_text())["million_answers"], capsys.readouterr().out
    assert found["low"] < found["dollars"] == pytest.approx(sum(line["dollars"] for line in found["lines"]), abs=0.01)
    assert found["milliseconds"] == 50 > found["at_least_milliseconds"] == 2
    assert "One million answers, Personalize apart" in said
    assert "50.0 ms of a function with 1 GB, assumed in the traffic file; at least 2.0 ms, by the benchmark" in said


@mock_aws
def test_time_and_reads_of_an_answer_are_measured_where_a_deployment_has_answered(
    shop: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """200 calls of 30 ms with 2,048 MB are 60 ms of 1 GB each; with fewer than a hundred calls nothing is said."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    target = Target("shop", None)

    def put(namespace: str, name: str, dimension: tuple[str, str], value: float) -> None:
        data = {"MetricName": name, "Dimensions": [{"Name": dimension[0], "Value": dimension[1]}], "Value": value}
        boto3.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[data])

    put("AWS/Lambda", "Invocations", ("FunctionName", "shop_recommend"), 90)
    assert measured.answers(target, shop) == {}
    role = boto3.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    boto3.client("lambda").create_function(
        FunctionName="shop_recommend", Role=role, Code={"ZipFile": b"x"}, Runtime="python3.13", Handler="h.h", MemorySize=2048
    )
    put("AWS/Lambda", "Invocations", ("FunctionName", "shop_recommend"), 110)
    put("AWS/Lambda", "Duration", ("FunctionName", "shop_recommend"), 200 * 30)
    assert measured.answers(target, shop).keys() == {measured.TIME}
    put("AWS/DynamoDB", "ConsumedReadCapacityUnits", ("TableName", "shop_catalogue"), 1400)
    found = measured.answers(target, shop)
    assert found[measured.TIME].value == pytest.approx(60)
    assert found[measured.READS].value == pytest.approx(7)
    assert found[measured.TIME].source == "measured in the account, 200 calls of 7 days"
    own = measured.with_numbers(traffic(), found, {})
    assert (own.assumptions.recommend_milliseconds, own.assumptions.catalogue_reads_per_request) == pytest.approx((60, 7))


def test_the_operators_prices_replace_those_that_come_along(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "prices.yaml"
    own.write_text("region: ap-northeast-2\nprices: {glue_dpu_hours: {unit: DPU hours, usd: 1}}\n")
    assert load_prices(own)["glue_dpu_hours"].usd == 1
    assert load_prices(own)["lambda_requests"] == load_prices()["lambda_requests"]
    cost_command.cost(SHOP, prices=own)
    assert "ap-northeast-2, prices as of" in capsys.readouterr().out


def test_every_price_is_used(shop: Config, prices: Prices, monkeypatch: pytest.MonkeyPatch) -> None:
    used: set[str] = set()
    by_name = Prices.__getitem__
    monkeypatch.setattr(Prices, "__getitem__", lambda self, name: (used.add(name), by_name(self, name))[1])
    metadata = shop.solutions["related"].model_copy(update={"campaign": Campaign(metadata=True)})
    shop = shop.model_copy(
        update={
            "solutions": {**shop.solutions, "related": metadata},
            "segments": {"gardeners": Segment(solution="related", item_ids=["i1"])},
        }
    )
    serving = shop.serving.model_copy(update={"snap_start": True})
    key = shop.model_copy(update={"kms_key": "arn:aws:kms:eu-west-1:123456789012:key/x", "serving": serving})
    cost.estimate(key, traffic(), prices)
    assert used == set(prices.prices)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("prices: {glue_dpu_hour: {unit: h, usd: 1}}", "glue_dpu_hour: there is no such price, did you mean 'glue_dpu_hours'?"),
        ("prices: {kms_keys: {unit: keys}}", "prices.kms_keys: give either usd or tiers"),
        ("prices: {kms_keys: {unit: keys, usd: -1}}", "prices.kms_keys.usd"),
        ("prices: [1]", "prices"),
        ("- 1", "must hold a mapping"),
    ],
)
def test_a_price_file_that_is_wrong_is_refused_with_its_entry(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(text)
    with pytest.raises(RecoError) as error:
        load_prices(file)
    assert str(file) in str(error.value)
    assert problem in str(error.value)


def test_traffic_names_placements_of_the_config(shop: Config) -> None:
    asked = traffic(requests_per_second={"hom": [1.0] * 24})
    with pytest.raises(RecoError, match=r"requests_per_second\.hom: .* did you mean 'home'\?"):
        asked.check_names(TRAFFIC, shop.placements, shop.solutions)


def test_a_day_has_24_hours(tmp_path: Path) -> None:
    file = tmp_path / "traffic.yaml"
    raw = yaml.safe_load(TRAFFIC.read_text()) | {"requests_per_second": {"home": [1.0] * 23}}
    file.write_text(yaml.safe_dump(raw))
    with pytest.raises(RecoError, match=r"requests_per_second\.home: .*at least 24"):
        load_traffic(file)


def test_the_prices_say_where_they_are_from() -> None:
    assert all(entry.source for entry in load_prices(PRICES).prices.values())

"""What a deployment costs a month, in real time and by batch. Plain arithmetic: config, traffic and prices in, billed lines out.

A month has 30 days. Tiers are counted line by line. A campaign is billed for the greater of its provisioned minimum and its use
(docs: personalize/latest/dg/campaigns.html).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from lambdas.config import Batch, Config, Solution
from lambdas.config.recipes import RECIPES
from reco.cost.inputs import HOURS_PER_DAY, Prices, Traffic

_DAYS_PER_MONTH = 30
HOURS_PER_MONTH = _DAYS_PER_MONTH * HOURS_PER_DAY
SECONDS_PER_HOUR = 3600
BYTES_PER_GB = 1e9
#: What the services round a record's size up to, in bytes.
KINESIS_STEP, FIREHOSE_STEP, DYNAMODB_STEP = 1024, 5120, 1024
#: The stream keeps records for seven days; the first day is not billed by size.
_EXTENDED_RETENTION_DAYS = 6
#: Who reads the stream: put_events and the archive.
_STREAM_READERS = 2

TRAINING_BY_INTERACTIONS, TRAINING_BY_HOURS = "personalize_training_interactions_v2", "personalize_training_hours"

_Driver = Literal["training data", "training", "inference", "platform"]
DRIVERS: tuple[_Driver, ...] = ("training data", "training", "inference", "platform")


@dataclass(frozen=True)
class Line:
    """A billed line of a month."""

    service: str
    what: str
    driver: _Driver
    quantity: float
    unit: str
    dollars: float
    certain: bool


@dataclass(frozen=True)
class Estimate:
    """Both ways to serve. `requests_per_month` come to the API in either; `break_even` as `break_even` returns it."""

    real_time: list[Line]
    batch: list[Line]
    requests_per_month: float
    break_even: BreakEven


@dataclass(frozen=True)
class BreakEven:
    """The requests a month at which both cost the same, the traffic keeping its shape; None when they never do.

    `cheaper` is then who is cheaper at any number of requests.
    """

    requests_per_month: float | None
    cheaper: Literal["real time", "batch"] | None = None


@dataclass(frozen=True)
class Bill:
    """Makes lines: looks up the price and multiplies."""

    config: Config
    traffic: Traffic
    prices: Prices

    def line(self, service: str, what: str, driver: _Driver, price: str, quantity: float) -> Line:
        entry = self.prices[price]
        return Line(service, what, driver, quantity, entry.unit, entry.dollars(quantity), entry.certain)


def estimate(config: Config, traffic: Traffic, prices: Prices) -> Estimate:
    """The lines of a month. They hold no free tier, no tax, no traffic out of AWS and no support plan."""
    bill = Bill(config, traffic, prices)
    return Estimate(real_time(bill), batch(bill), requests_per_month(bill), break_even(bill))


def real_time(bill: Bill) -> list[Line]:
    return [*archive(bill), *training(bill), *_streaming(bill), *campaigns(bill), *serving(bill, personal=True), *_watching(bill)]


def batch(bill: Bill) -> list[Line]:
    runs = (*batch_input(bill), *_batch_runs(bill))
    return [*archive(bill), *training(bill), *runs, *serving(bill, personal=False), *_watching(bill)]


def total(lines: list[Line]) -> float:
    """Dollars a month."""
    return sum(line.dollars for line in lines)


def _rounded_up(size_bytes: float, step_bytes: int) -> float:
    """A record's size as it is billed."""
    return math.ceil(size_bytes / step_bytes) * step_bytes


def requests_per_month(bill: Bill) -> float:
    """Of all placements."""
    per_day = sum(sum(bill.traffic.hours_of(placement)) * SECONDS_PER_HOUR for placement in bill.config.placements)
    return per_day * _DAYS_PER_MONTH


def _events_per_month(bill: Bill) -> float:
    return bill.traffic.events_per_day * _DAYS_PER_MONTH


def _months_kept(bill: Bill) -> float:
    """How many months of events the archive holds."""
    days = bill.config.archive.keep_days
    return days / _DAYS_PER_MONTH if days else bill.traffic.assumptions.archive_months


def archive(bill: Bill) -> Iterator[Line]:
    """Events through the API into the stream and the archive: the same in both."""
    traffic, events = bill.traffic, _events_per_month(bill)
    size = traffic.event_bytes
    stream_gb = events * _rounded_up(size, KINESIS_STEP) / BYTES_PER_GB
    kept_gb = events * size / BYTES_PER_GB * traffic.assumptions.archive_compression * _months_kept(bill)
    data: _Driver = "training data"
    yield bill.line("API Gateway", "events", data, "api_gateway_requests", events / traffic.events_per_call)
    yield bill.line("Kinesis Data Streams", "the stream", data, "kinesis_stream_hours", HOURS_PER_MONTH)
    yield bill.line("Kinesis Data Streams", "events in", data, "kinesis_in", stream_gb)
    yield bill.line("Kinesis Data Streams", "events out", data, "kinesis_out", stream_gb * _STREAM_READERS)
    retained_gb_months = stream_gb / _DAYS_PER_MONTH * _EXTENDED_RETENTION_DAYS
    yield bill.line("Kinesis Data Streams", "kept for seven days", data, "kinesis_retention", retained_gb_months)
    yield bill.line("Firehose", "events", data, "firehose_in", events * _rounded_up(size, FIREHOSE_STEP) / BYTES_PER_GB)
    yield bill.line("S3", "archive", data, "s3_storage", kept_gb)
    if bill.config.kms_key:
        yield bill.line("KMS", "key of the data bucket", data, "kms_keys", 1)


def training_price(solution: Solution) -> str:
    """The price's name: v2 recipes are billed by the interactions that they learn from, the others by hours."""
    return TRAINING_BY_INTERACTIONS if solution.recipe.endswith("-v2") else TRAINING_BY_HOURS


def campaign_price(solution: Solution) -> str:
    """The name of the price of a campaign's requests."""
    return "personalize_requests_v2" if solution.recipe.endswith("-v2") else "personalize_requests"


def training(bill: Bill) -> Iterator[Line]:
    traffic, runs = bill.traffic, bill.traffic.trainings_per_month
    for name, solution in bill.config.solutions.items():
        price = training_price(solution)
        of_one = traffic.interactions if price == TRAINING_BY_INTERACTIONS else traffic.training_hours_of(name)
        yield bill.line("Personalize", f"training of {name}", "training", price, runs * of_one)
    transitions = runs * traffic.assumptions.transitions_per_train_run
    yield bill.line("Step Functions", "train runs", "training", "step_functions_transitions", transitions)


def _streaming(bill: Bill) -> Iterator[Line]:
    """Events into Personalize as they come, and users' recent items."""
    traffic, events = bill.traffic, _events_per_month(bill)
    data: _Driver = "training data"
    yield bill.line("Personalize", "events", data, "personalize_ingestion", events * traffic.event_bytes / BYTES_PER_GB)
    gb_seconds = events * traffic.assumptions.put_events_milliseconds / 1000
    yield bill.line("Lambda", "put_events", data, "lambda_duration", gb_seconds)
    if bill.config.recent_event_types():
        yield bill.line("DynamoDB", "recent items", data, "dynamodb_writes", events)


def _campaign_requests_per_month(bill: Bill, solution: str) -> float:
    """What a campaign is billed for: in each hour the greater of its provisioned minimum and what its placements ask for."""
    campaign = bill.config.solutions[solution].campaign
    minimum_per_second = campaign.min_provisioned_tps if campaign else 0
    asked_by = [bill.traffic.hours_of(name) for name, place in bill.config.placements.items() if place.solution == solution]
    calls = bill.traffic.assumptions.campaign_calls_per_request
    billed_per_second = [max(minimum_per_second, calls * sum(hours[hour] for hours in asked_by)) for hour in range(HOURS_PER_DAY)]
    return sum(billed_per_second) * SECONDS_PER_HOUR * _DAYS_PER_MONTH


def campaigns(bill: Bill) -> Iterator[Line]:
    for name, solution in bill.config.solutions.items():
        if solution.campaign:
            billed = _campaign_requests_per_month(bill, name)
            yield bill.line("Personalize", f"campaign {name}", "inference", campaign_price(solution), billed)


def batch_input(bill: Bill) -> Iterator[Line]:
    """The interactions of a month are imported from the archive, instead of being streamed."""
    gb = _events_per_month(bill) * bill.traffic.event_bytes / BYTES_PER_GB
    yield bill.line("Personalize", "imports", "training data", "personalize_ingestion", gb)


def _batch_lists_per_run(bill: Bill, solution: str) -> float:
    """A list for each user, for each item where the recipe relates items, one for all where it is the same for all."""
    recipe = RECIPES[bill.config.solutions[solution].recipe]
    if recipe.same_for_all:
        return 1.0
    return bill.traffic.items if recipe.type == "RELATED_ITEMS" else bill.traffic.batch.users_per_run


def _batch_runs(bill: Bill) -> Iterator[Line]:
    """Glue, batch inference for every solution that a placement shows, and the lists' way into DynamoDB."""
    traffic, runs = bill.traffic, bill.traffic.batch.runs_per_month
    shown = dict.fromkeys(placement.solution for placement in bill.config.placements.values())
    lists = {solution: _batch_lists_per_run(bill, solution) * runs for solution in shown}
    yield bill.line("Glue", "batch input", "inference", "glue_dpu_hours", runs * traffic.batch.glue_dpu_hours_per_run)
    for solution, count in lists.items():
        yield bill.line("Personalize", f"batch inference of {solution}", "inference", "personalize_batch", count)
    size = traffic.assumptions.list_bytes
    written = sum(lists.values()) * _rounded_up(size, DYNAMODB_STEP) / DYNAMODB_STEP
    yield bill.line("DynamoDB", "lists written", "inference", "dynamodb_writes", written)
    # The newest version, and those before it that are still to expire.
    kept_days = max((batch.keep_days for batch in bill.config.batch.values()), default=Batch.model_fields["keep_days"].default)
    kept_gb = sum(lists.values()) / max(runs, 1) * (1 + runs * kept_days / _DAYS_PER_MONTH) * size / BYTES_PER_GB
    yield bill.line("DynamoDB", "lists kept", "inference", "dynamodb_storage", kept_gb)
    transitions = runs * traffic.assumptions.transitions_per_batch_run
    yield bill.line("Step Functions", "batch runs", "inference", "step_functions_transitions", transitions)


def serving(bill: Bill, *, personal: bool) -> Iterator[Line]:
    """The API's answers: with `personal` from campaigns and the catalogue, else a list that is read beside the catalogue."""
    assumed, requests = bill.traffic.assumptions, requests_per_month(bill)
    reads = requests * (assumed.catalogue_reads_per_request + (0.5 if personal else 1.0))
    yield bill.line("API Gateway", "recommendations", "inference", "api_gateway_requests", requests)
    yield bill.line("Lambda", "recommend, calls", "inference", "lambda_requests", requests)
    yield bill.line("Lambda", "recommend, time", "inference", "lambda_duration", requests * assumed.recommend_milliseconds / 1000)
    yield bill.line("DynamoDB", "reads of the catalogue and the user", "inference", "dynamodb_reads", reads)


def _watching(bill: Bill) -> Iterator[Line]:
    assumed, requests = bill.traffic.assumptions, requests_per_month(bill)
    logs_gb = requests * assumed.log_bytes_per_request / BYTES_PER_GB
    yield bill.line("CloudWatch", "logs", "platform", "cloudwatch_logs", logs_gb)
    yield bill.line("CloudWatch", "metrics", "platform", "cloudwatch_metrics", assumed.custom_metrics)
    yield bill.line("CloudWatch", "alarms", "platform", "cloudwatch_alarms", assumed.alarms)
    yield bill.line("CloudWatch", "dashboard", "platform", "cloudwatch_dashboards", 1)
    yield bill.line("X-Ray", "traces", "platform", "xray_traces", requests * assumed.traced_share)


def scaled(bill: Bill, factor: float) -> Bill:
    """The same with `factor` times the requests to placements; events stay as they are."""
    rates = {name: [factor * rate for rate in hours] for name, hours in bill.traffic.requests_per_second.items()}
    return replace(bill, traffic=bill.traffic.model_copy(update={"requests_per_second": rates}))


def break_even(bill: Bill) -> BreakEven:
    """By bisection over the number of requests: real time has a floor and grows, batch has the users' lists and hardly grows."""

    def real_time_is_dearer(factor: float) -> bool:
        at = scaled(bill, factor)
        return total(real_time(at)) > total(batch(at))

    if real_time_is_dearer(0):
        return BreakEven(None, "batch")
    low, high = 0.0, 1.0
    requests = requests_per_month(bill)
    while not real_time_is_dearer(high):
        low, high = high, 2 * high
        if high > 2**40 or requests == 0:
            return BreakEven(None, "real time")
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if real_time_is_dearer(middle) else (middle, high)
    return BreakEven(high * requests)

"""What a deployment costs a month, in real time and by batch. Plain arithmetic: config, traffic and prices in, billed lines out.

A month has 30 days. Tiers are counted line by line. A campaign is billed for the greater of its provisioned minimum and its use
(docs: personalize/latest/dg/campaigns.html).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from lambdas.config import Batch, Config, Solution
from lambdas.config.recipes import RECIPES
from lambdas.config.serving import RECOMMEND_MB
from reco.cost.inputs import HOURS_PER_DAY, Prices, Traffic
from reco.cost.schedules import DAYS_PER_MONTH, runs_per_month

HOURS_PER_MONTH = DAYS_PER_MONTH * HOURS_PER_DAY
SECONDS_PER_HOUR = 3600
BYTES_PER_GB = 1e9
#: What the services round a record's size up to, in bytes.
KINESIS_STEP, FIREHOSE_STEP, DYNAMODB_STEP = 1024, 5120, 1024
#: The stream keeps records for seven days; the first day is not billed by size.
_EXTENDED_RETENTION_DAYS = 6
#: The memory of `recommend`, in GB: a snapshot is billed by it (https://aws.amazon.com/lambda/pricing/, SnapStart).
_RECOMMEND_GB = RECOMMEND_MB / 1024
#: The month that is told beside the first: events stay in the data set, so that trainings cost more from month to month.
LATER = 12
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
    low: float
    high: float
    certain: bool
    has_figure: bool = True


@dataclass(frozen=True)
class Estimate:
    """The config as it is, and both ways to serve all of it. `requests_per_month` come to the API in each.

    `kept_in_real_time` are the placements that batch can't serve: they keep their campaigns in `batch` too. `later` is the config
    as it is in the month `LATER`, when a year's events have come to the data.
    """

    as_is: list[Line]
    real_time: list[Line]
    batch: list[Line]
    requests_per_month: float
    break_even: BreakEven
    kept_in_real_time: list[str]
    later: list[Line]


@dataclass(frozen=True)
class BreakEven:
    """The requests a month at which both cost the same, the traffic keeping its shape; None when they never do.

    `cheaper` is then who is cheaper at any number of requests.
    """

    requests_per_month: float | None
    cheaper: Literal["real time", "batch"] | None = None


@dataclass(frozen=True)
class Bill:
    """Makes lines: looks up the price and multiplies. In `month` 1 the traffic's `interactions` are loaded."""

    config: Config
    traffic: Traffic
    prices: Prices
    month: int = 1

    def line(self, service: str, what: str, driver: _Driver, price: str, quantity: float) -> Line:
        entry = self.prices[price]
        low, high = entry.bounds(quantity)
        dollars = entry.dollars(quantity)
        return Line(service, what, driver, quantity, entry.unit, dollars, low, high, entry.certain, entry.has_figure)


def estimate(config: Config, traffic: Traffic, prices: Prices) -> Estimate:
    """The lines of a month. They hold no free tier, no tax, no traffic out of AWS and no support plan."""
    bill = Bill(config, traffic, prices)
    kept = [name for name in config.placements if not _can_be_batch(config, name)]
    later = _as_is(replace(bill, month=LATER))
    return Estimate(_as_is(bill), real_time(bill), batch(bill), requests_per_month(bill), break_even(bill), kept, later)


def _as_is(bill: Bill) -> list[Line]:
    """What the config says: its campaigns, and its batches and segments as often as it schedules them."""
    schedules, traffic = bill.config.schedules, bill.traffic
    trainings = runs_per_month(schedules.train) if schedules.train else traffic.trainings_per_month
    runs = runs_per_month(schedules.batch) if schedules.batch else traffic.batch.runs_per_month
    batches = traffic.batch.model_copy(update={"runs_per_month": runs})
    own = replace(bill, traffic=traffic.model_copy(update={"trainings_per_month": trainings, "batch": batches}))
    made = {job.solution: _batch_lists_per_run(own, job.solution) * runs for job in own.config.batch.values()}
    jobs = [*_batch_runs(own, made), *_segments(own)] if own.config.batch or own.config.segments else []
    return [*real_time(own), *jobs, *_sample_lists(own)]


def _sample_lists(bill: Bill) -> Iterator[Line]:
    """What a person is shown who decides about a version: each user's list by the new one and by the one that serves."""
    for name, solution in bill.config.solutions.items():
        if solution.sample_users:
            lists = 2 * solution.sample_users * bill.traffic.trainings_per_month
            yield bill.line("Personalize", f"sample lists of {name}", "training", _batch_price(solution), lists)


def _batch_price(solution: Solution) -> str:
    return "personalize_batch_v2" if solution.recipe.endswith("-v2") else "personalize_batch"


def _can_be_batch(config: Config, placement: str) -> bool:
    """Whether a list made ahead can stand in: not for a ranking, nor where the call brings values for the filter or the rules."""
    for each in [config.placements[placement], *config.placements[placement].variants().values()]:
        ranks = RECIPES[config.solutions[each.solution].recipe].type == "PERSONALIZED_RANKING"
        asks = each.filter is not None and "$" in config.filters[each.filter]
        reads_context = any('"context"' in config.rules[name].model_dump_json(exclude_none=True) for name in each.rules)
        if ranks or asks or reads_context:
            return False
    return True


def real_time(bill: Bill) -> list[Line]:
    return [*archive(bill), *training(bill), *_streaming(bill), *campaigns(bill), *serving(bill, personal=True), *_watching(bill)]


def batch(bill: Bill) -> list[Line]:
    """Lists for all that lists can serve; the other placements keep their campaigns, and then events are streamed too."""
    listed = [name for name in bill.config.placements if _can_be_batch(bill.config, name)]
    kept = bill.config.placements.keys() - listed
    shown = dict.fromkeys(bill.config.placements[name].solution for name in listed)
    made = {solution: _batch_lists_per_run(bill, solution) * bill.traffic.batch.runs_per_month for solution in shown}
    runs = (*_batch_runs(bill, made), *_segments(bill))
    fed = (*_streaming(bill), *campaigns(bill, kept)) if kept else batch_input(bill)
    return [*archive(bill), *training(bill), *fed, *runs, *serving(bill, personal=False), *_watching(bill)]


def total(lines: list[Line]) -> float:
    """Dollars a month."""
    return sum(line.dollars for line in lines)


def _rounded_up(size_bytes: float, step_bytes: int) -> float:
    """A record's size as it is billed."""
    return math.ceil(size_bytes / step_bytes) * step_bytes


def requests_per_month(bill: Bill) -> float:
    """Of all placements."""
    per_day = sum(sum(bill.traffic.hours_of(placement)) * SECONDS_PER_HOUR for placement in bill.config.placements)
    return per_day * DAYS_PER_MONTH


def _events_per_month(bill: Bill) -> float:
    return bill.traffic.events_per_day * DAYS_PER_MONTH


def _months_kept(bill: Bill) -> float:
    """How many months of events the archive holds."""
    days = bill.config.archive.keep_days
    return days / DAYS_PER_MONTH if days else bill.traffic.assumptions.archive_months


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
    retained_gb_months = stream_gb / DAYS_PER_MONTH * _EXTENDED_RETENTION_DAYS
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


def _interactions(bill: Bill, month: int) -> float:
    """What the dataset holds in the middle of a month: events stay in it."""
    return bill.traffic.interactions + _events_per_month(bill) * (month - 0.5)


def training(bill: Bill) -> Iterator[Line]:
    """By interactions or by hours, which are taken to grow as the interactions do from those that the traffic has for month 1."""
    traffic, runs = bill.traffic, bill.traffic.trainings_per_month
    interactions = _interactions(bill, bill.month)
    growth = interactions / _interactions(bill, 1) if interactions else 1.0
    for name, solution in bill.config.solutions.items():
        price = training_price(solution)
        of_one = interactions if price == TRAINING_BY_INTERACTIONS else traffic.training_hours_of(name) * growth
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
        units = events * traffic.assumptions.recent_item_write_units
        yield bill.line("DynamoDB", "recent items", data, "dynamodb_writes", units)


def _shares(config: Config, placement: str) -> dict[str, float]:
    """Which share of a placement's calls each solution answers: with an experiment, by the variants' weights."""
    of = config.placements[placement]
    if of.experiment is None:
        return {of.solution: 1.0}
    whole = sum(variant.weight for variant in of.experiment.variants.values())
    found: dict[str, float] = {}
    for variant in of.experiment.variants.values():
        solution = variant.solution or of.solution
        found[solution] = found.get(solution, 0.0) + variant.weight / whole
    return found


def _asked_per_second(bill: Bill, solution: str, placements: Collection[str]) -> list[float]:
    """Calls a second of a solution in each hour, from these placements."""
    shares = {name: _shares(bill.config, name).get(solution, 0.0) for name in placements}
    calls = bill.traffic.assumptions.campaign_calls_per_request
    return [
        calls * sum(share * bill.traffic.hours_of(name)[hour] for name, share in shares.items()) for hour in range(HOURS_PER_DAY)
    ]


def _campaign_requests_per_month(bill: Bill, solution: str, placements: Collection[str]) -> float:
    """What a campaign is billed for: in each hour the greater of its provisioned minimum and what its placements ask for."""
    campaign = bill.config.solutions[solution].campaign
    minimum_per_second = campaign.min_provisioned_tps if campaign else 0
    billed_per_second = [max(minimum_per_second, asked) for asked in _asked_per_second(bill, solution, placements)]
    return sum(billed_per_second) * SECONDS_PER_HOUR * DAYS_PER_MONTH


def campaigns(bill: Bill, placements: Collection[str] | None = None) -> Iterator[Line]:
    """All campaigns; or those alone that these placements ask."""
    asking = bill.config.placements if placements is None else placements
    asked = {solution for name in asking for solution in _shares(bill.config, name)}
    for name, solution in bill.config.solutions.items():
        if solution.campaign is None or (placements is not None and name not in asked):
            continue
        billed = _campaign_requests_per_month(bill, name, asking)
        yield bill.line("Personalize", f"campaign {name}", "inference", campaign_price(solution), billed)
        if solution.campaign.metadata and not solution.recipe.endswith("-v2"):
            calls = sum(_asked_per_second(bill, name, asking)) * SECONDS_PER_HOUR * DAYS_PER_MONTH
            yield bill.line("Personalize", f"metadata of {name}", "inference", "personalize_metadata", calls)


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


def _batch_runs(bill: Bill, lists: Mapping[str, float]) -> Iterator[Line]:
    """Glue, batch inference for so many lists of each solution in a month, and the lists' way into DynamoDB."""
    traffic, runs = bill.traffic, bill.traffic.batch.runs_per_month
    yield bill.line("Glue", "batch input", "inference", "glue_dpu_hours", runs * traffic.batch.glue_dpu_hours_per_run)
    for solution, count in lists.items():
        price = _batch_price(bill.config.solutions[solution])
        yield bill.line("Personalize", f"batch inference of {solution}", "inference", price, count)
    size = traffic.assumptions.list_bytes
    written = sum(lists.values()) * _rounded_up(size, DYNAMODB_STEP) / DYNAMODB_STEP
    yield bill.line("DynamoDB", "lists written", "inference", "dynamodb_writes", written)
    # The newest version, and those before it that are still to expire.
    kept_days = max((batch.keep_days for batch in bill.config.batch.values()), default=Batch.model_fields["keep_days"].default)
    kept_gb = sum(lists.values()) / max(runs, 1) * (1 + runs * kept_days / DAYS_PER_MONTH) * size / BYTES_PER_GB
    yield bill.line("DynamoDB", "lists kept", "inference", "dynamodb_storage", kept_gb)
    transitions = runs * traffic.assumptions.transitions_per_batch_run
    yield bill.line("Step Functions", "batch runs", "inference", "step_functions_transitions", transitions)


def _segments(bill: Bill) -> Iterator[Line]:
    """Batch segment jobs, by the users that they rank."""
    runs = bill.traffic.batch.runs_per_month
    for name in bill.config.segments:
        yield bill.line("Personalize", f"segment {name}", "inference", "personalize_segments", runs * bill.traffic.users)


def serving(bill: Bill, *, personal: bool) -> Iterator[Line]:
    """The API's answers of a month, and the snapshot of the one published version, where there is one."""
    if bill.config.serving.snap_start:
        kept = _RECOMMEND_GB * HOURS_PER_MONTH * SECONDS_PER_HOUR
        yield bill.line("Lambda", "recommend, snapshot kept", "inference", "lambda_snapshot_cache", kept)
    yield from answering(bill, requests_per_month(bill), personal=personal)


def answering(bill: Bill, requests: float, *, personal: bool) -> Iterator[Line]:
    """So many answers: with `personal` from campaigns and the catalogue, else a list that is read beside the catalogue."""
    assumed = bill.traffic.assumptions
    reads = requests * (assumed.catalogue_reads_per_request + (0.5 if personal else 1.0))
    yield bill.line("API Gateway", "recommendations", "inference", "api_gateway_requests", requests)
    yield bill.line("Lambda", "recommend, calls", "inference", "lambda_requests", requests)
    yield bill.line("Lambda", "recommend, time", "inference", "lambda_duration", requests * assumed.recommend_milliseconds / 1000)
    if bill.config.serving.snap_start:
        restored = requests * assumed.new_worker_share * _RECOMMEND_GB
        yield bill.line("Lambda", "recommend, snapshot restored", "inference", "lambda_snapshot_restores", restored)
    yield bill.line("DynamoDB", "reads of the catalogue and the user", "inference", "dynamodb_reads", reads)


def watching(bill: Bill, requests: float, traces: float) -> Iterator[Line]:
    """The logs of so many answers, and so many traces."""
    logs_gb = requests * bill.traffic.assumptions.log_bytes_per_request / BYTES_PER_GB
    yield bill.line("CloudWatch", "logs", "platform", "cloudwatch_logs", logs_gb)
    yield bill.line("X-Ray", "traces", "platform", "xray_traces", traces)


def _watching(bill: Bill) -> Iterator[Line]:
    traffic, assumed = bill.traffic, bill.traffic.assumptions
    yield from watching(bill, requests_per_month(bill), traces_per_month(bill))
    yield bill.line("CloudWatch", "metrics", "platform", "cloudwatch_metrics", assumed.custom_metrics)
    yield bill.line("CloudWatch", "alarms", "platform", "cloudwatch_alarms", assumed.alarms)
    yield bill.line("CloudWatch", "dashboard", "platform", "cloudwatch_dashboards", 1)
    tables_gb = (traffic.items * assumed.catalogue_item_bytes + traffic.users * assumed.recent_user_bytes) / BYTES_PER_GB
    yield bill.line("DynamoDB", "catalogue and recent items kept", "platform", "dynamodb_storage", tables_gb)
    if bill.config.protection.keep != "nothing":
        yield bill.line("DynamoDB", "point-in-time recovery", "platform", "dynamodb_backup", tables_gb)


def traces_per_month(bill: Bill) -> float:
    """X-Ray samples the first request of each second, and a share of the others."""
    share = bill.traffic.assumptions.traced_share
    per_second = [sum(bill.traffic.hours_of(name)[hour] for name in bill.config.placements) for hour in range(HOURS_PER_DAY)]
    traced = sum(min(rate, 1.0) + share * max(rate - 1.0, 0.0) for rate in per_second)
    return traced * SECONDS_PER_HOUR * DAYS_PER_MONTH


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

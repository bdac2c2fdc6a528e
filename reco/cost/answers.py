"""What a million answers of the API cost: line by line, and what Personalize asks for them apart."""

from __future__ import annotations

from dataclasses import dataclass, replace

from reco.cost.estimate import Bill, Line, answering, campaign_price, requests_per_month, traces_per_month, watching

_ANSWERS = 1_000_000


@dataclass(frozen=True)
class Answers:
    """`lines` are of the function, the API and the tables. `campaigns` are each for the case that it is asked for all answers.

    `time_from` says where the function's milliseconds are from, and `at_least_ms` is below them where they are an assumption.
    """

    lines: list[Line]
    campaigns: list[Line]
    milliseconds: float
    at_least_ms: float
    time_from: str
    reads_from: str


def million(bill: Bill, time_from: str = "", reads_from: str = "") -> Answers:
    """By list price of the first tier, without the minimum that a campaign costs.

    `time_from` and `reads_from` say how they were measured. What was not measured is an assumption of the traffic file; the
    function's time is then at least what the benchmark measured with a Personalize that answers at once.
    """
    assumed, requests = bill.traffic.assumptions, requests_per_month(bill)
    traced = traces_per_month(bill) / requests if requests else 1.0
    whole, own = assumed.recommend_milliseconds, assumed.recommend_own_milliseconds
    least = whole if time_from else min(own, whole)
    share = least / whole if whole else 1.0
    lines = [*answering(bill, _ANSWERS, personal=True), *watching(bill, _ANSWERS, _ANSWERS * traced)]
    calls = _ANSWERS * assumed.campaign_calls_per_request
    campaigns = [
        bill.line("Personalize", f"campaign {name}", "inference", campaign_price(solution), calls)
        for name, solution in bill.config.solutions.items()
        if solution.campaign
    ]
    return Answers(
        [replace(line, low=line.low * share) if line.unit == "GB-seconds" else line for line in lines],
        campaigns,
        whole,
        least,
        time_from or "assumed in the traffic file",
        reads_from or "assumed in the traffic file",
    )

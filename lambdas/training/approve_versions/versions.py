"""What Personalize and the table of runs know about versions that are up for a decision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lambdas.aws import clients
from lambdas.aws.ensure import described, newest
from lambdas.config import Config
from lambdas.config.names import campaign_arn, solution_arn
from lambdas.stores.runs import accepted, versions
from lambdas.training.approve_versions.gate import Verdict, judge
from lambdas.training.version_metrics import numbers, version_metrics


def judge_versions(config: Config, trained: Sequence[Mapping[str, Any]]) -> list[Verdict]:
    """A verdict on each trained version that a campaign shall serve or a batch job shall use."""
    metrics_of_run = {part["name"]: numbers(part["metrics"]) for part in trained if part["status"] == "ACTIVE"}
    return [
        judge(
            part["name"],
            config.solutions[part["name"]],
            part,
            _deployed_version(config, part["name"]),
            baseline(config, part["name"], metrics_of_run),
            next((r.decision for r in versions(part["name"]) if r.version_arn == part["arn"]), None),
        )
        for part in trained
        if part["status"] == "ACTIVE" and _needs_verdict(config, part["name"])
    ]


def baseline(config: Config, solution: str, metrics_of_run: Mapping[str, Mapping[str, float]]) -> float | None:
    """The number that the solution's gate wants to be beaten: of this run, of the version that serves, or else of the newest."""
    gate = config.solutions[solution].gate
    if gate is None or gate.beats is None:
        return None
    for metrics in _metrics_of_baseline(config, gate.beats, metrics_of_run):
        if gate.metric in metrics:
            return metrics[gate.metric]
    return None


def _metrics_of_baseline(
    config: Config, solution: str, metrics_of_run: Mapping[str, Mapping[str, float]]
) -> Iterator[Mapping[str, float]]:
    """What is known of the baseline, one after the other: each costs a call or two."""
    yield metrics_of_run.get(solution, {})
    deployed = _deployed_version(config, solution)
    yield deployed[1] if deployed else {}
    latest = _newest_active(config, solution)
    yield version_metrics(latest) if latest else {}


def _newest_active(config: Config, solution: str) -> str | None:
    """The newest version of a solution that is trained, None when there is none."""
    client = clients.personalize()
    pages = client.get_paginator("list_solution_versions").paginate(solutionArn=solution_arn(config, solution))
    try:
        versions = [dict(version) for page in pages for version in page["solutionVersions"]]
    except client.exceptions.ResourceNotFoundException:
        return None
    latest = newest([version for version in versions if version["status"] == "ACTIVE"])
    return str(latest["solutionVersionArn"]) if latest else None


def _needs_verdict(config: Config, solution: str) -> bool:
    of_jobs = {job.solution for jobs in (config.batch, config.segments) for job in jobs.values()}
    return config.solutions[solution].campaign is not None or solution in of_jobs


def _deployed_version(config: Config, solution: str) -> tuple[str, dict[str, float]] | None:
    """The version that serves, with its metrics: the campaign's, else the one that passed last. None if there is none."""
    if config.solutions[solution].campaign is None:
        record = accepted(solution)
        return (record.version_arn, numbers(record.metrics)) if record else None
    client = clients.personalize()
    campaign = described(lambda: dict(client.describe_campaign(campaignArn=campaign_arn(config, solution))))
    if campaign is None or campaign["status"] != "ACTIVE":
        return None
    version = campaign["solutionVersionArn"]
    return version, version_metrics(version)

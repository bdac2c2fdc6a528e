"""What Personalize and the table of runs know about versions that are up for a decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lambdas.approve_versions.gate import Verdict, judge
from lambdas.shared import clients
from lambdas.shared.config import Config
from lambdas.shared.ensure import described
from lambdas.shared.names import campaign_arn
from lambdas.shared.runs import accepted, versions


def judge_versions(config: Config, trained: Sequence[Mapping[str, Any]]) -> list[Verdict]:
    """A verdict on each trained version that a campaign shall serve or a batch job shall use."""
    metrics_of_run = {part["name"]: part["metrics"] for part in trained if part["status"] == "ACTIVE"}
    return [
        judge(
            part["name"],
            config.solutions[part["name"]],
            part,
            deployed_version(config, part["name"]),
            metrics_of_run,
            next((r.decision for r in versions(part["name"]) if r.version_arn == part["arn"]), None),
        )
        for part in trained
        if part["status"] == "ACTIVE" and needs_verdict(config, part["name"])
    ]


def needs_verdict(config: Config, solution: str) -> bool:
    of_jobs = {job.solution for jobs in (config.batch, config.segments) for job in jobs.values()}
    return config.solutions[solution].campaign is not None or solution in of_jobs


def deployed_version(config: Config, solution: str) -> tuple[str, dict[str, float]] | None:
    """The version that serves, with its metrics: the campaign's, else the one that passed last. None if there is none."""
    if config.solutions[solution].campaign is None:
        record = accepted(solution)
        return (record.version_arn, record.metrics) if record else None
    client = clients.personalize()
    campaign = described(lambda: dict(client.describe_campaign(campaignArn=campaign_arn(config, solution))))
    if campaign is None or campaign["status"] != "ACTIVE":
        return None
    version = campaign["solutionVersionArn"]
    return version, dict(client.get_solution_metrics(solutionVersionArn=version)["metrics"])

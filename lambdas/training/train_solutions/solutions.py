"""One solution and its newest version: made, trained when there is new data, measured."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any, cast

from lambdas.aws import clients
from lambdas.aws.ensure import (
    ConfigurationDrift,
    StepResult,
    active,
    create_or_wait,
    described,
    found_or_made_anew,
    found_status,
    newest,
    refuse_stranger,
)
from lambdas.config import Config, Solution
from lambdas.config.names import dataset_arn, dataset_group_arn, solution_arn, solution_name
from lambdas.config.recipes import recipe_arn
from lambdas.config.requests import solution_config
from lambdas.config.tags import deployment_tags
from lambdas.training.imports import import_jobs


def ensure_solution(config: Config, name: str, run_started: datetime) -> StepResult:
    """The solution as the config wants it. Raises ConfigurationDrift when it was made otherwise."""
    solution, wanted = solution_arn(config, name), config.solutions[name]
    there = described(lambda: dict(clients.personalize().describe_solution(solutionArn=solution)))
    if there is None:
        return create_or_wait(solution, lambda: create_solution(config, name, wanted))
    refuse_stranger(solution, there, dataset_group_arn(config))
    _refuse_drift(name, wanted, there)
    delete = partial(clients.personalize().delete_solution, solutionArn=solution)
    return found_or_made_anew(solution, there, run_started, delete)


def create_solution(config: Config, name: str, wanted: Solution) -> None:
    """Automatic training is off, always said: the service's default is on, and bills a training every week."""
    clients.personalize().create_solution(
        name=solution_name(config, name),
        datasetGroupArn=dataset_group_arn(config),
        recipeArn=recipe_arn(wanted.recipe),
        performAutoTraining=False,
        solutionConfig=solution_config(wanted),
        tags=deployment_tags(config),
        **cast(Any, {"eventType": wanted.event_type} if wanted.event_type else {}),
    )


def _refuse_drift(name: str, wanted: Solution, there: dict[str, Any]) -> None:
    """A solution's recipe, event type and threshold are fixed when it is made."""
    settings = there.get("solutionConfig") or {}
    pairs = {
        "recipe": (wanted.recipe, there.get("recipeArn", "").rsplit("/", 1)[-1]),
        "event_type": (wanted.event_type, there.get("eventType")),
        "event_value_threshold": (
            solution_config(wanted).get("eventValueThreshold"),
            settings.get("eventValueThreshold"),
        ),
    }
    for setting, (asked, given) in pairs.items():
        if (asked or None) != (given or None):
            raise ConfigurationDrift(
                f"solutions.{name}.{setting}: the config says {asked!r}, the solution in Personalize has {given!r}, and a "
                f"solution can't be changed in that: give the new one another name, or delete the old one"
            )


def ensure_version(config: Config, name: str, run_started: datetime, retrain: bool) -> StepResult:
    """The solution's newest version, after a training if `retrain` says so or data was imported since it was made.

    A version made since the run began is this run's: a retried call finds it instead of training twice.
    """
    solution = solution_arn(config, name)
    latest = _newest_version(solution)
    if latest is not None:
        ours = latest["creationDateTime"] >= run_started
        running = latest["status"] in ("CREATE PENDING", "CREATE IN_PROGRESS")
        if ours or running:
            return found_status(latest["solutionVersionArn"], _describe_version(latest["solutionVersionArn"]))
        fresh = latest["status"] == "ACTIVE" and latest["creationDateTime"] >= _last_import(config)
        if fresh and not retrain:
            return active(latest["solutionVersionArn"])
    builds_on = latest is not None and latest["status"] == "ACTIVE" and not retrain
    return create_or_wait(
        solution,
        lambda: clients.personalize().create_solution_version(
            solutionArn=solution,
            trainingMode=config.solutions[name].training_mode if builds_on else "FULL",
            tags=deployment_tags(config),
        ),
    )


def _newest_version(solution: str) -> dict[str, Any] | None:
    """The summary of the solution's latest version, by its creation."""
    pages = clients.personalize().get_paginator("list_solution_versions").paginate(solutionArn=solution)
    versions = [version for page in pages for version in page["solutionVersions"]]
    return newest(versions)


def _describe_version(version: str) -> dict[str, Any]:
    return dict(clients.personalize().describe_solution_version(solutionVersionArn=version)["solutionVersion"])


def _last_import(config: Config) -> datetime:
    """When the last import into any dataset of the deployment ended."""
    jobs = [job for kind in config.datasets.present() for job in import_jobs(dataset_arn(config, kind))]
    ends: list[datetime] = [job["lastUpdatedDateTime"] for job in jobs if job["status"] == "ACTIVE"]
    return max(ends)

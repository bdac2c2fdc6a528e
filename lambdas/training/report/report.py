"""What a train run came to, in words that tell an operator what to do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from lambdas.aws.failures import Failure, problem
from lambdas.stores.reports import of_what
from lambdas.stores.runs import Decision, VersionRecord
from lambdas.stores.sample_lists import Made


class Part(BaseModel):
    """How one dataset, filter, solution or campaign ended."""

    name: str = ""
    kind: str = ""
    status: str = ""
    arn: str = ""
    recipe: str = ""
    metrics: dict[str, float] = Field(default_factory=dict)
    version_arn: str = ""
    goes_live: bool = False
    rows_left_out: int = 0
    items_removed: int = 0
    failure: Failure | None = None


class Judgement(BaseModel):
    """A verdict of `approve_versions`."""

    name: str
    arn: str
    decision: Decision
    reasons: list[str] = Field(default_factory=list)
    deployed_metrics: dict[str, float] = Field(default_factory=dict)


class Answer(BaseModel):
    """What a person said about a version; `error` is set when nobody did: `States.Timeout` when the time was over."""

    name: str
    approved: bool
    error: str = ""
    samples: Made = Field(default_factory=Made)


class Run(BaseModel):
    """All that the state machine hands over at the end, well or badly."""

    run_id: str
    execution: str = ""
    run_started: datetime
    datasets: list[Part] = Field(default_factory=list)
    resources: list[Part] = Field(default_factory=list)
    solutions: list[Part] = Field(default_factory=list)
    verdicts: list[Judgement] = Field(default_factory=list)
    answers: list[Answer] = Field(default_factory=list)
    campaigns: list[Part] = Field(default_factory=list)
    leftover: list[str] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)
    failure: Failure | None = None

    def failed_parts(self) -> list[tuple[str, Failure]]:
        """Every failed part with its label, `solution for-you` or `event_tracker`."""
        groups = (("dataset", self.datasets), ("", self.resources), ("solution", self.solutions), ("campaign", self.campaigns))
        return [
            (" ".join(word for word in (group, part.kind, part.name) if word), part.failure)
            for group, parts in groups
            for part in parts
            if part.failure
        ]

    def live(self, solution: str, version: str) -> bool:
        """Whether the solution's campaign serves this version now."""
        return any(c.name == solution and c.version_arn == version and c.status == "ACTIVE" for c in self.campaigns)


def _final_verdicts(run: Run) -> dict[str, Judgement]:
    """The verdicts by solution, with what a person said about those that were put to one."""
    answers = {answer.name: answer for answer in run.answers}
    return {
        verdict.name: _after_answer(verdict, answers.get(verdict.name)) if verdict.decision == "ask" else verdict
        for verdict in run.verdicts
    }


def _after_answer(verdict: Judgement, answer: Answer | None) -> Judgement:
    """The verdict that a person was to decide; only a person rejects, and only a person approves."""
    decision: Decision = "unanswered"
    if answer is None:
        reason = "the run ended before anybody answered: the next run asks again"
    elif answer.error:
        why = "nobody answered in time" if answer.error == "States.Timeout" else f"nobody could be asked ({answer.error})"
        reason = f"{why}: the next run asks again"
    elif answer.approved:
        decision, reason = "deploy", "a person approved it"
    else:
        decision, reason = "rejected", "a person rejected it"
    return verdict.model_copy(update={"decision": decision, "reasons": [reason]})


def make_report(run: Run, deployment: str = "", now: datetime | None = None) -> dict[str, Any]:
    """The report of a run: of what and when, its status, what went wrong and what to do, metrics and verdict of every solution.

    `seconds` is how long the run took, until `now`.
    """
    ended = now or datetime.now(UTC)
    verdicts = _final_verdicts(run)
    problems = [problem(label, failure) for label, failure in run.failed_parts()]
    if run.failure:
        problems.insert(0, problem("run", run.failure))
    return {
        "run_id": run.run_id,
        "deployment": deployment,
        "started": run.run_started.isoformat(timespec="seconds"),
        "seconds": max(0, round((ended - run.run_started).total_seconds())),
        "status": status(run, bool(problems)),
        "problems": problems,
        "solutions": [_solution_entry(part, verdicts) for part in run.solutions if part.status == "ACTIVE"],
        "campaigns": [campaign.name for campaign in run.campaigns if campaign.status == "ACTIVE"],
        "leftover": run.leftover,
        "items_removed": sum(dataset.items_removed for dataset in run.datasets),
        "warnings": run.warnings,
        "rows_left_out": {dataset.kind: dataset.rows_left_out for dataset in run.datasets if dataset.rows_left_out},
    }


def _solution_entry(part: Part, verdicts: Mapping[str, Judgement]) -> dict[str, Any]:
    entry = {"name": part.name, "recipe": part.recipe, "solution_version_arn": part.arn, "metrics": part.metrics}
    verdict = verdicts.get(part.name)
    if verdict is None:
        return entry
    before = {"deployed_metrics": verdict.deployed_metrics} if verdict.deployed_metrics else {}
    return entry | {"verdict": {"decision": verdict.decision, "reasons": verdict.reasons}} | before


def status(run: Run, problems: bool) -> Literal["SUCCEEDED", "PARTLY_FAILED", "FAILED"]:
    """A run in which some solutions made it and some did not has partly failed: what was deployed stays."""
    if not problems:
        return "SUCCEEDED"
    made = any(solution.status == "ACTIVE" for solution in run.solutions)
    return "PARTLY_FAILED" if made and run.failure is None else "FAILED"


def records(run: Run) -> list[VersionRecord]:
    """What is to be remembered of the versions of this run."""
    verdicts = _final_verdicts(run)
    return [
        VersionRecord(
            solution=part.name,
            version_arn=part.arn,
            run_id=run.run_id,
            trained_at=run.run_started,
            metrics=part.metrics,
            decision=verdicts[part.name].decision,
            deployed=run.live(part.name, part.arn),
        )
        for part in run.solutions
        if part.status == "ACTIVE" and part.name in verdicts
    ]


def as_text(report: dict[str, Any]) -> str:
    """The report as a mail."""
    lines = [f"Train run {report['run_id']}: {report['status'].replace('_', ' ').lower()}", of_what(report), ""]
    for entry in report["problems"]:
        lines += [f"{entry['part']}: {entry['error']}", entry["message"], entry["what_to_do"], ""]
    for solution in report["solutions"]:
        values = ", ".join(f"{name} {value:.4f}" for name, value in sorted(solution["metrics"].items()))
        lines.append(f"{solution['name']} ({solution['recipe']}): {values}")
        verdict = solution.get("verdict")
        if verdict:
            lines.append(f"  {verdict['decision']}" + (f": {'; '.join(verdict['reasons'])}" if verdict["reasons"] else ""))
    if report["leftover"]:
        lines += ["", f"In Personalize, but not in the config: {', '.join(report['leftover'])} (removed with prune: true)."]
    if report["items_removed"]:
        lines += ["", f"{report['items_removed']:,} items left the catalogue: the CSVs lack them, and nobody put them since."]
    for kind, rows in report["rows_left_out"].items():
        lines += ["", f"{rows:,} rows of the {kind} CSVs were left out: their users asked to be forgotten."]
    if report["warnings"]:
        lines += ["", "Noticed in the CSVs:", *(f"  {warning}" for warning in report["warnings"])]
    return "\n".join(lines)

"""What a train run came to, in words that tell an operator what to do."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

#: What an operator can do about an error, by its name.
WHAT_TO_DO = {
    "InvalidData": "Correct the CSVs, upload them again (reco load) and start the run again.",
    "ConfigurationDrift": "Change the config back, or make the way free as the message says, and start the run again.",
    "ResourceFailed": "The reason is the service's own. Correct what it names and start the run again; finished steps are kept.",
    "States.Timeout": "The step took longer than it may. Look at the resource in Personalize, then start the run again.",
}
OTHERWISE = "Look at the execution's failed state and the function's log; start the run again when the cause is gone."


class Failure(BaseModel):
    """An error that a state caught: its name, and its message (inside JSON when it comes from a function)."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    error: str = Field("States.TaskFailed", alias="Error")
    cause: str = Field("", alias="Cause")

    @property
    def message(self) -> str:
        try:
            return str(json.loads(self.cause)["errorMessage"])
        except (ValueError, KeyError, TypeError):
            return self.cause

    def advice(self) -> str:
        return WHAT_TO_DO.get(self.error, OTHERWISE)


class Part(BaseModel):
    """How one dataset, filter, solution or campaign ended."""

    model_config = ConfigDict(extra="ignore")

    name: str = ""
    kind: str = ""
    arn: str = ""
    recipe: str = ""
    metrics: dict[str, float] = Field(default_factory=dict)
    failure: Failure | None = None


class Run(BaseModel):
    """All that the state machine hands over at the end, well or badly."""

    model_config = ConfigDict(extra="ignore")

    run_id: str
    datasets: list[Part] = Field(default_factory=list)
    resources: list[Part] = Field(default_factory=list)
    solutions: list[Part] = Field(default_factory=list)
    campaigns: list[Part] = Field(default_factory=list)
    failure: Failure | None = None

    def parts(self) -> list[tuple[str, Part]]:
        """Every part with its label, `solution for-you` or `event_tracker`."""
        return [
            (f"{group or part.kind} {part.name}".strip(), part)
            for group, parts in (
                ("dataset", [p.model_copy(update={"name": p.kind}) for p in self.datasets]),
                ("", self.resources),
                ("solution", self.solutions),
                ("campaign", self.campaigns),
            )
            for part in parts
        ]


def make_report(run: Run) -> dict[str, Any]:
    """The report of a run: its status, what went wrong and what to do, the metrics of every solution."""
    problems = [problem(label, part.failure) for label, part in run.parts() if part.failure]
    if run.failure:
        problems.insert(0, problem("run", run.failure))
    return {
        "run_id": run.run_id,
        "status": status(run, bool(problems)),
        "problems": problems,
        "solutions": [
            {"name": s.name, "recipe": s.recipe, "solution_version_arn": s.arn, "metrics": s.metrics}
            for s in run.solutions
            if s.failure is None
        ],
        "campaigns": [campaign.name for campaign in run.campaigns if campaign.failure is None],
    }


def status(run: Run, problems: bool) -> Literal["SUCCEEDED", "PARTLY_FAILED", "FAILED"]:
    """A run in which some solutions made it and some did not has partly failed: what was deployed stays."""
    if not problems:
        return "SUCCEEDED"
    made = any(solution.failure is None for solution in run.solutions)
    return "PARTLY_FAILED" if made and run.failure is None else "FAILED"


def problem(label: str, failure: Failure) -> dict[str, str]:
    return {"part": label, "error": failure.error, "message": failure.message, "what_to_do": failure.advice()}


def as_text(report: dict[str, Any]) -> str:
    """The report as a mail."""
    lines = [f"Train run {report['run_id']}: {report['status'].replace('_', ' ').lower()}", ""]
    for entry in report["problems"]:
        lines += [f"{entry['part']}: {entry['error']}", entry["message"], entry["what_to_do"], ""]
    for solution in report["solutions"]:
        values = ", ".join(f"{name} {value:.4f}" for name, value in sorted(solution["metrics"].items()))
        lines.append(f"{solution['name']} ({solution['recipe']}): {values}")
    return "\n".join(lines)

"""Whether a new version is good enough to go live: pure rules over metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

from lambdas.config import Gate, Solution
from lambdas.stores.runs import Decision
from lambdas.training.version_metrics import numbers


class Verdict(BaseModel):
    """What is decided about a version, why, and what it was compared with."""

    name: str
    arn: str
    decision: Decision
    reasons: list[str] = Field(default_factory=list)
    metrics: dict[str, float] = Field(default_factory=dict)
    deployed_arn: str | None = None
    deployed_metrics: dict[str, float] = Field(default_factory=dict)
    approval_seconds: int | None = None


def judge(
    name: str,
    solution: Solution,
    trained: Mapping[str, Any],
    deployed: tuple[str, Mapping[str, float]] | None,
    baseline: float | None,
    earlier: Decision | None,
) -> Verdict:
    """The verdict on `trained` (a part of the training step's answer).

    `deployed` is the version that serves now, with its metrics; `baseline` is the number that the gate wants to be beaten, None
    where there is none; `earlier` is what was decided about this very version before, if it was.
    """
    verdict = Verdict(
        name=name,
        arn=trained["arn"],
        decision="deploy",
        metrics=numbers(trained["metrics"]),
        deployed_arn=deployed[0] if deployed else None,
        deployed_metrics=numbers(deployed[1]) if deployed else {},
    )
    if deployed and deployed[0] == trained["arn"]:
        return verdict.model_copy(update={"decision": "keep"})
    if earlier in ("rejected", "rolled_back"):
        said = "a person rejected it" if earlier == "rejected" else "it was rolled back"
        return verdict.model_copy(update={"decision": earlier, "reasons": [f"{said}: train a new version"]})
    reasons = failures(solution.gate, verdict, baseline) if solution.gate else []
    if reasons:
        return verdict.model_copy(update={"decision": "refuse", "reasons": reasons})
    if solution.approval:
        seconds = round(solution.approval.within_hours * 3600)
        return verdict.model_copy(update={"decision": "ask", "approval_seconds": seconds})
    return verdict


def failures(gate: Gate, verdict: Verdict, baseline: float | None) -> list[str]:
    """The conditions of the gate that the version does not meet, each with its numbers; what can't be compared is not met."""
    value = verdict.metrics.get(gate.metric)
    if value is None:
        return [f"the service gave no {gate.metric} (it gave: {', '.join(sorted(verdict.metrics)) or 'nothing'})"]
    found = []
    if gate.at_least is not None and value < gate.at_least:
        found.append(f"{gate.metric} is {value:.4f}, below the floor of {gate.at_least:.4f}")
    if gate.may_fall_by is not None and verdict.deployed_arn is not None:
        before = verdict.deployed_metrics.get(gate.metric)
        if before is None:
            found.append(f"the version that serves has no {gate.metric} to be compared with")
        elif value < before * (1 - gate.may_fall_by):
            fall = f"more than {gate.may_fall_by:.0%} below the {before:.4f} of the version that serves"
            found.append(f"{gate.metric} is {value:.4f}, {fall}")
    if gate.beats is not None:
        if baseline is None:
            found.append(f"'{gate.beats}' has no {gate.metric} to be beaten: train it too")
        elif value <= baseline:
            found.append(f"{gate.metric} is {value:.4f}, no better than the {baseline:.4f} of '{gate.beats}'")
    return found

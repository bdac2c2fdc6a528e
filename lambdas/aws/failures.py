"""Errors that a state machine caught, in words that tell an operator what to do."""

from __future__ import annotations

import json

from pydantic import BaseModel, ConfigDict, Field

#: What an operator can do about an error, by its name.
_WHAT_TO_DO = {
    "InvalidData": "Correct the CSVs, upload them again (reco load) and start the run again.",
    "ConfigurationDrift": "Change the config back, or follow the steps in the message; then start the run again.",
    "ResourceFailed": "The reason is the service's own. Correct what it names and start the run again; finished steps are kept. "
    "(A dataset group, dataset or event tracker that says CREATE FAILED has to be deleted in Personalize first.)",
    "NobodyToRecommendFor": "Send events or load interactions, or raise active_within_days.",
    "NotTrained": "Start a train run (reco train); the batch needs a version of its solution that passed its gate.",
    "TooFewWritten": "The rejected lines give the reasons. Correct them, start the run again. The previous lists stay.",
    "Superseded": "A newer run has published already. There is nothing to do.",
    "States.TaskFailed": "The reason is the service's own; a Glue job's log is in /aws-glue/jobs. Start the run again.",
    "States.Timeout": "The step timed out. Look at the resource in Personalize, then start the run again.",
}
_OTHERWISE = "Look at the execution's failed state and the function's log; start the run again when the cause is gone."


class Failure(BaseModel):
    """An error that a state caught: its name, and its message (inside JSON when it comes from a function)."""

    model_config = ConfigDict(populate_by_name=True)

    error: str = Field("States.TaskFailed", alias="Error")
    cause: str = Field("", alias="Cause")

    @property
    def message(self) -> str:
        try:
            reported = json.loads(self.cause)
            return str(reported.get("errorMessage") or reported["ErrorMessage"])  # of a function, of a Glue job
        except (ValueError, KeyError, TypeError, AttributeError):
            return self.cause

    def advice(self) -> str:
        return _WHAT_TO_DO.get(self.error, _OTHERWISE)


def problem(label: str, failure: Failure) -> dict[str, str]:
    return {"part": label, "error": failure.error, "message": failure.message, "what_to_do": failure.advice()}

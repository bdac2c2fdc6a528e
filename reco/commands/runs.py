"""What `reco train` and `reco batch` do alike with the run that they have started."""

from __future__ import annotations

from collections.abc import Callable

import typer

from reco.console import results, run_shown, show_json
from reco.deployment.progress import Doing
from reco.deployment.train import Outcome, problems


def followed(execution: str, follow: Callable[[Callable[[Doing], None]], Outcome], wait: bool, as_json: bool) -> Outcome | None:
    """How the run ended, to be shown to people; None where nobody waits for its end, or where it is printed as JSON.

    As JSON, a run with problems is printed and makes the command end with 1.
    """
    if not wait:
        show_json({"execution": execution}) if as_json else results.print(f"Started {execution}")
        return None
    with run_shown("Starting") as tell:
        outcome = follow(tell)
    if not as_json:
        return outcome
    show_json({"execution": execution, "status": outcome.status, "seconds": outcome.seconds, "report": outcome.report})
    if problems(outcome):
        raise typer.Exit(1)
    return None

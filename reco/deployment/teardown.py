"""Deletes what carries one tag in Amazon Personalize, in the order that the service demands, and waits until it is gone.

docs: personalize/latest/dg/deleting-resources.html. Schemas and metric attributions take no tags: a metric attribution goes with
its dataset group, a schema is known by its name.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from lambdas.aws.ensure import short
from lambdas.config import Config
from lambdas.config.names import own_name
from lambdas.config.schemas import DATASET_TYPES
from reco.errors import RecoError

#: Kinds of resources as boto3 spells them, each before what it holds back. Jobs and solution versions can't be deleted.
ORDER = (
    "campaign", "recommender", "solution", "event_tracker", "metric_attribution", "filter", "dataset", "dataset_group", "schema",
)  # fmt: skip
_IN_DATASET_GROUP = ("recommender", "solution", "event_tracker", "filter", "dataset")
#: Longest wait for all of it: a dataset stays while an import into it goes on, and large ones take hours.
_PATIENCE_SECONDS = 4 * 3600.0
LONGEST_PAUSE_SECONDS = 15.0

Resources = dict[str, list[str]]


@dataclass(frozen=True)
class Owner:
    """Whose resources are meant: those with this tag, and the schemas of these names."""

    tag: str
    value: str
    schemas: re.Pattern[str]

    @staticmethod
    def deployment(config: Config) -> Owner:
        return Owner("recostack:deployment", config.name, _schema_names(re.escape(own_name(config, ""))))

    @staticmethod
    def evaluation(config: Config) -> Owner:
        """What evaluations of the deployment made; only one that was killed leaves any of it."""
        prefix = rf"{re.escape(own_name(config, 'evaluate-'))}[a-z0-9]{{4}}-"
        return Owner("recostack:evaluation", config.name, _schema_names(prefix))


def _schema_names(prefix: str) -> re.Pattern[str]:
    """`<prefix><kind>-<fingerprint>`: no other deployment's schema can match, whatever the deployment is called."""
    return re.compile(f"{prefix}({'|'.join(DATASET_TYPES)})-[0-9a-f]{{8}}")


class Teardown:
    """`tell` hears of each deletion; `pause` is the first wait between two looks, in seconds: later ones are longer."""

    def __init__(self, client: Any, tell: Callable[[str], None] = lambda said: None, pause: float = 0.2) -> None:
        self.client = client
        self.tell = tell
        self.pause = pause
        self.tags: dict[str, list[dict[str, str]]] = {}

    def find(self, owner: Owner) -> Resources:
        """ARNs by kind, in the order of their deletion; kinds without any are left out."""
        found: Resources = {kind: [] for kind in ORDER}
        for kind in ORDER:
            if kind not in ("metric_attribution", "schema"):
                found[kind] = [arn for arn in self._arns(kind) if self._carries(arn, owner)]
        for group in found["dataset_group"]:
            found["metric_attribution"] += self._arns("metric_attribution", datasetGroupArn=group)
        found["schema"] = [arn for arn in self._arns("schema") if owner.schemas.fullmatch(arn.rsplit("/", 1)[-1])]
        return {kind: arns for kind, arns in found.items() if arns}

    def refuse_strangers(self, owner: Owner, found: Resources) -> None:
        """Raises RecoError when a resource without the tag is in one of the owner's dataset groups: that blocks its deletion."""
        groups, solutions = found.get("dataset_group", []), found.get("solution", [])
        inside = [arn for group in groups for kind in _IN_DATASET_GROUP for arn in self._arns(kind, datasetGroupArn=group)]
        inside += [arn for solution in solutions for arn in self._arns("campaign", solutionArn=solution)]
        strangers = [short(arn) for arn in inside if not self._carries(arn, owner)]
        if strangers:
            raise RecoError(
                f"These resources without our tag keep the dataset group from being deleted: {', '.join(strangers)}. "
                f"Delete them, or tag them with {owner.tag}={owner.value}; then run the command again."
            )

    def remove(self, owner: Owner) -> list[str]:
        """Delete all that is the owner's; returns the ARNs of what is gone. Raises RecoError with what stays too long.

        Each round looks anew, so that what a stopped run's last function still made goes too, in its place in the order.
        """
        seen: dict[str, None] = {}
        pause, deadline, before = self.pause, time.monotonic() + _PATIENCE_SECONDS, 0
        while found := self.find(owner):
            kind, arns = next(iter(found.items()))
            seen.update(dict.fromkeys(arns))
            if kind == "solution":
                self._stop_trainings(arns)
            states = {arn: self._delete(kind, arn) for arn in arns}
            if time.monotonic() > deadline:
                raise RecoError("Could not be deleted: " + "; ".join(f"{short(arn)}: {state}" for arn, state in states.items()))
            left = sum(map(len, found.values()))
            pause = self.pause if left < before else min(pause * 1.5, LONGEST_PAUSE_SECONDS)
            before = left
            time.sleep(pause)
        return list(seen)

    def _delete(self, kind: str, arn: str) -> str:
        """Ask for the deletion if the resource is in a state for it. Returns the state, or why the service refuses."""
        parameter = {f"{camel(kind)}Arn": arn}
        try:
            answer = getattr(self.client, f"describe_{kind}")(**parameter)
            status = str(answer[camel(kind)].get("status", ""))
            if not any(word in status for word in ("PENDING", "IN_PROGRESS", "STOPPING")):
                getattr(self.client, f"delete_{kind}")(**parameter)
                self.tell(f"deleting {short(arn)}")
                status = "deletion asked for"
        except ClientError as error:
            if code(error) in ("ResourceNotFoundException", "ResourceInUseException"):
                return str(error.response["Error"].get("Message", error))
            raise
        return status

    def _stop_trainings(self, solutions: list[str]) -> None:
        """A solution can't be deleted while a version is trained (docs: personalize/latest/dg/stop-solution-version.html)."""
        for solution in solutions:
            for version in self._listed("solution_version", solutionArn=solution):
                if version["status"] not in ("CREATE PENDING", "CREATE IN_PROGRESS"):
                    continue
                try:
                    self.client.stop_solution_version_creation(solutionVersionArn=version["solutionVersionArn"])
                except ClientError as error:
                    if code(error) not in ("InvalidInputException", "ResourceInUseException"):  # it has just ended
                        raise
                else:
                    self.tell(f"stopped the training of {short(version['solutionVersionArn'])}")

    def _carries(self, arn: str, owner: Owner) -> bool:
        """Tags are asked for once: a deletion looks at the list of resources many times."""
        if arn not in self.tags:
            try:
                self.tags[arn] = self.client.list_tags_for_resource(resourceArn=arn)["tags"]
            except ClientError as error:
                if code(error) == "ResourceNotFoundException":  # gone since it was listed
                    return False
                raise
        return {"tagKey": owner.tag, "tagValue": owner.value} in self.tags[arn]

    def _arns(self, kind: str, **parent: str) -> list[str]:
        return [str(entry[f"{camel(kind)}Arn"]) for entry in self._listed(kind, **parent)]

    def _listed(self, kind: str, **parent: str) -> Iterator[dict[str, Any]]:
        for page in self.client.get_paginator(f"list_{kind}s").paginate(**parent):
            yield from next(value for value in page.values() if isinstance(value, list))


def camel(kind: str) -> str:
    """`event_tracker` -> `eventTracker`."""
    first, *rest = kind.split("_")
    return first + "".join(word.title() for word in rest)


def code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])

"""Makes the sample lists of a version that a person decides about: a batch inference job of a few users on either version.

A version that is not deployed can be asked in no other way, and the one that serves is asked alike, so that the lists differ by
the versions alone. Whatever goes wrong, the person is asked: the lists' note says what is missing.
docs: personalize/latest/dg/getting-batch-recommendations.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from pydantic import BaseModel

from lambdas.aws import clients
from lambdas.aws.ensure import StepResult, create_or_wait, described, found_status, result_of, step_output
from lambdas.aws.failures import Failure
from lambdas.aws.tables import from_row, read_all
from lambdas.config import Config, environment
from lambdas.config.names import arn, fingerprint, own_name
from lambdas.config.recipes import RECIPES
from lambdas.config.tags import deployment_tags
from lambdas.stores.prefixes import address
from lambdas.stores.sample_lists import (
    LENGTH,
    Item,
    SampleLists,
    SampleUser,
    Which,
    input_key,
    keep,
    output_key,
    output_prefix,
)
from lambdas.training.approve_versions.gate import Verdict
from lambdas.training.approve_versions.sample_users import Sample, choose

#: Items that a ranking is asked to put in order.
_CANDIDATES = 25
#: Characters of a title that are kept.
_LONGEST_TITLE = 100
#: Seconds after which the person is asked without lists: a job takes about a quarter of an hour, and may have to queue.
_LONGEST_WAIT = 7200
_NAMES: dict[Which, str] = {"new": "the new version", "serving": "the version that serves"}


class SamplesRequest(BaseModel):
    """`events`, of each user in the order of the input, and `note` come from the first look, which chose the users."""

    step: Literal["samples"]
    verdict: Verdict
    run_id: str
    events: list[int] | None = None
    note: str = ""
    waited_seconds: int = 0


def make_samples(config: Config, request: SamplesRequest) -> dict[str, Any]:
    """One look at the jobs, which the first look starts: PENDING, or DONE with the key of the lists."""
    verdict, run_id, events, note = request.verdict, request.run_id, request.events, request.note
    wanted = config.solutions[verdict.name].sample_users
    if not wanted:
        return {"status": "DONE"}
    if events is None:
        sample = choose(wanted, _CANDIDATES)
        events = [number for _, number in sample.users]
        ranks = RECIPES[config.solutions[verdict.name].recipe].type == "PERSONALIZED_RANKING"
        note = " ".join(_notes(sample, ranks))
        if not events:
            return _done(run_id, verdict, SampleLists(note="There are no sample lists: the CSVs hold no users."))
        _write_input(run_id, verdict.name, sample, ranks)
    versions: dict[Which, str] = {"new": verdict.arn}
    if verdict.deployed_arn:
        versions["serving"] = verdict.deployed_arn
    looks = {
        which: result_of({}, partial(_ensure_job, config, verdict.name, run_id, which, versions[which])) for which in versions
    }
    looked = step_output(looks.values(), request.waited_seconds, events=events, note=note)
    if looked["status"] == "PENDING" and looked["waited_seconds"] <= _LONGEST_WAIT:
        return looked
    return _done(run_id, verdict, _lists(config, verdict.name, run_id, events, note, looks))


def _done(run_id: str, verdict: Verdict, lists: SampleLists) -> dict[str, Any]:
    return {"status": "DONE", "key": keep(run_id, verdict.name, lists)}


def _notes(sample: Sample, ranks: bool) -> Iterator[str]:
    if ranks:
        yield f"Each list is the first {LENGTH} of {len(sample.items)} items with many events, as the version ranks them."
    if not sample.whole:
        yield "The events were counted in the first part of the CSVs alone."


def _write_input(run_id: str, solution: str, sample: Sample, ranks: bool) -> None:
    more = {"itemList": sample.items} if ranks else {}
    lines = [json.dumps({"userId": user} | more) for user, _ in sample.users]
    clients.s3().put_object(
        Bucket=environment.current().data_bucket, Key=input_key(run_id, solution), Body="\n".join(lines).encode()
    )


def _ensure_job(config: Config, solution: str, run_id: str, which: Which, version: str) -> StepResult:
    """Look at the job of a version; create it if there is none. Raises ResourceFailed."""
    name = own_name(config, f"{solution}-{fingerprint(f'{run_id} {version} sample lists')}")
    job, personalize = arn(f"batch-inference-job/{name}"), clients.personalize()
    there = described(lambda: dict(personalize.describe_batch_inference_job(batchInferenceJobArn=job)))
    if there is not None:
        return found_status(job, there)
    bucket = environment.current().data_bucket
    return create_or_wait(
        job,
        lambda: personalize.create_batch_inference_job(
            jobName=name,
            solutionVersionArn=version,
            numResults=LENGTH,
            jobInput={"s3DataSource": {"path": address(bucket, input_key(run_id, solution))}},
            jobOutput={"s3DataDestination": {"path": address(bucket, output_prefix(run_id, solution, which))}},
            roleArn=environment.current().personalize_role_arn,
            tags=deployment_tags(config),
        ),
    )


def _lists(
    config: Config, solution: str, run_id: str, events: Sequence[int], note: str, looks: Mapping[Which, Mapping[str, Any]]
) -> SampleLists:
    """What the jobs wrote. Without the new version's lists there is nothing to decide by, and so there are none."""
    missing = {which: _why(look) for which, look in looks.items() if look["status"] != "ACTIVE"}
    if "new" in missing:
        return SampleLists(note=f"There are no sample lists of {_NAMES['new']}: {missing['new']}")
    users = [json.loads(line)["userId"] for line in _read(input_key(run_id, solution)).splitlines()]
    found = {which: _answers(_read(output_key(run_id, solution, which))) for which in looks if which not in missing}
    if not any(found["new"].values()):
        return SampleLists(note=f"There are no sample lists: the job on {_NAMES['new']} gave none for any of the users.")
    names = _titles(config, {item for lists in found.values() for items in lists.values() for item in items})

    def shown(which: Which, user: str) -> list[Item]:
        return [Item(item_id=item, title=names.get(item, "")) for item in found.get(which, {}).get(user, [])]

    notes = [note, *(f"There are no lists of {_NAMES[which]}: {why}" for which, why in missing.items())]
    if "serving" not in looks:
        notes.append("No version serves yet.")
    made = [SampleUser(events=n, new=shown("new", u), serving=shown("serving", u)) for n, u in zip(events, users, strict=True)]
    return SampleLists(users=made, note=" ".join(filter(None, notes)))


def _why(look: Mapping[str, Any]) -> str:
    if look["status"] == "PENDING":
        return f"the job was not done within {_LONGEST_WAIT // 3600} hours."
    return Failure.model_validate(look["failure"]).message


def _answers(text: str) -> dict[str, list[str]]:
    """Each user's list, best first, of a job's output: lines in any order, of which one that failed has an empty list."""
    lines = [json.loads(line) for line in text.splitlines()]
    return {line["input"]["userId"]: list(map(str, line["output"]["recommendedItems"]))[:LENGTH] for line in lines}


def _read(key: str) -> str:
    return clients.s3().get_object(Bucket=environment.current().data_bucket, Key=key)["Body"].read().decode()


def _titles(config: Config, items: set[str]) -> dict[str, str]:
    """The items' names, where the config says which column has them and the catalogue has a value there."""
    if config.title_column is None:
        return {}
    keys = [{"item_id": {"S": item}} for item in sorted(items)]
    kept = map(from_row, read_all(clients.dynamodb(), environment.current().catalogue_table, keys))
    named = ((row["item_id"], row.get("attributes", {}).get(config.title_column)) for row in kept)
    return {item: str(name)[:_LONGEST_TITLE] for item, name in named if name}

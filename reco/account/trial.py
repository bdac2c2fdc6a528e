"""A train run over a tiny data set that is made up, in a deployment that has nothing in Personalize yet, and its deletion."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lambdas.config import Config
from lambdas.config.schemas import DATASET_TYPES, DatasetKind
from lambdas.stores import keys
from personalize_rules import limits
from personalize_rules.csv import line_of
from personalize_rules.schemas import Field
from reco.account.journey import Step
from reco.cost.estimate import TRAINING_BY_INTERACTIONS, campaign_price, training_price
from reco.cost.inputs import load_prices
from reco.data.load import keys_of, upload
from reco.deployment import train
from reco.deployment.destroy import Destruction
from reco.errors import RecoError
from reco.target import Target

#: Twice as many users and rows as a training needs at least, and few enough items for a person to read.
USERS, ITEMS, EACH = 2 * limits.MIN_USERS, 40, 2 * limits.MIN_INTERACTIONS // (2 * limits.MIN_USERS)
_START = 1_700_000_000
_Tell = Callable[[str], None]


class Trial:
    """Trains the solution that costs least: one without a campaign, where the config has one."""

    def __init__(self, target: Target, config: Config) -> None:
        self._target = target
        self._config = config
        self._solution = min(config.solutions, key=lambda name: (config.solutions[name].campaign is not None, name))

    def require_new(self) -> None:
        """Raises RecoError unless nothing of the deployment's is in Personalize, and no CSVs are in S3."""
        pages = self._target.client("personalize").get_paginator("list_dataset_groups").paginate()
        if any(group["name"] == self._config.name for page in pages for group in page["datasetGroups"]):
            raise RecoError(
                f"{self._config.name} has a dataset group already: --with-import is for a deployment before its first train run, "
                "since it deletes what it made. Without it, all else is verified."
            )
        if any(keys_of(self._target, kind, delimiter="") for kind in DATASET_TYPES):
            raise RecoError(
                "There are CSVs in S3 already: --with-import would put its own in their place. Verify before `reco load`."
            )

    def price(self) -> str:
        """What it will come to, at most, as a sentence."""
        known = load_prices()
        solution = self._config.solutions[self._solution]
        by = training_price(solution)
        training = known[by].dollars(USERS * EACH if by == TRAINING_BY_INTERACTIONS else 1)
        campaign = 0.0
        if solution.campaign is not None:
            campaign = known[campaign_price(solution)].dollars(3600 * solution.campaign.min_provisioned_tps)
        total = training + campaign + 0.01
        return (
            f"A train run of {self._solution} over {USERS * EACH:,} invented interactions costs about ${total:.2f} in "
            f"{known.region} (prices of {known.as_of}, not certain: training ${training:.2f}, an hour of its campaign "
            f"${campaign:.2f}) and takes about an hour in an account. All that it makes in Personalize is deleted at the end."
        )

    def run(self, tell: _Tell) -> list[Step]:
        """Loads, trains and waits."""
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            upload(self._target, {kind: [path] for kind, path in self._csvs(Path(folder)).items()})
        execution = train.start(self._target, solutions=[self._solution])
        outcome = train.follow(self._target, execution, lambda doing: tell(f"train run: {doing.text}"))
        found: list[Any] = [outcome.status, train.problems(outcome)]
        return [Step("train run", ["SUCCEEDED", []], found, round(time.monotonic() - began, 1))]

    def delete(self, tell: _Tell) -> None:
        """All that the run made in Personalize, its CSVs, and its items in the catalogue."""
        s3, bucket = self._target.client("s3"), self._target.output("storage", "DataBucket")
        for kind in DATASET_TYPES:
            for key in keys_of(self._target, kind, delimiter=""):
                s3.delete_object(Bucket=bucket, Key=key)
        destruction = Destruction(self._target, self._config, keep_stacks=True, tell=tell)
        destruction.carry_out(destruction.look())
        table, dynamodb = self._target.output("storage", "CatalogueTable"), self._target.client("dynamodb")
        for number in range(ITEMS):
            dynamodb.delete_item(TableName=table, Key=keys.key(keys.CATALOGUE, _item(number)))

    def _csvs(self, folder: Path) -> dict[DatasetKind, Path]:
        """A file for each dataset of the config, by its schema."""
        rows: dict[DatasetKind, Iterator[dict[str, Any]]] = {
            "interactions": self._interactions(),
            "items": ({"ITEM_ID": _item(number)} for number in range(ITEMS)),
            "users": ({"USER_ID": f"verify-user-{number}"} for number in range(USERS)),
        }
        files: dict[DatasetKind, Path] = {}
        for kind, dataset in self._config.datasets.present().items():
            files[kind] = folder / f"{kind}.csv"
            with files[kind].open("w", encoding="utf-8", newline="") as file:
                fields = dataset.avro.fields
                file.write(f"{line_of([field.name for field in fields])}\n")
                for number, row in enumerate(rows[kind]):
                    cells = [str(row.get(field.name, _value(field, number))) for field in fields]
                    file.write(f"{line_of(cells)}\n")
        return files

    def _interactions(self) -> Iterator[dict[str, Any]]:
        """Each user sees every third item or so, and no two of a user's are at the same time."""
        wanted = self._config.solutions[self._solution].event_type
        sent = [name for name, kind in self._config.event_types.items() if not kind.archive_only]
        for user in range(USERS):
            for event in range(EACH):
                at = _START + user * 10_000 + event * 60
                item = _item((user + event * 3) % ITEMS)
                kind = wanted or sent[0]
                yield {
                    "USER_ID": f"verify-user-{user}",
                    "ITEM_ID": item,
                    "TIMESTAMP": at,
                    "EVENT_TYPE": kind,
                    "EVENT_VALUE": 10.0,
                }


def _item(number: int) -> str:
    return f"verify-item-{number}"


def _value(field: Field, number: int) -> Any:
    """A value of the column's type; few different texts, so that they can be categories."""
    if field.is_text:
        return f"value-{number % 4}"
    if not field.is_number:
        return str(number % 2 == 0).lower()
    return _START if field.name.endswith("TIMESTAMP") else number % 7 + 1

"""A shop on this machine for benchmarks: the templates in a local AWS environment, and a client that keeps its connection to the API."""

from __future__ import annotations

import contextlib
import http.client
import json
import sqlite3
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from lambdas.config import Config
from lambdas.config.file import load_config
from lambdas.stores.deployment import Deployment, parameter_name
from localaws.environment import Environment, launch
from reco.local.synth import ROOT, synthesize
from reco.target import Target

CONFIG = ROOT / "config" / "shop.yaml"
PATIENCE = 60.0


def patient_shop() -> dict[str, Any]:
    """`config/shop.yaml` with more time for an answer: a busy machine must not make it fall back."""
    raw: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    return raw | {"serving": {"time_budget_ms": 5000}}


def write_config(raw: dict[str, Any], folder: Path, name: str = "shop.yaml") -> Path:
    """A file with a config, and the schemas where it looks for them."""
    folder.mkdir(exist_ok=True)
    if not (folder / "schemas").exists():
        (folder / "schemas").symlink_to(CONFIG.with_name("schemas"))
    (folder / name).write_text(yaml.safe_dump(raw, sort_keys=False))
    return folder / name


@contextmanager
def deployed(folder: Path, speed: float = 1000, raw: dict[str, Any] | None = None) -> Iterator[Target]:
    """The shop, or that of another config, up until the end of the block. Nothing is trained."""
    config = write_config(raw or patient_shop(), folder)
    assembly = synthesize(config, folder / "cdk.out", validate=False)
    with launch(assembly, folder / "aws", port=0, api_port=0, personalize_port=0, speed=speed) as environment:
        yield Target(load_config(config).name, environment)


def personalize_of(target: Target) -> str:
    """The address of the Personalize emulator."""
    environment = environment_of(target)
    assert environment.personalize_endpoint is not None
    return environment.personalize_endpoint


def environment_of(target: Target) -> Environment:
    assert isinstance(target.local, Environment)
    return target.local


def query_events(folder: Path, sql: str) -> list[Any]:
    """What a query finds in the table `events` of the Personalize emulator; `folder` is that of `deployed`."""
    rows: list[Any] = []
    for file in (folder / "aws" / "state" / "personalize").rglob("records.sqlite"):
        records = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        with contextlib.closing(records), contextlib.suppress(sqlite3.OperationalError):  # it may just be being made
            rows += records.execute(sql).fetchall()
    return rows


def make_tracker(config: Config, personalize: Any) -> Deployment:
    """What events need and no more: dataset group, datasets and event tracker; the document that says so, to be published."""
    group = personalize.create_dataset_group(name=config.name)["datasetGroupArn"]
    until(lambda: personalize.describe_dataset_group(datasetGroupArn=group)["datasetGroup"]["status"] == "ACTIVE")
    make_datasets(config, personalize, group)
    made = personalize.create_event_tracker(name=config.name, datasetGroupArn=group)
    tracker = made["eventTrackerArn"]
    until(lambda: personalize.describe_event_tracker(eventTrackerArn=tracker)["eventTracker"]["status"] == "ACTIVE")
    return Deployment(run_id="none", dataset_group_arn=group, tracking_id=made["trackingId"], campaigns={}, filters={})


def publish(target: Target, document: Deployment) -> None:
    """Let the functions know what is deployed."""
    name = parameter_name(target.deployment)
    target.client("ssm").put_parameter(Name=name, Type="String", Value=document.model_dump_json())


def make_datasets(config: Config, personalize: Any, group: str) -> None:
    for kind, dataset in config.datasets.present().items():
        schema = personalize.create_schema(name=f"{config.name}-{kind}", schema=dataset.avro.text)["schemaArn"]
        arn = personalize.create_dataset(
            name=f"{config.name}-{kind}", schemaArn=schema, datasetGroupArn=group, datasetType=kind.title()
        )["datasetArn"]
        until(partial(is_active, personalize, arn))


def is_active(personalize: Any, dataset: str) -> bool:
    return bool(personalize.describe_dataset(datasetArn=dataset)["dataset"]["status"] == "ACTIVE")


def until(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait for a condition. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    began = time.monotonic()
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:.0f} seconds")
        time.sleep(max(0.05, time.monotonic() - began))  # no more than half of the time goes into looking
        began = time.monotonic()


def set_faults(target: Target, faults: list[dict[str, Any]]) -> None:
    """Faults of the Personalize emulator (docs/personalize-emulator.md)."""
    request = urllib.request.Request(f"{personalize_of(target)}/_emulator", json.dumps({"faults": faults}).encode(), method="PUT")
    urllib.request.urlopen(request).close()


class Api:
    """A client of the deployed API, for one thread."""

    def __init__(self, target: Target) -> None:
        url = urllib.parse.urlsplit(target.api_url)
        self._base = url.path
        self._headers = {"x-api-key": target.api_key, "Content-Type": "application/json"}
        self._connection = http.client.HTTPConnection(url.netloc, timeout=300)

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and JSON of an answer."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        self._connection.request(method, self._base + path, data, self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None

"""For rules of the service, `reco` and the emulator give the same verdict and name the same place; the shop's own rules stand apart."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from typer.testing import CliRunner

from personalize_emulator.pytest_plugin import StartEmulator
from personalize_emulator.quotas import Quotas
from reco.cli import app
from tests.personalize_emulator.conftest import s3_endpoint
from tests.personalize_emulator.journey import BUCKET, ROLE, Client, error_of
from tests.personalize_rules import cases
from tests.personalize_rules.cases import CsvCase, SchemaCase

__all__ = ["s3_endpoint"]
Write = Callable[..., Path]
SHOP = {
    "name": "shop",
    "datasets": {kind: {"schema": f"{kind}.json"} for kind in cases.FIELDS},
    "event_types": {name: {} for name in cases.EVENT_TYPES},
    "solutions": {"for-you": {"recipe": "aws-user-personalization-v2", "campaign": {}}},
    "placements": {"home": {"solution": "for-you"}},
}


class Place(NamedTuple):
    """Where a CSV is wrong; `file` is its position among the files of the case."""

    file: int | None
    line: int
    column: str


@pytest.fixture(scope="module")
def client(start_personalize: StartEmulator, s3_endpoint: str) -> Client:
    quotas = Quotas(pending_import_jobs=1000, schemas=1000, filters_per_dataset_group=1000, filter_fields_per_dataset_group=1000)
    started = start_personalize(speed=5000, quotas=quotas, environment={"AWS_ENDPOINT_URL_S3": s3_endpoint})
    made = Client(started.endpoint, s3_endpoint)
    made.s3.create_bucket(Bucket=BUCKET)
    return made


@pytest.fixture(scope="module")
def group(client: Client) -> str:
    """A dataset group with the schemas of the shop."""
    made = client.group("verdicts")
    for kind, fields in cases.FIELDS.items():
        client.dataset(made, cases.NAMES[kind], fields)
    return made


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A function that writes the config of the shop, changed, and its schemas; it gives the path of the config."""

    def write_config(schemas: dict[str, str] | None = None, **changed: Any) -> Path:
        for kind, text in {**cases.SCHEMAS, **(schemas or {})}.items():
            (tmp_path / f"{kind}.json").write_text(text)
        file = tmp_path / "shop.yaml"
        file.write_text(yaml.safe_dump(SHOP | changed))
        return file

    return write_config


def reco(*arguments: str | Path) -> Any:
    """What a command prints as JSON; its code says the same."""
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    answer = json.loads(done.stdout)
    bad = not answer["valid"] if "valid" in answer else any(found["severity"] == "error" for found in answer["findings"])
    assert done.exit_code == int(bad)
    return answer


def columns(texts: Iterable[str]) -> list[int]:
    """Where filters are wrong: `… (column 22)`."""
    return [int(column) for text in texts for column in re.findall(r"\(column (\d+)\)\n", text)]


def test_the_tables_are_large() -> None:
    assert len(cases.FILTERS) >= 60
    assert len(cases.SCHEMA_CASES) >= 40
    assert len(cases.CSV_CASES) >= 60


def test_filters(client: Client, group: str, write: Write) -> None:
    names = {f"filter_{number}": expression for number, (expression, _) in enumerate(cases.FILTERS)}
    problems: dict[str, list[str]] = {}
    for problem in reco("validate", write(filters=names))["problems"]:
        path, _, rule = problem.partition(": ")
        problems.setdefault(path.removeprefix("filters."), []).append(rule)
    problems.pop("filters", None)  # how many fields all of them use together
    for (expression, column), name in zip(cases.FILTERS, names, strict=True):
        ours = columns(problems.get(name, [])) or [1] * (name in problems)  # one that is too long is wrong as a whole
        try:
            client.personalize.create_filter(name=name, datasetGroupArn=group, filterExpression=expression)
            theirs = []
        except client.personalize.exceptions.InvalidInputException as error:
            theirs = columns([str(error)]) or [1]
        assert (ours[:1], theirs) == (([column], [column]) if column else ([], [])), expression


def test_filters_of_events_that_the_shop_does_not_have(client: Client, group: str, write: Write) -> None:
    for number, (expression, column) in enumerate(cases.SHOP_FILTERS):
        assert columns(reco("validate", write(filters={"x": expression}))["problems"]) == [column]
        client.personalize.create_filter(name=f"of-the-shop-{number}", datasetGroupArn=group, filterExpression=expression)


@pytest.mark.parametrize("number", range(len(cases.SCHEMA_CASES)))
def test_schemas(client: Client, write: Write, number: int) -> None:
    case: SchemaCase = cases.SCHEMA_CASES[number]
    at = f"datasets.{case.kind}.schema"
    ours = [problem.removeprefix(at).lstrip(".") for problem in reco("validate", write({case.kind: case.text}))["problems"]]
    try:
        client.personalize.create_schema(name=f"verdict-{number}", schema=case.text)
        theirs = ""
    except client.personalize.exceptions.InvalidInputException as error:
        theirs = error.response["Error"]["Message"]
    assert (bool(ours), bool(theirs)) == (case.where is not None,) * 2, (ours, theirs)
    if case.where is None:
        return
    assert place_of(ours[0]) == place_of(theirs) == case.where
    if "JSON" not in theirs and "validation error" not in theirs:
        assert theirs == "; ".join(re.sub(r" \([^()]*\.json\)$", "", problem.removeprefix(": ")) for problem in ours)


def place_of(problem: str) -> str:
    """`fields[2].type: A has the type …` as `fields[2].type`."""
    head, separator, _ = problem.partition(": ")
    return head if separator and " " not in head else ""


def test_csvs(client: Client, group: str, write: Write, tmp_path: Path) -> None:
    config, jobs = write(), []
    for number, case in enumerate(cases.CSV_CASES):
        folder = f"csv-{number}"
        for position, content in enumerate(case.files):
            client.put(f"{folder}/{position}.csv", content)
        jobs.append(
            client.personalize.create_dataset_import_job(
                jobName=folder,
                datasetArn=f"{group.replace('-group/', '/')}/{case.kind.upper()}",
                dataSource={"dataLocation": f"s3://{BUCKET}/{folder}/"},
                roleArn=ROLE,
            )["datasetImportJobArn"]
        )
    for number, (case, job) in enumerate(zip(cases.CSV_CASES, jobs, strict=True)):
        wanted = None if case.line is None else (case.line, case.column)
        ours = checked(config, tmp_path / str(number), case)
        if case.line is None:
            client.wait(job)
            theirs = None
        else:
            reason = client.wait(job, until="CREATE FAILED")["failureReason"]
            theirs = place_in(reason)
        assert (ours and ours[1:], theirs and theirs[1:]) == (wanted, wanted), (number, case.files[-1][:300])
        assert ours == theirs, (number, case.files[-1][:300])


@pytest.mark.parametrize("case", cases.SHOP_CSVS)
def test_csvs_that_do_not_train(client: Client, group: str, write: Write, tmp_path: Path, case: CsvCase) -> None:
    place = checked(write(), tmp_path / "csv", case)
    assert place == Place(None, 0, "")
    dataset = f"{group.replace('-group/', '/')}/INTERACTIONS"
    client.wait(client.start_import(dataset, case.files[0], f"shop-{abs(hash(case))}"))


def checked(config: Path, folder: Path, case: CsvCase) -> Place | None:
    """The first error of `reco check` over good files and those of the case."""
    for kind in cases.FIELDS:
        (folder / kind).mkdir(parents=True)
        for position, content in enumerate(case.files if kind == case.kind else [cases.csv_text(kind)]):
            (folder / kind / f"{position}.csv").write_bytes(content)
    found = [f for f in reco("check", folder, "-c", config)["findings"] if f["severity"] == "error"]
    places = [Place(position_of(f["file"]) if f["line"] else None, f["line"] or 0, f["column"] or "") for f in found]
    assert all(Path(f["file"]).is_relative_to(folder / case.kind) for f in found)
    return min(places, key=lambda place: (place.file is None, place.file, place.line), default=None)  # the first of a line


def place_in(reason: str) -> Place:
    """Of `key, line 3, column PRICE: is 'x', not a number.`"""
    missing = re.search(r"missing the following columns:\[(\w+)", reason)
    read = re.match(r"(?:(?P<file>[^ ,]+\.csv), )?(?:line (?P<line>\d+))?(?:, column (?P<column>\w+))?", reason)
    assert read is not None
    column = missing[1] if missing else read["column"] or ""
    return Place(position_of(read["file"] or ""), int(read["line"] or 0), column)


def position_of(file: str) -> int | None:
    """Of `…/1.csv` 1, None where a folder is meant."""
    return int(Path(file).stem) if file.endswith(".csv") and Path(file).stem.isdigit() else None


def test_errors_of_the_api_are_invalid_input(client: Client, group: str) -> None:
    code, message = error_of(
        client.personalize.create_filter, name="x", datasetGroupArn=group, filterExpression="INCLUDE ItemID WHERE Items.NONE > 1"
    )
    assert code == "InvalidInputException"
    assert message.endswith("\nINCLUDE ItemID WHERE Items.NONE > 1\n                     ^")

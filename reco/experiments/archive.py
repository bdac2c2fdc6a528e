"""The counts of an experiment, by one SQL text over the archive: DuckDB runs it here, Athena in an account.

Both know the archive as the table `events` (docs/ingestion.md). The text keeps to what the two dialects share: fields of
structs by a point, CASE instead of FILTER or IF, CONCAT, no functions of dates or maps.
"""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lambdas.config import Config, Experiment
from lambdas.stores import prefixes
from personalize_rules.events import record_columns
from reco.errors import RecoError
from reco.experiments.statistics import Counts
from reco.target import Target

#: The archive's folder of a day; below it those of its hours, whose path is the column `hour` (stacks/archive.py).
DAY = "year=%Y/month=%m/day=%d"
HOUR = "year=[0-9]+/month=[0-9]+/day=[0-9]+/hour=[0-9]+"
#: What somebody did counts from the first exposure on; clients' clocks and times in whole seconds get a second.
_SQL = """
WITH shown AS (
  SELECT
    CASE WHEN body.user_id IS NOT NULL THEN CONCAT('user ', body.user_id) ELSE CONCAT('session ', body.session_id) END AS unit,
    MIN(body.variant) AS variant,
    COUNT(DISTINCT body.variant) AS variants,
    MIN(received_at) AS since
  FROM events
  WHERE kind = 'exposure' AND body.experiment = {experiment} AND body.placement IN ({placements}) AND {period}
  GROUP BY 1
),
done AS (
  SELECT CONCAT('user ', body.user_id) AS unit, body.event_type AS event_type, body.recommendation_id AS recommendation_id,
    COALESCE(body."timestamp" * 1000, received_at) AS happened
  FROM events
  WHERE kind = 'event' AND body.user_id IS NOT NULL AND {period}
  UNION ALL
  SELECT CONCAT('session ', body.session_id) AS unit, body.event_type AS event_type, body.recommendation_id AS recommendation_id,
    COALESCE(body."timestamp" * 1000, received_at) AS happened
  FROM events
  WHERE kind = 'event' AND body.session_id IS NOT NULL AND {period}
),
outcomes AS (
  SELECT shown.unit AS unit,
    CASE WHEN shown.variants = 1 THEN shown.variant END AS variant,
    MAX(CASE WHEN done.recommendation_id IS NOT NULL THEN 1 ELSE 0 END) AS clicked,
    MAX(CASE WHEN done.event_type = {event_type} THEN 1 ELSE 0 END) AS converted
  FROM shown LEFT JOIN done ON done.unit = shown.unit AND done.happened >= shown.since - 1000
  GROUP BY 1, 2
)
SELECT variant, COUNT(*) AS users, SUM(clicked) AS clicked, SUM(converted) AS converted
FROM outcomes GROUP BY variant ORDER BY variant
"""
Rows = list[tuple[str | None, int, int, int]]


def placements_of(config: Config, name: str) -> dict[str, Experiment]:
    """The placements that have the experiment. Raises RecoError when none has."""
    found = {key: of.experiment for key, of in config.placements.items() if of.experiment and of.experiment.name == name}
    if not found:
        there = sorted({of.experiment.name for of in config.placements.values() if of.experiment})
        raise RecoError(f"The config has no experiment '{name}' (there are: {', '.join(there) or 'none'}).")
    return found


def conversion_of(config: Config, placement: str) -> str:
    """The event type that counts as success unless the operator names one: what the solution is trained to bring about."""
    solution = config.solutions[config.placements[placement].solution]
    if solution.event_weights:
        return max(solution.event_weights, key=lambda weight: weight.weight).event_type
    trained = [name for name, of in config.event_types.items() if not of.archive_only]
    known = [solution.event_type] if solution.event_type else trained
    if len(known) != 1:
        raise RecoError(f"Which event is a conversion? Name it with --event-type (there are: {', '.join(known)}).")
    return known[0]


def statement(name: str, placements: list[str], event_type: str, since: date) -> str:
    """The SQL text for one experiment."""
    period = f"hour >= '{since:{DAY}}/hour=00'"
    quoted = ", ".join(quote(placement) for placement in placements)
    return _SQL.format(experiment=quote(name), placements=quoted, event_type=quote(event_type), period=period)


def quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def counts(experiment: Experiment, rows: Rows) -> tuple[list[Counts], int]:
    """The variants in the order of the config, and how many users got more than one and don't count: weights have changed."""
    found = {variant: numbers for variant, *numbers in rows}
    made = [Counts(name, of.weight, *found.get(name, (0, 0, 0))) for name, of in experiment.variants.items()]
    return made, found.get(None, [0])[0]


def run(target: Target, sql: str, since: date) -> Rows:
    """The rows of the statement, from the archive of the deployment."""
    if target.local is None:
        return _run_in_athena(target, sql)
    with TemporaryDirectory() as folder:
        download(target, Path(folder), since)
        return run_in_duckdb(Path(folder), sql)


def download(target: Target, folder: Path, since: date) -> None:
    """Copy the archive's objects of these days; the tree of folders stays."""
    s3, bucket = target.client("s3"), target.output("storage", "DataBucket")
    first = f"{prefixes.EVENTS}{since:{DAY}}/"
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefixes.EVENTS, StartAfter=first):
        for entry in page.get("Contents", []):
            path = folder / entry["Key"]
            path.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, entry["Key"], str(path))


def run_in_duckdb(folder: Path, sql: str) -> Rows:
    """Over files below `folder`: events/year=/month=/day=/hour=/. Raises RecoError when there is none."""
    try:
        import duckdb
    except ImportError as error:
        raise RecoError(f"An experiment needs {error.name}: `make setup` installs it.") from None
    if not any((folder / "events").rglob("*.*")):
        raise RecoError("The archive holds nothing for these days; it is written five minutes after the events.")
    columns = ", ".join(f"{name}: {quote(kind)}" for name, kind in record_columns("duckdb").items())
    files = quote(f"{folder}/{prefixes.EVENTS}**/*")
    read = (
        f"read_json({files}, format='newline_delimited', compression='gzip', ignore_errors=true, columns={{{columns}}}, "
        "hive_partitioning=false, filename=true)"
    )
    with duckdb.connect() as database:
        database.execute(f"CREATE VIEW events AS FROM (FROM {read}) SELECT *, regexp_extract(filename, {quote(HOUR)}) AS hour")
        rows = database.execute(sql).fetchall()
    return [(variant, int(users), int(clicked), int(converted)) for variant, users, clicked, converted in rows]


def _run_in_athena(target: Target, sql: str) -> Rows:
    """Through the archive's table in the Glue catalogue. Raises RecoError with Athena's own reason."""
    athena, bucket = target.client("athena"), target.output("storage", "DataBucket")
    execution = athena.start_query_execution(
        QueryString=sql,
        QueryExecutionContext={"Database": target.output("ingestion", "ArchiveDatabase")},
        ResultConfiguration={"OutputLocation": prefixes.address(bucket, prefixes.ATHENA)},
    )["QueryExecutionId"]
    while (state := athena.get_query_execution(QueryExecutionId=execution)["QueryExecution"]["Status"])["State"] in (
        "QUEUED",
        "RUNNING",
    ):
        time.sleep(1)
    if state["State"] != "SUCCEEDED":
        raise RecoError(f"Athena did not answer: {state.get('StateChangeReason', state['State'])}")
    listed: list[Any] = athena.get_query_results(QueryExecutionId=execution)["ResultSet"]["Rows"][1:]
    return [_tuple_of([cell.get("VarCharValue") for cell in row["Data"]]) for row in listed]


def _tuple_of(cells: list[str | None]) -> tuple[str | None, int, int, int]:
    variant, users, clicked, done = cells
    return variant, int(users or 0), int(clicked or 0), int(done or 0)

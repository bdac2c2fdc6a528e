"""The archive of events, the imported CSVs and the erased users as the jobs read them.

The jobs import this module as their sibling: a Glue job names a zip of this folder, with `personalize_rules` in it, in
`--extra-py-files`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as f

from personalize_rules.csv import CELL, ESCAPED, ESCAPED_IN_QUOTES
from personalize_rules.events import CLOCK_SKEW, NOT_THEN, TOO_LARGE, record_columns
from personalize_rules.imports import header_of, normal
from personalize_rules.values import END_OF_TIMESTAMPS

#: A record of the archive (docs/ingestion.md). `malformed` holds a line that is no such record.
RECORD = ", ".join(f"{name} {kind}" for name, kind in {**record_columns("spark"), "malformed": "string"}.items())
#: The `reason` of a record that is none by design: who got which variant of an experiment (docs/serving.md).
EXPOSURE = "an exposure"


def parser(description: str | None) -> argparse.ArgumentParser:
    """For a job's arguments. Use parse_known_args: Glue adds its own."""
    return argparse.ArgumentParser(description=description, allow_abbrev=False)


def names(text: str) -> list[str]:
    """An argument that is a list of names with commas between them."""
    return [name for name in text.split(",") if name]


def session(job: str) -> SparkSession:
    """The Spark session of a job: times are in UTC, and a folder of results holds nothing but results."""
    return (
        SparkSession.builder.appName(job)
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.optimizer.canChangeCachedPlanOutputPartitioning", "true")
        .config("spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs", "false")
        .getOrCreate()
    )


def read_lines(spark: SparkSession, location: str) -> DataFrame:
    """The lines of all files as `value`, with the archive's columns year, month, day and hour where the folders have them."""
    if not exists(spark, location):
        return empty(spark, value="string")
    return spark.read.text(location, lineSep="\n")


def read_records(spark: SparkSession, location: str) -> DataFrame:
    """The lines of the archive that are not empty."""
    return read_lines(spark, location).where(f.trim("value") != "")


def read_events(spark: SparkSession, archive: str, since: datetime | None = None) -> DataFrame:
    """The archive's records as events (see `as_events`). With `since`, days that can't hold an event of that time or later are
    not read; late events are found all the same, since days are those of the arrival.
    """
    lines = read_records(spark, archive)
    if since is not None and {"year", "month", "day"} <= set(lines.columns):
        first_day = (since - timedelta(seconds=CLOCK_SKEW)).date()
        lines = lines.where(f.make_date("year", "month", "day") >= f.lit(first_day))
    return as_events(lines)


def as_events(lines: DataFrame, *extra: str) -> DataFrame:
    """A row for each line: value, identity, received_at, time, reason, the fields of the event, and the columns `extra`.

    `time` is when the event happened, in seconds since 1970; `reason` tells why a line is no event, and is null for one.
    The same event may be there more than once, with one identity.
    """
    record = f.from_json("value", RECORD, {"columnNameOfCorruptRecord": "malformed"})
    read = lines.select("value", *extra, record.alias("record")).select("value", *extra, "record.*")
    return read.select(
        "value",
        *extra,
        f.coalesce("body.event_id", "id").alias("identity"),
        "received_at",
        f.coalesce(f.col("body.timestamp"), f.col("received_at") / 1000).alias("time"),
        _reason().alias("reason"),
        *(f"body.{name}" for name in ("event_type", "user_id", "session_id", "item_id", "event_value")),
        *(f"body.{name}" for name in ("properties", "impression", "recommendation_id")),
    )


def _reason() -> Column:
    """Why a record is no event: it is an exposure, or it breaks a rule by which put_events refuses it."""
    stated, received = f.col("body.timestamp"), f.col("received_at") / 1000
    return (
        f.when(f.col("malformed").isNotNull(), "the line is not a record of an event")
        .when(f.col("kind") == "exposure", EXPOSURE)
        .when(f.col("kind").isNull() | (f.col("kind") != "event"), "kind: is not 'event'")
        .when(f.col("received_at").isNull(), "received_at: is missing")
        .when(f.coalesce("body.event_id", "id").isNull(), "id: is missing")
        .when(f.col("body.event_type").isNull(), "event_type: is missing")
        .when(f.col("body.session_id").isNull(), "session_id: is missing")
        .when(stated >= END_OF_TIMESTAMPS, f"timestamp: {TOO_LARGE}")
        .when((stated <= 0) | (stated > received + CLOCK_SKEW), f"timestamp: {NOT_THEN}")
    )


def no_events(events: DataFrame) -> dict[str, Any]:
    """For a report: how many records are exposures, and how many are rejected, by reason."""
    counts = count_by(events.where("reason IS NOT NULL"), "reason")
    return {"exposures": counts.pop(EXPOSURE, 0), "rejected": counts}


def distinct_events(events: DataFrame) -> DataFrame:
    """Each event once: of those with one identity the one that was received first."""
    first = Window.partitionBy("identity").orderBy("received_at")
    return events.withColumn("place", f.row_number().over(first)).where("place = 1").drop("place")


def with_session_users(events: DataFrame) -> DataFrame:
    """Gives anonymous events the user of their session: who is known next in it, else who was known last."""
    forward = Window.partitionBy("session_id").orderBy("time", "identity")
    backward = Window.partitionBy("session_id").orderBy(f.desc("time"), f.desc("identity"))
    known_next = f.last("user_id", ignorenulls=True).over(backward.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    known_last = f.last("user_id", ignorenulls=True).over(forward.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    return events.withColumn("user_id", f.coalesce(known_next, known_last))


def read_interactions(spark: SparkSession, location: str) -> DataFrame:
    """The imported Interactions CSVs (the first level of the folder, as an import takes them): user_id, item_id, time."""
    rows = read_csv(spark, location)
    if rows is None:
        return empty(spark, user_id="string", item_id="string", time="double")
    return rows.selectExpr("USER_ID AS user_id", "ITEM_ID AS item_id", "try_cast(`TIMESTAMP` AS double) AS time")


def read_csv(spark: SparkSession, location: str) -> DataFrame | None:
    """The records of the CSVs that an import takes, as it reads them: all files of the folder's first level, their columns in
    upper case, their cells as texts, null where they are empty. None if there is no file.
    """
    files = _files_in(spark, location)
    lines = [f.regexp_replace("value", "\r$", "").alias("line")]
    first = spark.read.text(files[0], lineSep="\n").select(*lines).first() if files else None
    if first is None:
        return None
    records = spark.read.text(files, lineSep="\n").select(*lines).where((f.col("line") != "") & (f.col("line") != first.line))
    cells = f.transform(f.regexp_extract_all(f.concat(f.lit(","), "line"), f.lit(CELL), 1), _unescaped)
    columns = map(normal, header_of(first.line))
    values = [f.get("cells", f.lit(place)).alias(column) for place, column in enumerate(columns)]
    return records.select(cells.alias("cells")).select(values).replace("", None)


def _unescaped(cell: Column) -> Column:
    quoted = f.regexp_replace(cell.substr(f.lit(2), f.length(cell) - 2), ESCAPED_IN_QUOTES, "$1$2")
    return f.when(cell.startswith('"'), quoted).otherwise(f.regexp_replace(cell, ESCAPED, "$1"))


def read_erased(spark: SparkSession, location: str | None) -> DataFrame:
    """The erased users, as `user_id`."""
    if location is None or not exists(spark, location):
        return empty(spark, user_id="string")
    return spark.read.json(location, schema="user_id string").where("user_id IS NOT NULL").distinct()


def empty(spark: SparkSession, **columns: str) -> DataFrame:
    """No rows, with columns of those types."""
    return spark.range(0).select(*(f.lit(None).cast(kind).alias(name) for name, kind in columns.items()))


def count_by(frame: DataFrame, column: str) -> dict[str, int]:
    """How many rows have each value of a column that has few."""
    return {row[column]: row["count"] for row in frame.groupBy(column).count().collect()}


def _files_in(spark: SparkSession, location: str) -> list[str]:
    """The addresses of the files of a folder's first level that are not empty."""
    if not exists(spark, location):
        return []
    found = file_system(spark, location).listStatus(path(spark, location))
    return sorted(str(one.getPath()) for one in found if one.isFile() and one.getLen() > 0)


def exists(spark: SparkSession, location: str) -> bool:
    """Whether there is anything at an address, which may be a pattern."""
    return bool(file_system(spark, location).globStatus(path(spark, location)))


def report(spark: SparkSession, location: str | None, content: Mapping[str, Any]) -> None:
    """Print what a job has done as JSON, and write it to the object of that address."""
    text = json.dumps(content)
    print(text, flush=True)
    if location is not None:
        stream = file_system(spark, location).create(path(spark, location), True)
        stream.write(bytearray(text.encode()))
        stream.close()


def java(spark: SparkSession) -> Any:
    """Java's own packages, among them those of Hadoop: Spark's way to S3."""
    return spark._jvm


def path(spark: SparkSession, location: str) -> Any:
    return java(spark).org.apache.hadoop.fs.Path(location)


def file_system(spark: SparkSession, location: str) -> Any:
    """Hadoop's file system of an address."""
    return path(spark, location).getFileSystem(configuration(spark))


def configuration(spark: SparkSession) -> Any:
    return spark._jsc.hadoopConfiguration()

"""Rebuilds the Interactions CSV from the archive, as an import into Personalize takes it.

    --archive s3://…/events/ --output s3://…/ --schema AVRO [--event_types view,cart,buy] [--archive_only visit]
    [--erased s3://…/erased.jsonl] [--rejected s3://…/] [--report s3://…]

Each event once, however often it was received; anonymous events under the user of their session; erased users left out.
Records that the import could not take go to `rejected` (by default below `output`, where an import doesn't look) as
JSON lines of `reason` and `record`. In the report, records = written + duplicates + archive_only + anonymous + erased + exposures
+ rejected; exposures are the records of who got which variant of an experiment.
docs: personalize/latest/dg/data-prep-formatting.html
"""

from __future__ import annotations

import sys
from base64 import b64decode
from collections.abc import Mapping, Sequence
from math import ceil

import archive
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as f

from personalize_rules.csv import SPECIAL
from personalize_rules.schemas import Field, Schema, parse_schema
from personalize_rules.values import text_limit

_ROWS_PER_FILE = 1_000_000
#: SQL types for those of Avro.
TYPES = {"string": "string", "int": "int", "long": "bigint", "float": "float", "double": "double", "boolean": "boolean"}
#: What a record, which is one line, can't hold.
_NO_LINE = r"[\n\r\x00]"
#: What an event has for the reserved columns. Any other column is a property of the event.
_RESERVED = {
    "USER_ID": "user_id",
    "ITEM_ID": "item_id",
    "TIMESTAMP": "CAST(floor(time) AS string)",
    "EVENT_TYPE": "event_type",
    "EVENT_VALUE": "CAST(event_value AS string)",
    "IMPRESSION": "array_join(impression, '|')",
    "RECOMMENDATION_ID": "recommendation_id",
}


def _schema_argument(text: str) -> Schema:
    """The Avro schema as JSON, or as base64 of it: Glue does not promise to pass on JSON as it is.

    docs: glue/latest/dg/aws-glue-api-crawler-pyspark-extensions-get-resolved-options.html
    """
    return parse_schema(text if text.lstrip().startswith("{") else b64decode(text).decode())


def main(argv: Sequence[str]) -> None:
    parser = archive.parser(__doc__)
    parser.add_argument("--archive", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--schema", type=_schema_argument, required=True)
    parser.add_argument("--event_types", type=archive.names, default=[])
    parser.add_argument("--archive_only", type=archive.names, default=[])
    parser.add_argument("--erased")
    parser.add_argument("--rejected")
    parser.add_argument("--report")
    given, _ = parser.parse_known_args(argv)
    spark = archive.session("interactions")
    schema = given.schema
    records = archive.read_events(spark, given.archive)
    records = records.withColumn("refusal", refusal(schema, given.event_types, given.archive_only))
    erased = archive.read_erased(spark, given.erased).withColumn("gone", f.lit(True))

    placed = place(records, schema, given.archive_only, erased).persist(StorageLevel.DISK_ONLY)
    counts = archive.count_by(placed, "outcome")
    write(placed.where("outcome = 'written'").select(_csv_line(schema)), given.output, counts.get("written", 0))
    refused = _outside(records, erased).persist(StorageLevel.DISK_ONLY)
    others = archive.count_by(refused, "outcome")
    counts["erased"] = counts.get("erased", 0) + others.get("erased", 0)
    counts |= {name: others.get(name, 0) for name in ("exposures", "rejected")}
    if counts["rejected"]:
        rejected = refused.where("outcome = 'rejected'").select("reason", "record")
        rejected.write.mode("overwrite").json(given.rejected or f"{given.output.rstrip('/')}/rejected/")
    archive.report(spark, given.report, summary(archive.read_records(spark, given.archive).count(), counts))


def refusal(schema: Schema, event_types: Sequence[str], archive_only: Sequence[str]) -> Column:
    """Why a record has no place in the CSV; null if it has. Archive-only events are not judged by the columns."""
    kind = f.col("event_type")
    known = kind.isin(event_types) if event_types else f.lit(True)
    reason = f.coalesce(
        f.when(~known, f.concat(f.lit("event_type: there is no event type '"), kind, f.lit("'"))),
        *(_wrong_value(schema, column) for column in schema.fields),
    )
    return f.coalesce(f.col("reason"), f.when(~kind.isin(archive_only), reason))


def _wrong_value(schema: Schema, column: Field) -> Column:
    """`COLUMN: what is wrong with its value`, null if nothing is. A missing user may come from the session."""
    given = f.expr(source(column.name))
    reason = f.concat(f.lit(f"{column.name}: '"), f.substring(given, 1, 50), f.lit(f"' is not a value of type {column.type}"))
    wrong = f.when(given.isNotNull() & converted(column).isNull(), reason)
    if column.is_text:
        wrong = _wrong_text(schema, column, given)
    if column.nullable or column.name == "USER_ID":
        return wrong
    return f.coalesce(wrong, f.when(given.isNull(), f"{column.name}: is missing"))


def _wrong_text(schema: Schema, column: Field, text: Column) -> Column:
    """Like `wrong_value`, of a text."""
    limit = text_limit(schema, column) or sys.maxsize
    return f.coalesce(
        f.when(text.rlike(_NO_LINE), f"{column.name}: has a line break or a NUL character"),
        f.when(f.length(text) > limit, f"{column.name}: is longer than {limit} characters"),
    )


def source(name: str) -> str:
    """SQL for what an event has for a column, as a string. Names of properties count without case and underscores."""
    if name in _RESERVED:
        return _RESERVED[name]
    plain = name.replace("_", "").lower()
    found = f"get(map_values(map_filter(properties, (name, value) -> lower(replace(name, '_', '')) = '{plain}')), 0)"
    return f"nullif({found}, '')"


def converted(column: Field) -> Column:
    """The value of a column, null where there is none of its type."""
    value = f.expr(f"try_cast({source(column.name)} AS {TYPES[column.type]})")
    if column.type in ("float", "double"):
        return f.when(~f.isnan(value) & (f.abs(value) < float("inf")), value)
    return value


def place(records: DataFrame, schema: Schema, archive_only: Sequence[str], erased: DataFrame) -> DataFrame:
    """Each event once, with the columns of the CSV and its `outcome`: written, or why it is not."""
    own = [converted(column).alias(f"csv_{column.name}") for column in schema.fields if column.name != "USER_ID"]
    keys = ("identity", "received_at", "session_id", "time", "event_type")
    user, user_column = f.col("user_id"), schema.column("USER_ID") or schema.fields[0]
    possible = f.when(_wrong_text(schema, user_column, user).isNull(), user)  # an anonymous event gets no other from its session
    events = records.where("reason IS NULL").select(
        *keys, possible.alias("user_id"), f.col("refusal").isNotNull().alias("refused"), *own
    )
    events = archive.with_session_users(archive.distinct_events(events)).join(erased, "user_id", "left")
    outcome = (
        f.when(f.col("event_type").isin(archive_only), "archive_only")
        .when(f.col("refused"), "rejected")
        .when(f.col("user_id").isNull(), "anonymous")
        .when(f.col("gone"), "erased")
        .otherwise("written")
    )
    others = [f"csv_{column.name}" for column in schema.fields if column.name != "USER_ID"]
    return events.select(outcome.alias("outcome"), f.col("user_id").alias("csv_USER_ID"), *others)


def _outside(records: DataFrame, erased: DataFrame) -> DataFrame:
    """The records that have no place in the CSV: reason, record, and the `outcome`: exposures, erased or rejected."""
    exposed = f.when(f.col("refusal") == archive.EXPOSURE, "exposures")
    outcome = exposed.when(f.col("gone"), "erased").otherwise("rejected")
    refused = records.where("refusal IS NOT NULL").join(erased, "user_id", "left")
    return refused.select(f.col("refusal").alias("reason"), f.col("value").alias("record"), outcome.alias("outcome"))


def _csv_line(schema: Schema) -> Column:
    """A record in the one dialect of CSV, named as the header: quotation marks where they are needed, backslashes inside them."""
    cells = []
    for column in schema.fields:
        cell = f.col(f"csv_{column.name}").cast("string")
        quoted = f.concat(f.lit('"'), f.regexp_replace(cell, r'(["\\])', r"\\$1"), f.lit('"'))
        cells.append(f.coalesce(f.when(cell.rlike(SPECIAL), quoted).otherwise(cell), f.lit("")))
    return f.concat_ws(",", *cells).alias(",".join(column.name for column in schema.fields))


def write(lines: DataFrame, output: str, count: int) -> None:
    """CSV files of about ROWS_PER_FILE rows, each with the header.

    To Spark a line is the only cell of its row, between separators that no cell holds: it adds nothing, also where it begins with
    the sign of a comment.
    """
    parts = lines.coalesce(max(ceil(count / _ROWS_PER_FILE), 1)).write.mode("overwrite")
    parts = parts.option("comment", "\r")
    parts.option("ignoreLeadingWhiteSpace", False).option("ignoreTrailingWhiteSpace", False).csv(
        output, header=True, sep="\r", quote="", escape="\r"
    )


def summary(records: int, counts: Mapping[str, int]) -> dict[str, int]:
    """What became of the records; duplicates are those that are nothing else."""
    names = ("written", "archive_only", "anonymous", "erased", "exposures", "rejected")
    found = {name: counts.get(name, 0) for name in names}
    return {"records": records, "duplicates": records - sum(found.values()), **found}


if __name__ == "__main__":
    main(sys.argv[1:])

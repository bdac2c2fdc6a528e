"""Builds the input of a batch inference job: JSON lines of users, items, or users with the items to rank.

    --archive s3://…/events/ --interactions s3://…/datasets/interactions/ --erased s3://…/erased.jsonl --output s3://…/
    --kind users|items|rankings --active_days N --users_per_file N --now ISO [--candidates s3://…] [--report s3://…]

Users (and items) are those with an event within the last N days, by the archive or by the imported CSVs; an anonymous event
counts for the user of its session. Candidates is a file of item ids, one a line.
docs: personalize/latest/dg/batch-data-upload.html, personalize/latest/dg/limits.html
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

import archive
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from personalize_rules.limits import MAX_BATCH_BYTES, MAX_BATCH_FILES, MAX_BATCH_LINES, MAX_RANKED_ITEMS

#: The share of the CSVs' rows that may be of no use.
_MOST_UNUSABLE = 0.01


def main(argv: Sequence[str]) -> None:
    parser = archive.parser(__doc__)
    parser.add_argument("--archive", required=True)
    parser.add_argument("--interactions", required=True)
    parser.add_argument("--erased")
    parser.add_argument("--output", required=True)
    parser.add_argument("--kind", choices=("users", "items", "rankings"), required=True)
    parser.add_argument("--active_days", type=int, required=True)
    parser.add_argument("--users_per_file", type=int, default=50_000)
    parser.add_argument("--now", type=datetime.fromisoformat, default=datetime.now(UTC))
    parser.add_argument("--candidates")
    parser.add_argument("--report")
    given, _ = parser.parse_known_args(argv)
    if given.kind == "rankings" and not given.candidates:
        sys.exit("--candidates is required for rankings.")
    now = given.now if given.now.tzinfo else given.now.replace(tzinfo=UTC)
    spark = archive.session("batch_input")
    since = now - timedelta(days=given.active_days)
    events = archive.read_events(spark, given.archive, since)
    imported = archive.read_interactions(spark, given.interactions)
    rows = _count_rows(events, imported)
    active = active_events(events, imported, since)
    lines = items(active) if given.kind == "items" else users(active, archive.read_erased(spark, given.erased))
    if given.kind == "rankings":
        lines = rankings(lines, _read_candidates(spark, given.candidates))
    files, count = write(lines, given.output, given.users_per_file)
    archive.report(spark, given.report, {"lines": count, "files": files, **rows})


def _count_rows(events: DataFrame, imported: DataFrame) -> dict[str, Any]:
    """For the report: events and rows of the CSVs that were read, and those that are of no use, by reason.

    Ends the job if that is more than one row of a CSV in a hundred: an import takes none of these, and the lists before are
    better than lists without so many users.
    """
    nobody, no_time = f.col("user_id").isNull(), f.col("time").isNull()
    of_csvs = imported.agg(
        f.count("*").alias("read"),
        f.count_if(nobody).alias("the USER_ID is empty"),
        f.count_if(~nobody & no_time).alias("the TIMESTAMP is no number"),
    ).collect()[0].asDict()  # fmt: skip
    rows = of_csvs.pop("read")
    if sum(of_csvs.values()) > rows * _MOST_UNUSABLE:
        reasons = " and ".join(f"of {count} {reason}" for reason, count in of_csvs.items() if count)
        sys.exit(f"{reasons}, of {rows} rows of the CSVs of interactions: correct them. The previous lists stay.")
    kinds = archive.no_events(events)
    dropped = {**{f"CSV: {reason}": count for reason, count in of_csvs.items() if count}, **kinds["rejected"]}
    read = rows + events.count() - kinds["exposures"]
    return {**kinds, "rows_read": read, "rows_used": read - sum(dropped.values()), "rows_dropped": dropped}


def active_events(events: DataFrame, imported: DataFrame, since: datetime) -> DataFrame:
    """What happened since then: user_id (null if nobody knows), item_id."""
    columns = ("user_id", "item_id", "time")
    streamed = events.where("reason IS NULL").select("identity", "session_id", *columns)
    streamed = archive.with_session_users(streamed).select(*columns)
    return streamed.union(imported.select(*columns)).where(f.col("time") >= since.timestamp())


def users(active: DataFrame, erased: DataFrame) -> DataFrame:
    """`{"userId"}` of each active user who is not erased."""
    known = active.where("user_id IS NOT NULL").select("user_id").distinct()
    return known.join(erased, "user_id", "left_anti").select(f.col("user_id").alias("userId"))


def items(active: DataFrame) -> DataFrame:
    """`{"itemId"}` of each item that had an event."""
    return active.where("item_id IS NOT NULL").select(f.col("item_id").alias("itemId")).distinct()


def _read_candidates(spark: SparkSession, location: str) -> DataFrame:
    """One row, with the candidates as `itemList`, in the order of their ids. Ends the job if there are none or too many."""
    ids = archive.read_lines(spark, location).select(f.trim("value").alias("id")).where("id != ''").distinct()
    candidates = ids.agg(f.sort_array(f.collect_list("id")).alias("itemList"))
    count = ids.count()
    if not 1 <= count <= MAX_RANKED_ITEMS:
        sys.exit(f"--candidates names {count} items; a ranking takes 1 to {MAX_RANKED_ITEMS}.")
    return candidates


def rankings(lines: DataFrame, candidates: DataFrame) -> DataFrame:
    """`{"userId", "itemList"}` of each user, with all the candidates."""
    return lines.crossJoin(f.broadcast(candidates))


def write(lines: DataFrame, output: str, lines_per_file: int) -> tuple[int, int]:
    """Write files of about so many lines; returns how many files and lines. Ends the job if it is more than a batch job takes."""
    lines = lines.persist()
    size = f.sum(f.octet_length(f.to_json(f.struct(*lines.columns))) + 1)
    count, total = lines.agg(f.count("*"), f.coalesce(size, f.lit(0))).first() or (0, 0)
    if total > MAX_BATCH_BYTES:
        sys.exit(f"The input is {total / 1e9:.1f} GB; a batch job takes 1 GB. Lower active_days or the number of candidates.")
    files = min(ceil(count / lines_per_file), MAX_BATCH_FILES)
    if count > MAX_BATCH_LINES * files:
        sys.exit(f"The input has {count} lines; a batch job takes {MAX_BATCH_FILES} files of {MAX_BATCH_LINES} lines.")
    if count:
        lines.repartition(files).write.mode("overwrite").json(output)
    lines.unpersist()
    return files, count


if __name__ == "__main__":
    main(sys.argv[1:])

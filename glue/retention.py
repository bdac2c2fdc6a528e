"""Retention, conversion and churn by day and event type, as Parquet that Athena reads.

    --archive s3://…/events/ --output s3://…/ --now ISO [--funnel view,cart,buy] [--churn_days 30]
    [--erased s3://…/erased.jsonl] [--report s3://…]

A row for each day (UTC) and event type, and one for each day with event_type `all`; in folders year=….

| column | |
|---|---|
| events | events of that day, those of unknown visitors too |
| users | known users who had one; new_users for the first time, returning_users not for the first time |
| converted_users | who went through the funnel in order on that day; conversion is their share of users (rows `all`) |
| retention_1, _7, _30 | the share of the day's new users who came again that many days later; null while that day is not over |
| churned_users | whose last event this was, churn_days ago or longer; churn is their share of users; null if not known yet |
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime

import archive
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as f

ALL = "all"
_AFTER_DAYS = (1, 7, 30)


def main(argv: Sequence[str]) -> None:
    parser = archive.parser(__doc__)
    parser.add_argument("--archive", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--now", type=datetime.fromisoformat, default=datetime.now(UTC))
    parser.add_argument("--funnel", type=archive.names, default=[])
    parser.add_argument("--churn_days", type=int, default=30)
    parser.add_argument("--erased")
    parser.add_argument("--report")
    given, _ = parser.parse_known_args(argv)
    spark = archive.session("retention")
    records = archive.read_events(spark, given.archive)
    visits = visitor_days(records, archive.read_erased(spark, given.erased), given.funnel)
    figures = with_shares(daily(visits), given.now.date(), given.churn_days).persist()
    figures.coalesce(1).write.mode("overwrite").partitionBy("year").parquet(given.output)
    archive.report(spark, given.report, {"rows": figures.count(), **archive.no_events(records)})


def visitor_days(records: DataFrame, erased: DataFrame, funnel: Sequence[str]) -> DataFrame:
    """A row for each visitor, day and event type or `all`: visitor, known, day, event_type, events, converted.

    Visitors are users, or sessions that nobody knows the user of.
    """
    columns = ("identity", "received_at", "session_id", "user_id", "time", "event_type")
    events = archive.with_session_users(archive.distinct_events(records.where("reason IS NULL").select(*columns)))
    steps = [f.when(f.col("event_type") == name, number) for number, name in enumerate(funnel)]
    step = f.coalesce(*steps, f.lit(None).cast("int"))
    visits = events.join(erased, "user_id", "left_anti").select(
        f.coalesce("user_id", "session_id").alias("visitor"),
        f.col("user_id").isNotNull().alias("known"),
        f.to_date(f.timestamp_seconds("time")).alias("day"),
        "event_type",
        f.when(step.isNotNull(), f.struct("time", step.alias("step"))).alias("step"),
    )
    by_type = visits.repartition("visitor").groupBy("visitor", "known", "day", "event_type")
    found = by_type.agg(f.count("*").alias("events"), f.collect_list("step").alias("steps"))
    both = found.withColumn("event_type", f.explode(f.array("event_type", f.lit(ALL))))
    merged = both.groupBy("visitor", "known", "day", "event_type").agg(
        f.sum("events").alias("events"), f.flatten(f.collect_list("steps")).alias("steps")
    )
    converted = f.lit(len(funnel) > 0) & (f.col("event_type") == ALL) & _went_through("steps", len(funnel))
    return merged.select("visitor", "known", "day", "event_type", "events", converted.alias("converted"))


def _went_through(steps: str, count: int) -> Column:
    """Whether an array of (time, step) has the steps 0, 1, 2, … in the order of time."""
    done = f.aggregate(f.array_sort(steps), f.lit(0), lambda at, entry: f.when(entry["step"] == at, at + 1).otherwise(at))
    return done == count


def daily(visits: DataFrame) -> DataFrame:
    """The figures of each day and event type, as counts. A visit counts for its own day and for the day of the first one."""
    own = Window.partitionBy("visitor", "known", "event_type")
    dated = visits.withColumn("first", f.min("day").over(own)).withColumn("last", f.max("day").over(own))
    age = f.date_diff("day", "first")

    def counted(day: str, events: Column | int, **counts: Column) -> Column:
        names = ("users", "new_users", "converted_users", "last_seen", *(f"retained_{days}" for days in _AFTER_DAYS))
        ones = [(f.col("known") & counts[name]).cast("bigint") if name in counts else f.lit(0).cast("bigint") for name in names]
        given = events if isinstance(events, Column) else f.lit(events).cast("bigint")
        own_day = f.col(day).alias("day")
        return f.struct(own_day, given.alias("events"), *(one.alias(name) for one, name in zip(ones, names, strict=True)))

    on_the_day = counted(
        "day",
        f.col("events"),
        users=f.lit(True),
        new_users=f.col("day") == f.col("first"),
        converted_users=f.col("converted"),
        last_seen=f.col("day") == f.col("last"),
    )
    of_the_first = counted("first", 0, **{f"retained_{days}": age == days for days in _AFTER_DAYS})
    counts = dated.select("event_type", f.explode(f.array(on_the_day, of_the_first)).alias("count")).select(
        "event_type", "count.*"
    )
    names = [name for name in counts.columns if name not in ("day", "event_type")]
    return counts.groupBy("day", "event_type").agg(*(f.sum(name).alias(name) for name in names))


def with_shares(counts: DataFrame, today: date, churn_days: int) -> DataFrame:
    """The rows of the table; what is not known yet by the beginning of today is null."""

    def known_after(days: int, value: Column) -> Column:
        return f.when(f.date_add("day", days) < f.lit(today), value)

    churned = known_after(churn_days, f.col("last_seen"))
    converted = f.when(f.col("event_type") == ALL, f.col("converted_users"))
    retention = [
        known_after(days, f.try_divide(f"retained_{days}", "new_users")).alias(f"retention_{days}") for days in _AFTER_DAYS
    ]
    return counts.select(
        "day",
        "event_type",
        "events",
        "users",
        "new_users",
        (f.col("users") - f.col("new_users")).alias("returning_users"),
        converted.alias("converted_users"),
        f.try_divide(converted, f.col("users")).alias("conversion"),
        *retention,
        churned.alias("churned_users"),
        f.try_divide(churned, f.col("users")).alias("churn"),
        f.year("day").alias("year"),
    )


if __name__ == "__main__":
    main(sys.argv[1:])

"""Counts the exchanges in the plans of the Glue jobs: `python -m bench.spark_plans FOLDER` prints {job: count}."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pyspark.sql import DataFrame

from personalize_rules.schemas import parse_schema

ROOT = Path(__file__).parents[1]


def count(frame: DataFrame) -> int:
    """Shuffles of rows between partitions; a broadcast of few rows is none, and neither is what is used a second time."""
    plan = frame._jdf.queryExecution().executedPlan().toString()
    return len(set(re.findall(r"\bExchange .*\[plan_id=(\d+)\]", plan)))


def main() -> None:
    sys.path.insert(0, str(ROOT / "glue"))
    import archive
    import batch_input
    import erasure
    import interactions
    import retention

    from bench.spark import DAYS, NOW, SCHEMA

    events, erased_file = (f"file://{sys.argv[1]}/{name}" for name in ("events", "erased.jsonl"))
    spark = archive.session("plans")
    erased = archive.read_erased(spark, erased_file)
    records = archive.read_events(spark, events)
    active = batch_input.active_events(
        records, archive.read_interactions(spark, f"{events}/none"), datetime.now(UTC) - timedelta(days=36_500)
    )
    schema = parse_schema(json.dumps(SCHEMA))
    judged = records.withColumn("refusal", interactions.refusal(schema, [], ["visit"]))
    gone = erased.selectExpr("user_id", "true AS gone")
    visits = retention.visitor_days(records, erased, ["view", "cart", "buy"])
    lines = erasure.read(spark, events)
    found = {
        "batch_input": batch_input.users(active, erased),
        "interactions": interactions.place(judged, schema, ["visit"], gone),
        "retention": retention.with_shares(retention.daily(visits), datetime.fromisoformat(NOW).date(), DAYS),
        "erasure": erasure.marked(lines, erased.persist(), erasure.anonymous_events(lines, erased.persist())),
    }
    print(json.dumps({job: count(frame) for job, frame in found.items()}))


if __name__ == "__main__":
    main()

"""The Glue jobs on local Spark, on two cores: their time as the archive grows, and whether a plan shuffles more than it must.

    python -m bench.spark --json spark.json [--sizes 1000000,5000000,20000000] [--work DIR]

Each job runs as it does in localaws, in a process of its own; its start (a few seconds) is in the times. Exits with 1 if a plan
has more exchanges than are declared here.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from localaws.glue.java import java_home

ROOT = Path(__file__).parents[1]
_SIZES = (1_000_000, 5_000_000, 20_000_000)
NOW = "2026-11-24T00:00:00+00:00"
DAYS = 90
_EVENTS_PER_FILE = 100_000
SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "Interactions",
    "version": "1.0",
    "fields": [
        *({"name": name, "type": "string"} for name in ("USER_ID", "ITEM_ID", "EVENT_TYPE")),
        {"name": "TIMESTAMP", "type": "long"},
        {"name": "EVENT_VALUE", "type": ["null", "float"]},
        {"name": "DEVICE", "type": ["null", "string"], "categorical": True},
    ],
}
_SPARK = (
    "--master local[2] --driver-memory 4g --conf spark.ui.enabled=false --conf spark.ui.showConsoleProgress=false"
    " --conf spark.driver.host=127.0.0.1 --conf spark.sql.shuffle.partitions=16"
    " --conf spark.hadoop.fs.file.impl=org.apache.hadoop.fs.RawLocalFileSystem pyspark-shell"
)
#: The exchanges that a job can't do without. Of all events: by identity (each counts once; the input of a batch needs none), by
#: session (who was it?), by visitor, by day; erasure has none of all events. Of few rows: erased users, active users, the
#: sessions of erased users and their events; the erased users as one list, which lines are compared with that can't be read.
_EXCHANGES = {"batch_input": 3, "interactions": 3, "retention": 5, "erasure": 4}
_EVENTS = """
SELECT 'event' AS kind, CAST(time * 1000 AS bigint) + 200 AS received_at, 'r' || i || again AS id,
  {'event_id': 'e' || i, 'session_id': 's' || session,
   'event_type': ['view', 'view', 'view', 'cart', 'buy', 'visit'][roll % 6 + 1],
   'user_id': CASE WHEN session % 10 < 3 AND i % 8 < 3 OR session % 10 = 9 THEN NULL ELSE 'u' || hash(session) % ? END,
   'item_id': CASE WHEN roll % 6 = 5 THEN NULL ELSE 'i' || hash(roll) % 20000 END,
   'timestamp': CAST(time AS double), 'event_value': CASE WHEN roll % 6 = 4 THEN roll % 100 + 0.5 END,
   'properties': {'device': ['mobile', 'desktop'][roll % 2 + 1]}} AS body
FROM (SELECT i, again, i // 8 AS session, CAST(hash(i) % 1000003 AS bigint) AS roll,
             ? + CAST(hash(i // 8) % 80000 AS bigint) + i % 8 * 60 AS time
      FROM range(?, ?) events(i), (VALUES (''), ('-again')) copies(again) WHERE again = '' OR hash(i) % 50 = 0)
"""


def generate(folder: Path, events: int) -> None:
    """An archive of so many events and 2 % that came twice, with a user for every 50; and one in 1000 users erased."""
    users, last = events // 50, 1_795_478_400
    for number, start in enumerate(range(0, events, _EVENTS_PER_FILE)):
        day = last - (number * 7 % DAYS + 1) * 86_400
        path = folder / "events" / time.strftime("year=%Y/month=%m/day=%d/hour=00", time.gmtime(day)) / f"{number}.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        given = [users, day, start, min(start + _EVENTS_PER_FILE, events)]
        duckdb.connect().execute(f"COPY ({_EVENTS}) TO '{path}' (FORMAT json, COMPRESSION gzip)", given)
    erased = ({"user_id": f"u{number}"} for number in range(0, users, 1000))
    (folder / "erased.jsonl").write_text("".join(json.dumps(user) + "\n" for user in erased))


def environ() -> dict[str, str]:
    return {**os.environ, "JAVA_HOME": str(java_home()), "PYSPARK_SUBMIT_ARGS": _SPARK, "SPARK_LOCAL_IP": "127.0.0.1"}


def arguments(folder: Path) -> dict[str, dict[str, object]]:
    """Of each job, in the order in which they run; erasure changes a copy."""
    shop = {"archive": folder / "events", "erased": folder / "erased.jsonl"}
    batch = {"interactions": folder / "none", "kind": "users", "active_days": DAYS, "users_per_file": 50_000, "now": NOW}
    return {
        "batch_input": {**shop, **batch, "output": folder / "users"},
        "interactions": {**shop, "output": folder / "csv", "schema": json.dumps(SCHEMA), "archive_only": "visit"},
        "retention": {**shop, "output": folder / "retention", "now": NOW, "funnel": "view,cart,buy"},
        "erasure": {**shop, "archive": folder / "copy"},
    }


def _run_job(job: str, given: dict[str, object]) -> float:
    """Seconds that the script takes. Raises CalledProcessError."""
    texts = {name: f"file://{value}" if isinstance(value, Path) else str(value) for name, value in given.items()}
    command = [sys.executable, str(ROOT / "glue" / f"{job}.py"), *(part for name in texts for part in (f"--{name}", texts[name]))]
    began = time.monotonic()
    subprocess.run(command, env=environ(), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - began


def seconds(events: int, work: Path) -> dict[str, float]:
    """Seconds of each job on an archive of so many events."""
    folder = work / str(events)
    generate(folder, events)
    shutil.copytree(folder / "events", folder / "copy")
    try:
        return {job: _run_job(job, given) for job, given in arguments(folder).items()}
    finally:
        shutil.rmtree(folder)


def run(sizes: Sequence[int], work: Path | None = None) -> dict[str, float]:
    """Seconds of all jobs together, by the number of events."""
    return {size: sum(each.values()) for size, each in _by_job(sizes, work).items()}


def _by_job(sizes: Sequence[int], work: Path | None = None) -> dict[str, dict[str, float]]:
    with tempfile.TemporaryDirectory(dir=work) as folder:
        return {str(size): seconds(size, Path(folder)) for size in sizes}


def exponent(times: dict[str, float]) -> float | None:
    """The power of the number of events with which the time grows, between the smallest and the largest size."""
    sizes = sorted(times, key=int)
    if len(sizes) < 2:
        return None
    return math.log(times[sizes[-1]] / times[sizes[0]]) / math.log(int(sizes[-1]) / int(sizes[0]))


def exchanges() -> dict[str, int]:
    """How many exchanges the plan of each job has, counted by a process with a Spark of its own on a small archive."""
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder), 10_000)
        command = [sys.executable, "-m", "bench.spark_plans", folder]
        done = subprocess.run(command, env=environ(), check=True, capture_output=True, text=True)
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sizes", type=lambda text: [int(size) for size in text.split(",")], default=list(_SIZES))
    parser.add_argument("--work", type=Path, help="where the archives are put for the time being")
    options = parser.parse_args()
    found = exchanges()
    times = _by_job(options.sizes, options.work)
    totals = {size: sum(each.values()) for size, each in times.items()}
    figures = {"spark_s": totals, "jobs_s": times, "exponent": exponent(totals), "exchanges": found, "necessary": _EXCHANGES}
    print(json.dumps(figures, indent=1))
    if options.json:
        options.json.write_text(json.dumps(figures))
    if more := [job for job, count in found.items() if count > _EXCHANGES[job]]:
        sys.exit(f"More exchanges than are necessary: {', '.join(more)}.")


if __name__ == "__main__":
    main()

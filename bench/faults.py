"""Serving over HTTP while Personalize fails: full lists in every answer, never an error, in bounded time.

    python -m bench.faults --requests 10000 --json FILE

The shop is deployed into the local AWS environment and trained. Clients ask its API for the placement `home`: while all is well,
then while Personalize throttles a fifth of the calls, stalls a twentieth for longer than the time budget, and, half-way through,
fails every call for ten seconds. The overhead of API front, worker and machine is what a request takes while all is well.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from lambdas.config.file import load_config
from lambdas.stores import snapshots
from reco.data import load
from reco.deployment import train
from reco.target import Target
from tests.harness import shop_csvs
from tests.harness.deployment import CONFIG, Api, deployed, set_faults, until

CLIENTS, USERS, WANTED = 4, 80, 10
_AWAY_SECONDS = 10.0
FAULTS: list[dict[str, Any]] = [
    {"operation": "GetRecommendations", "action": "throttle", "rate": 0.20, "seed": 1},
    {"operation": "GetRecommendations", "action": "slow", "rate": 0.05, "seed": 2, "seconds": 1},
]
_AWAY: list[dict[str, Any]] = [{"operation": "GetRecommendations", "action": "error", "rate": 1.0, "seed": 3}]


@dataclass(frozen=True)
class _Answered:
    status: int
    source: str
    full: bool
    ms: float


def train_shop(target: Target, folder: Path) -> None:
    """From CSVs to campaigns and the snapshot of what sells best."""
    load.upload(target, load.find_csvs(shop_csvs.write(folder / "csvs")), lambda count: None)
    train.require_success(train.follow(target, train.start(target), lambda state: None))
    until(lambda: has_snapshot(target))


def has_snapshot(target: Target) -> bool:
    try:
        target.client("s3").head_object(Bucket=target.output("storage", "DataBucket"), Key=snapshots.output_key("best-sellers"))
    except ClientError:
        return False
    return True


def ask(target: Target, requests: int, on_half: threading.Event | None = None) -> list[_Answered]:
    """Answers to so many requests, by several clients at once."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        shares = [requests // CLIENTS + (client < requests % CLIENTS) for client in range(CLIENTS)]
        running = [pool.submit(_ask_as, target, client, share, on_half) for client, share in enumerate(shares)]
        return [answered for one in running for answered in one.result()]


def _ask_as(target: Target, client: int, requests: int, on_half: threading.Event | None) -> list[_Answered]:
    api, found = Api(target), []
    for n in range(requests):
        if on_half and n == requests // 2:
            on_half.set()
        began = time.perf_counter()
        user = (client + n * CLIENTS) % USERS
        status, answer = api.call("GET", f"/recommendations/home?user_id=u{user}&num_results={WANTED}")
        ms = 1000 * (time.perf_counter() - began)
        full = status == 200 and answer["returned"] == WANTED == len({item["item_id"] for item in answer["items"]})
        found.append(_Answered(status, str(answer.get("source", answer)), full, ms))
    return found


def endure(target: Target, requests: int, away_seconds: float = _AWAY_SECONDS) -> dict[str, Any]:
    """What the clients saw. Faults end with the run."""
    well = ask(target, max(requests // 10, 20))
    half = threading.Event()

    def go_away() -> None:
        half.wait()
        set_faults(target, _AWAY)
        time.sleep(away_seconds)
        set_faults(target, FAULTS)

    absence = threading.Thread(target=go_away)
    set_faults(target, FAULTS)
    absence.start()
    try:
        troubled = ask(target, requests, half)
    finally:
        half.set()
        absence.join()
        set_faults(target, [])
    return {
        "requests": len(troubled),
        "server_errors": sum(one.status >= 500 for one in troubled),
        "other_statuses": sum(one.status not in (200,) and one.status < 500 for one in troubled),
        "short_lists": sum(not one.full for one in troubled),
        "sources": dict(Counter(one.source for one in troubled)),
        "time_budget_ms": load_config(CONFIG).serving.time_budget_ms,
        "well_ms": quantiles(well),
        "faults_ms": quantiles(troubled),
    }


def quantiles(answers: list[_Answered]) -> dict[str, float]:
    cuts = statistics.quantiles((one.ms for one in answers), n=100, method="inclusive")
    return {"p50": cuts[49], "p99": cuts[98], "max": max(one.ms for one in answers)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, deployed(Path(folder)) as target:
        train_shop(target, Path(folder))
        result = endure(target, options.requests)
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    sys.exit(1 if result["server_errors"] or result["short_lists"] else 0)


if __name__ == "__main__":
    main()

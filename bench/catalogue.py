"""What attributes cost serving: from the table and kept a minute, as it is, or the whole catalogue in each worker's memory.

    python -m bench.catalogue --json catalogue.json [--sizes 1000,10000,100000]

A worker answers ten requests a second for five minutes of simulated time; each looks up 100 candidates, popular items more often
(Zipf). Processor time is that of the worker. DynamoDB is the stub of bench.serving. The whole catalogue is read from compressed
JSON lines, and anew each minute, for an item changes every minute in a shop that keeps its stock.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from bench.serving import stubbed
from lambdas.aws.signed import DYNAMODB, SignedClient
from lambdas.serving.recommend.budget import Budget
from lambdas.serving.recommend.catalogue import FRESH_SECONDS, Catalogue

_SIZES = (1_000, 10_000, 100_000)
CANDIDATES, A_SECOND, MINUTES = 100, 10, 5
_REQUESTS = round(A_SECOND * 60 * MINUTES)


class Counted(SignedClient):
    """Counts calls and the items that they ask for."""

    calls = items = 0

    def batch_get_item(self, RequestItems: dict[str, Any]) -> Any:  # noqa: N803 - as boto3 has it
        self.calls += 1
        self.items += sum(len(asked["Keys"]) for asked in RequestItems.values())
        return self._call("BatchGetItem", RequestItems=RequestItems)


def lists(size: int) -> Iterator[list[str]]:
    """The candidates of one request after the other."""
    dice = np.random.default_rng(1)
    weights = 1 / np.arange(1, size + 1)
    drawn = np.searchsorted(np.cumsum(weights / weights.sum()), dice.random((_REQUESTS, 2 * CANDIDATES)))
    for row in drawn:
        yield [f"i{n}" for n in dict.fromkeys(row.tolist())][:CANDIDATES]


def _from_the_table(size: int) -> dict[str, float]:
    client = Counted(DYNAMODB)
    catalogue, began, clock = Catalogue(client, "catalogue"), time.monotonic(), 0.0
    real = time.monotonic
    wanted = list(lists(size))
    with mock.patch("time.monotonic", side_effect=lambda: real() + clock):
        used = time.process_time()
        for items in wanted:
            assert catalogue.look_up(items, Budget(60)).in_time
            clock += max(1 / A_SECOND - (real() - began), 0)
            began = real()
        used = time.process_time() - used
    return {
        "cpu_ms_a_request": 1000 * used / _REQUESTS,
        "calls_a_request": client.calls / _REQUESTS,
        "items_read_a_minute": client.items / MINUTES,
        "kept_items": len(catalogue._kept._kept),
    }


def packed(size: int) -> bytes:
    rows = (
        {"item_id": f"i{n}", "attributes": {"STOCK": n % 9, "BRAND": f"brand{n % 23}", "PRICE": n % 97, "TITLE": f"Item {n}"}}
        for n in range(size)
    )
    return gzip.compress("\n".join(map(json.dumps, rows)).encode())


def read(body: bytes) -> dict[str, Any]:
    return {row["item_id"]: row["attributes"] for row in map(json.loads, gzip.decompress(body).splitlines())}


def _in_memory(size: int) -> dict[str, float]:
    body, wanted = packed(size), list(lists(size))
    tracemalloc.start()
    items = read(body)
    megabytes = tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()
    used = time.process_time()
    items = read(body)
    load = time.process_time() - used
    used = time.process_time()
    for candidates in wanted:
        {item_id: items.get(item_id) for item_id in candidates}
    looked_up = (time.process_time() - used) / _REQUESTS
    return {
        "cpu_ms_a_request": 1000 * (looked_up + load * 60 / FRESH_SECONDS / (A_SECOND * 60)),
        "read_s": load,
        "memory_mb": megabytes,
    }


def run(sizes: Sequence[int]) -> dict[str, Any]:
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    with stubbed() as port, mock.patch.dict(os.environ, keys | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}):
        return {str(size): {"table": _from_the_table(size), "memory": _in_memory(size)} for size in sizes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=lambda text: tuple(map(int, text.split(","))), default=_SIZES)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = run(options.sizes)
    print(json.dumps(found, indent=2))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()

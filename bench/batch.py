"""What loading batch lists costs, beside a bare boto3 `batch_writer` loop over the same file; and how long Spark takes.

    python -m bench.batch --json batch.json [--sizes 10000,100000,1000000] [--spark-sizes 1000000,5000000,20000000]

DynamoDB and S3 are stubbed at the socket, by a process of its own: DynamoDB takes everything, S3 gives ranges of a file. Each
measurement is a process of its own, which handles one file of lists with 25 items as user-personalization writes them. The bare
loop stores the same rows. CPU is that of the whole process, less what it has used before its first line.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

from rich.console import Console
from rich.table import Table

from lambdas.config import Config
from lambdas.config.environment import LoadRecommendations
from lambdas.config.file import load_config
from lambdas.config.packed import pack

SIZES, SPARK_SIZES = (10_000, 100_000, 1_000_000), (1_000_000, 5_000_000, 20_000_000)
ITEMS, REPEATS = 25, 3
VERSION, BUCKET, KEY = "20261124T040000000Z", "data", "batch/for-you/v/output/users.json.out"
ROOT = Path(__file__).parents[1]


class Stub(BaseHTTPRequestHandler):
    """DynamoDB takes what it is given and has no erased users; S3 has one file."""

    protocol_version = "HTTP/1.1"
    file: ClassVar[Path]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        scan = self.headers.get("X-Amz-Target", "").endswith("Scan")
        body = b'{"Items": [], "Count": 0}' if scan else b'{"UnprocessedItems": {}}'
        self.answer(200, {"Content-Type": "application/x-amz-json-1.0"}, body)

    def do_HEAD(self) -> None:
        self.answer(200, {"ETag": '"1"'}, None, self.file.stat().st_size)

    def do_GET(self) -> None:
        size = self.file.stat().st_size
        first, _, last = self.headers.get("Range", f"bytes=0-{size - 1}").removeprefix("bytes=").partition("-")
        self.answer(206, {"ETag": '"1"'}, None, int(last) - int(first) + 1)
        with self.file.open("rb") as file:
            file.seek(int(first))
            left = int(last) - int(first) + 1
            while left and (some := file.read(min(left, 1 << 20))):
                self.wfile.write(some)
                left -= len(some)

    def answer(self, status: int, headers: dict[str, str], body: bytes | None, length: int = 0) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        size = len(body) if body is not None else length
        self.wfile.write(f"HTTP/1.1 {status} x\r\n{lines}Content-Length: {size}\r\n\r\n".encode() + (body or b""))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing to stderr."""


def serve(pipe: Connection, file: Path) -> None:
    Stub.file = file
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    pipe.send(server.server_port)
    server.serve_forever()


def lines(count: int) -> Iterator[bytes]:
    """Output lines of a batch inference job."""
    dice = random.Random(1)
    for user in range(count):
        scores = sorted((round(dice.random() / 10, 7) for _ in range(ITEMS)), reverse=True)
        output = {"recommendedItems": [str(dice.randrange(10**6)) for _ in range(ITEMS)], "scores": scores}
        record = {"input": {"userId": f"user-{user:08d}"}, "output": output, "error": None}
        yield json.dumps(record, separators=(",", ":")).encode() + b"\n"


def ours() -> int:
    """The loader, as the state machine calls it; returns the lines."""
    from lambdas.batch.load_recommendations.handler import handler

    context: Any = SimpleNamespace(
        function_name="load",
        memory_limit_in_mb=1769,
        invoked_function_arn="arn",
        aws_request_id="id",
        get_remaining_time_in_millis=lambda: 3_600_000,
    )
    event = {"kind": "batch", "name": "for-you", "version": VERSION, "key": KEY, "rejected_prefix": "r/", "expires": 2**31}
    return int(handler(event, context)["counts"]["written"])


def bare() -> int:
    """What one writes with boto3 at hand: every line in memory once, a batch_writer, the same rows."""
    import boto3
    from boto3.dynamodb.types import Binary

    from lambdas.stores.batch_lists import pack, row_key

    body = boto3.client("s3").get_object(Bucket=BUCKET, Key=KEY)["Body"]
    count = 0
    with boto3.resource("dynamodb").Table("lists").batch_writer() as writer:
        for line in body.iter_lines():
            record = json.loads(line)
            packed = pack(record["output"]["recommendedItems"], record["output"]["scores"], [])
            key = row_key("for-you", VERSION, record["input"]["userId"])
            writer.put_item(Item={"list": key, "items": Binary(packed), "expires": 2**31})
            count += 1
    return count


def measured(pipe: Connection, work: Callable[[], int], environ: dict[str, str]) -> None:
    """In a process of its own: seconds, CPU seconds, peak of memory in MB, lines."""
    os.environ.update(environ)
    import boto3

    import lambdas.batch.load_recommendations.handler  # noqa: F401

    boto3.client("dynamodb"), boto3.client("s3"), boto3.resource("dynamodb")
    cpu, began = time.process_time(), time.perf_counter()
    count = work()
    spent = time.process_time() - cpu, time.perf_counter() - began
    pipe.send((*spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, count))


def measure(work: Callable[[], int], environ: dict[str, str]) -> tuple[float, float, float, int]:
    ours_, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=measured, args=(theirs, work, environ))
    process.start()
    theirs.close()  # so that the end of a process that fails is seen
    result: tuple[float, float, float, int] = ours_.recv()
    process.join()
    return result


def environment(folder: Path, port: int) -> dict[str, str]:
    raw = load_config(ROOT / "config" / "shop.yaml").model_dump(mode="json", by_alias=True, exclude_defaults=True)
    raw["batch"] = {"for-you": {"solution": "for-you"}}
    (folder / "config.pickle").write_bytes(pack(Config.model_validate(raw)))
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "CONFIG_PATH": str(folder / "config.pickle"),
        **LoadRecommendations(
            batch_lists_table="lists", data_bucket=BUCKET, erasures_table="erasures", segments_table="segments"
        ).variables(),
        "POWERTOOLS_SERVICE_NAME": "load_recommendations",
        "POWERTOOLS_METRICS_NAMESPACE": "bench",
        "POWERTOOLS_LOG_LEVEL": "ERROR",
    }


def _run_size(folder: Path, count: int, compare: bool) -> dict[str, float]:
    """One file of `count` lines: lines per second of CPU, peak memory; the same of the bare loop where it is compared."""
    file = folder / "output"
    with file.open("wb") as target:
        target.writelines(lines(count))
    mine, theirs = multiprocessing.get_context("spawn").Pipe()
    stub = multiprocessing.get_context("spawn").Process(target=partial(serve, theirs, file), daemon=True)
    stub.start()
    try:
        environ = environment(folder, mine.recv())
        own = [measure(ours, environ) for _ in range(REPEATS if compare else 1)]
        other = [measure(bare, environ) for _ in range(REPEATS if compare else 0)]
    finally:
        stub.kill()
    if any(result[3] != count for result in [*own, *other]):
        raise RuntimeError(f"of {count} lines not all were written")
    found = {"cpu_s": min(result[0] for result in own), "s": min(result[1] for result in own), "peak_mb": max(r[2] for r in own)}
    if other:
        found |= {"bare_cpu_s": min(r[0] for r in other), "bare_s": min(r[1] for r in other)}
    return found


def run(sizes: tuple[int, ...], spark_sizes: tuple[int, ...]) -> dict[str, Any]:
    compared = sorted(sizes)[min(1, len(sizes) - 1)]
    with tempfile.TemporaryDirectory() as name:
        found = {count: _run_size(Path(name), count, count == compared) for count in sizes}
    against = found[compared]
    result: dict[str, Any] = {
        "lines_per_s": round(compared / against["cpu_s"]),
        "bare_lines_per_s": round(compared / against["bare_cpu_s"]),
        "cpu_vs_batch_writer": round(against["cpu_s"] / against["bare_cpu_s"], 3),
        "time_vs_batch_writer": round(against["s"] / against["bare_s"], 3),
        "peak_mb": {str(count): round(each["peak_mb"], 1) for count, each in found.items()},
    }
    if spark_sizes:
        from bench import spark

        result["spark_s"] = spark.run(spark_sizes)
    return result


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(",") if part)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the results to this file")
    parser.add_argument(
        "--sizes", type=numbers, default=SIZES, help="lines of the files; the second is compared with a bare loop"
    )
    parser.add_argument("--spark-sizes", type=numbers, default=SPARK_SIZES, help="events for the Spark jobs; empty: none")
    given = parser.parse_args()
    result = run(given.sizes, given.spark_sizes)
    table = Table(title="Loading batch lists", title_justify="left")
    table.add_column("what")
    table.add_column("value", justify="right")
    for name, value in result.items():
        table.add_row(name, json.dumps(value))
    Console().print(table)
    if given.json:
        given.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()

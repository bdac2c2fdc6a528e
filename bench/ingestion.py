"""How fast ingestion is: our own code beside `json.loads`, whole batches beside a handler that calls PutEvents per record, calls
beside the least possible number, and how long an event takes to change a recommendation.

    python -m bench.ingestion --json ingestion.json
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.server
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from bench.click_stream import click_stream
from lambdas.aws import clients
from lambdas.aws.retry import Patience
from lambdas.config.file import load_config
from lambdas.ingestion.put_events import sending
from lambdas.ingestion.put_events.batch import read_batch
from personalize_rules.limits import EVENTS_PER_CALL
from reco.data import load
from reco.deployment import train
from reco.target import Target
from tests.harness.deployment import CONFIG, Api, deployed
from tests.harness.shop_csvs import write

#: As the event source mapping of `stacks/ingestion.py` makes batches.
_BATCH_SIZE = 500
EVENTS = 20_000
REPEATS, END_TO_END_REPEATS = 5, 12
_FRESHNESS_SAMPLES = 20
EVENT_TYPES = load_config(CONFIG).event_types
Records = list[dict[str, Any]]


def _records_of(events: Sequence[dict[str, Any]]) -> Records:
    """Events as Lambda gets them from Kinesis."""
    lines = [
        json.dumps({"kind": "event", "received_at": int(time.time() * 1000), "id": f"request-{n}", "body": event}) + "\n"
        for n, event in enumerate(events)
    ]
    return [{"kinesis": {"sequenceNumber": str(n), "data": b64encode(line.encode()).decode()}} for n, line in enumerate(lines)]


def stream(count: int) -> Records:
    """A realistic stream: bursts of a few events of a session, of many users, one after the other."""
    bursts = click_stream(count, client=0)
    return _records_of([sent.event for burst in bursts for sent in burst if not sent.malformed])


def _bursts_of(size: int, sessions: int) -> Records:
    """Full bursts of one size, each of another session."""
    return _records_of(
        [
            {
                "event_id": f"e{session}-{n}",
                "event_type": "view",
                "user_id": f"u{session}",
                "session_id": f"s{session}",
                "item_id": f"i{n}",
                "timestamp": time.time() - 100 + n,
                "properties": {"device": "mobile"},
            }
            for session in range(sessions)
            for n in range(size)
        ]
    )


def batches(records: Records) -> Iterator[Records]:
    return (records[start : start + _BATCH_SIZE] for start in range(0, len(records), _BATCH_SIZE))


def cpu_seconds(work: Callable[[], Any], repeats: int = REPEATS) -> float:
    """The least CPU time of a few runs, in all threads."""
    times: list[float] = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


def _own_code(records: Records) -> None:
    """All that `put_events` does with records up to the call into boto3."""
    for batch in batches(records):
        for lane in read_batch(batch, EVENT_TYPES).lanes.values():
            for chunk in sending.chunks_of(sorted(lane, key=lambda event: event.time)):
                sending.call_of(chunk, "tracking-id")


def own_vs_json_loads(records: Records) -> float:
    texts = [b64decode(record["kinesis"]["data"]) for record in records]
    return cpu_seconds(lambda: _own_code(records)) / cpu_seconds(lambda: [json.loads(text) for text in texts])


def processor_time(records: Records) -> dict[str, float]:
    """Microseconds of our own code for an event, and milliseconds of a PutEvents call with all that is ours, against the stub."""
    bursts = _bursts_of(3, 300)
    return {
        "event_us": round(1e6 * cpu_seconds(lambda: _own_code(records)) / len(records), 1),
        "call_ms": round(1000 * cpu_seconds(lambda: ours(bursts)) / 300, 2),
    }


def calls_vs_least(records: Records) -> float:
    """Calls made for a stream, batch by batch, beside the least that each batch needs: one for ten events of a session."""
    made = least = 0
    for batch in batches(records):
        lanes = read_batch(batch, EVENT_TYPES).lanes.values()
        made += sum(1 for lane in lanes for _ in sending.chunks_of(sorted(lane, key=lambda event: event.time)))
        sessions = Counter((event.user_id, event.session_id) for lane in lanes for event in lane)
        least += sum(-(-count // EVENTS_PER_CALL) for count in sessions.values())
    return made / least


class Taking(http.server.BaseHTTPRequestHandler):
    """Answers PutEvents as Personalize does: with nothing."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        pass


def serve() -> None:
    """A stub at the socket, in a process of its own, until its standard input ends."""
    http.server.ThreadingHTTPServer.request_queue_size = 128
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()


@contextlib.contextmanager
def stubbed() -> Iterator[None]:
    """PutEvents goes to the stub."""
    command = [sys.executable, "-m", "bench.ingestion", "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        environ = {
            "AWS_ENDPOINT_URL_PERSONALIZE_EVENTS": f"http://127.0.0.1:{process.stdout.readline().strip()}",
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        with mock.patch.dict(os.environ, environ):
            clients.personalize_events.cache_clear()
            yield
        assert process.stdin is not None
        process.stdin.close()


def ours(records: Records) -> None:
    for batch in batches(records):
        sending.send(read_batch(batch, EVENT_TYPES).lanes, "tracking-id", Patience(time.monotonic() + 60))


def _naive(records: Records, client: Any) -> None:
    """What the usual sample does: each record by itself."""
    for record in records:
        event = json.loads(b64decode(record["kinesis"]["data"]))["body"]
        client.put_events(
            trackingId="tracking-id",
            userId=event["user_id"],
            sessionId=event["session_id"],
            eventList=[
                {
                    "eventId": event["event_id"],
                    "eventType": event["event_type"],
                    "itemId": event["item_id"],
                    "sentAt": event["timestamp"],
                    "properties": json.dumps(event["properties"]),
                }
            ],
        )


def end_to_end_vs_naive(records: Records) -> float:
    """How many times the CPU time of ours the naive handler takes."""
    import boto3

    client = boto3.client("personalize-events")
    ours(records[:_BATCH_SIZE])
    _naive(records[:100], client)
    times: list[tuple[float, float]] = []
    for _ in range(END_TO_END_REPEATS):  # in turns: whatever else the machine does meets both
        times.append((cpu_seconds(lambda: _naive(records, client), 1), cpu_seconds(lambda: ours(records), 1)))
    return min(theirs for theirs, _ in times) / min(own for _, own in times)


def freshness(folder: Path) -> dict[str, float]:
    """Seconds from the API's 202 to a recommendation that has changed; each sample is a user of its own."""
    with deployed(folder) as target:
        load.upload(target, load.find_csvs(write(folder / "csv")))
        train.require_success(train.follow(target, train.start(target), lambda state: None))
        for user in range(_FRESHNESS_SAMPLES, _FRESHNESS_SAMPLES + 3):
            _seconds_to_change(target, f"u{user}")  # the functions are warm then
        times = sorted(_seconds_to_change(target, f"u{user}") for user in range(_FRESHNESS_SAMPLES))
    return {"p50": round(statistics.median(times), 3), "p99": round(times[min(len(times) - 1, int(0.99 * len(times)))], 3)}


def _seconds_to_change(target: Target, user: str) -> float:
    api = Api(target)
    ask = functools.partial(api.call, "GET", f"/recommendations/home?user_id={user}")
    before = [item["item_id"] for item in ask()[1]["items"]]
    events = [
        {"event_type": "buy", "user_id": user, "session_id": "s", "item_id": item} for item in (before[3], before[-1], "i5", "i7")
    ]
    status, answer = api.call("POST", "/events", {"events": events})
    assert status == 202, answer
    began = time.monotonic()
    while [item["item_id"] for item in ask()[1]["items"]] == before:
        if time.monotonic() - began > 30:
            raise TimeoutError(f"the recommendations of {user} did not change")
        time.sleep(0.02)
    return time.monotonic() - began


def run() -> dict[str, Any]:
    records = stream(EVENTS)
    result: dict[str, Any] = {"own_vs_json_loads": round(own_vs_json_loads(records), 2)}
    with stubbed():
        result["end_to_end_vs_naive"] = {
            "chunks_of_10": round(end_to_end_vs_naive(_bursts_of(10, 100)), 2),
            "bursts_of_3": round(end_to_end_vs_naive(_bursts_of(3, 300)), 2),
        }
        result["processor_time"] = processor_time(records)
    result["calls_vs_least"] = round(calls_vs_least(records), 3)
    with tempfile.TemporaryDirectory() as folder:
        result["freshness_s"] = freshness(Path(folder))
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the results to this file")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    result = run()
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()

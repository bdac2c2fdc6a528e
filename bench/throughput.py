"""How many events a second this machine takes in: from the API to Personalize and to the archive's stream, all in the local AWS.

    python -m bench.throughput --rate 2000 --seconds 60 --json throughput.json

Clients send well-formed events at a steady rate. An event's lag is the time from the API's 202 to the moment at which Personalize
has as many events as had been accepted by then. Processor time is told by process, so that the figures name the bottleneck.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import threading
import time
from bisect import bisect_left
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.click_stream import click_stream
from lambdas.config.file import load_config
from localaws.workers.fork_server import process_name
from reco.target import Target
from tests.harness.deployment import CONFIG, Api, deployed, make_tracker, publish, query_events
from tests.harness.processes import descendants_of, emulators_of, name_of, processor_seconds

_CLIENTS = 8
_EVENTS_A_CALL = 50
_GIVE_UP = 120.0


@dataclass
class Accepted:
    """How many events the API had accepted at which moments."""

    times: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, count: int) -> None:
        with self.lock:
            self.times.append(time.monotonic())
            self.counts.append(count + (self.counts[-1] if self.counts else 0))

    def moment(self, count: int) -> float:
        """When so many had been accepted."""
        return self.times[min(bisect_left(self.counts, count), len(self.times) - 1)]


def send(target: Target, client: int, rate: float, seconds: float, accepted: Accepted) -> None:
    """Send at a steady rate; who is late sends on at once."""
    api = Api(target)
    events = (
        sent.event for burst in click_stream(10**9, client) for sent in burst if not sent.malformed and not sent.archive_only
    )
    began = time.monotonic()
    for n in itertools.count():
        due = began + n * _EVENTS_A_CALL / rate
        if due > began + seconds:
            return
        time.sleep(max(due - time.monotonic(), 0))
        status, answer = api.call("POST", "/events", {"events": list(itertools.islice(events, _EVENTS_A_CALL))})
        if status != 202:
            raise RuntimeError(f"the API answered {status}: {answer}")
        accepted.add(_EVENTS_A_CALL)


class Arrivals(threading.Thread):
    """Looks how many events Personalize has; `lags` are (accepted events by then, lag in seconds)."""

    def __init__(self, folder: Path, accepted: Accepted) -> None:
        super().__init__(daemon=True)
        self._folder, self._accepted = folder, accepted
        self.lags: list[tuple[int, float]] = []
        self.there = 0

    def run(self) -> None:
        while True:
            count, now = self._count(), time.monotonic()
            if count != self.there:
                self.there = count
                self.lags.append((count, now - self._accepted.moment(count)))
            time.sleep(0.05)

    def _count(self) -> int:
        return sum(most or 0 for (most,) in query_events(self._folder, "SELECT max(id) FROM events"))


def _processor_seconds(root: int, deployment: str) -> dict[str, float]:
    """Processor time so far: the local AWS itself, Personalize, the workers of put_events, and the others."""
    emulators, found = set(emulators_of(root)), dict.fromkeys(("local AWS", "Personalize", "put_events", "others"), 0.0)
    for pid in (root, *descendants_of(root)):
        name = "local AWS" if pid == root else "Personalize" if pid in emulators else "others"
        if name_of(pid) == process_name(f"{deployment}_put-events"):
            name = "put_events"
        found[name] += processor_seconds(pid)
    return found


def measure(rate: float, seconds: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name, deployed(Path(name)) as target:
        folder, accepted = Path(name), Accepted()
        publish(target, make_tracker(load_config(CONFIG), target.client("personalize")))
        send(target, _CLIENTS, 10, 5, warm := Accepted())
        root = json.loads((folder / "aws" / "environment.json").read_text())["pid"]
        arrivals = Arrivals(folder, accepted)
        deadline = time.monotonic() + _GIVE_UP
        while arrivals._count() < warm.counts[-1] and time.monotonic() < deadline:
            time.sleep(0.1)
        accepted.add(warm.counts[-1])
        before, own_before, began = _processor_seconds(root, target.deployment), time.process_time(), time.monotonic()
        arrivals.start()
        with ThreadPoolExecutor(_CLIENTS) as pool:
            list(pool.map(lambda client: send(target, client, rate / _CLIENTS, seconds, accepted), range(_CLIENTS)))
        sent_for = time.monotonic() - began
        while arrivals.there < accepted.counts[-1] and time.monotonic() < deadline + seconds:
            time.sleep(0.1)
        after = _processor_seconds(root, target.deployment)
        count = accepted.counts[-1] - warm.counts[-1]
        lags = sorted(lag for _, lag in arrivals.lags)
        return {
            "rate": rate,
            "accepted": count,
            "arrived": arrivals.there - warm.counts[-1],
            "accepted_per_s": count / sent_for,
            "lag_s": {"p50": lags[len(lags) // 2], "p99": lags[int(len(lags) * 0.99)], "most": lags[-1]},
            "all_there_after_s": time.monotonic() - began,
            "cpu_us_per_event": {name: 1e6 * (after[name] - before[name]) / count for name in after}
            | {"clients": 1e6 * (time.process_time() - own_before) / count},
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=2000, help="events a second")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = measure(options.rate, options.seconds)
    print(json.dumps(found, indent=2))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()

"""Nothing is lost: events from eight clients through the whole of ingestion, and beside them puts and patches of items and users,
while Personalize throttles, fails, stalls and is killed itself, and functions are killed. Accounts for all that the API accepted.

    python -m bench.chaos --events 100000 --json chaos.json

Exits with 1 if anything is lost, stuck for more than a minute, or otherwise in the catalogue than in Personalize.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import math
import os
import random
import signal
import sys
import tempfile
import threading
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Container, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import chaos_records
from bench.chaos_records import Changes
from bench.click_stream import Sent, click_stream
from lambdas.config.file import load_config
from localaws.workers.fork_server import process_name
from reco.deployment.redrive import record_of
from reco.target import Target
from tests.harness.deployment import CONFIG, Api, deployed, make_tracker, publish, query_events, set_faults, until
from tests.harness.processes import descendants_of, emulators_of, name_of

_CLIENTS = 8
_BURSTS_A_CALL = 10
FAULTS: list[dict[str, Any]] = [
    {"operation": "PutEvents", "action": "throttle", "rate": 0.10, "seed": 1},
    {"operation": "PutEvents", "action": "error", "rate": 0.05, "seed": 2},
    {"operation": "PutEvents", "action": "slow", "rate": 0.01, "seed": 3, "seconds": 6},
    {"operation": "PutItems", "action": "throttle", "rate": 0.10, "seed": 4},
    {"operation": "PutItems", "action": "error", "rate": 0.05, "seed": 5},
    {"operation": "PutUsers", "action": "throttle", "rate": 0.10, "seed": 6},
]
#: For so many events one change of an item or a user.
_EVENTS_A_CHANGE = 20
#: Seconds between two kills of Personalize; and seconds after which what has its turn and has not ended is stuck.
KILL_PERSONALIZE_EVERY, NOT_STUCK = 20.0, 60.0
#: Seconds between two kills, and without progress after which the run is over.
KILL_EVERY, GIVE_UP = 3.0, 90.0
_FUNCTION = "put-events"


def post_events(target: Target, client: int, count: int) -> list[Sent]:
    """One client: what the API accepted of its events; what failed is sent again at once, as the API asks."""
    api, accepted = Api(target), []
    stream = click_stream(count, client)
    while bursts := [burst for _, burst in zip(range(_BURSTS_A_CALL), stream, strict=False)]:
        waiting = [sent for burst in bursts for sent in burst]
        _refuse_half_a_surrogate(api, waiting[0].event)
        while waiting:
            status, answer = api.call("POST", "/events", {"events": [sent.event for sent in waiting]})
            if status == 504:  # nobody knows whether they arrived: an event that comes twice counts once
                continue
            if status not in (202, 207, 503):
                raise RuntimeError(f"the API answered {status}: {answer}")
            failed = set(answer["failed"])
            now = time.monotonic()
            accepted += [replace(sent, accepted_at=now) for index, sent in enumerate(waiting) if index not in failed]
            waiting = [waiting[index] for index in sorted(failed)]
    return accepted


def _refuse_half_a_surrogate(api: Api, event: dict[str, Any]) -> None:
    """Half of a surrogate pair in an id is refused with its whole call, so it has one of its own."""
    status, answer = api.call("POST", "/events", {"events": [{**event, "user_id": "\ud800"}]})
    if status != 400:
        raise RuntimeError(f"half of a surrogate pair was answered {status}: {answer}")


class Killer(threading.Thread):
    """Kills workers of `put_events` at random until it is stopped; only those of the given environment."""

    def __init__(self, environment_pid: int, function: str, every: float, personalize_every: float = math.inf) -> None:
        super().__init__(daemon=True)
        self.killed = 0
        self.personalize_killed = 0
        self._personalize_every, self._since = personalize_every, time.monotonic()
        self._root, self._function, self._every = environment_pid, function, every
        self._done = threading.Event()
        self._dice = random.Random(1)

    def run(self) -> None:
        while not self._done.wait(self._every * self._dice.uniform(0.5, 1.5)):
            self.killed += self._kill(self._workers())
            if time.monotonic() - self._since > self._personalize_every:
                self.personalize_killed += self._kill(emulators_of(self._root))
                self._since = time.monotonic()

    def stop(self) -> None:
        self._done.set()
        self.join()

    def _kill(self, processes: list[int]) -> bool:
        """Kill one of the processes, if there is one."""
        with contextlib.suppress(ProcessLookupError):
            if processes:
                os.kill(self._dice.choice(processes), signal.SIGKILL)
                return True
        return False

    def _workers(self) -> list[int]:
        return [pid for pid in descendants_of(self._root) if name_of(pid) == process_name(self._function)]


class Ledger:
    """Where the events of a run ended, by their ids."""

    def __init__(self, target: Target, folder: Path) -> None:
        self._target, self._folder = target, folder
        self.dead: dict[str, str] = {}
        self.dead_records: dict[chaos_records.Key, str] = {}
        self._bucket = target.output("storage", "DataBucket")
        self._queue = target.output("ingestion", "DeadLetterQueueUrl")
        self._read = set[str]()
        self.bodies = dict[str, dict[str, Any]]()
        self.lines = 0

    @property
    def archived(self) -> set[str]:
        return set(self.bodies)

    def in_personalize(self) -> list[tuple[str, str, int]]:
        """(event id, user, time) of every event that Personalize holds, in the order in which they came."""
        return query_events(self._folder, "SELECT event_id, user_id, timestamp FROM events ORDER BY id")

    def update(self) -> None:
        """Read the dead letters and the archive on."""
        self._read_dead_letters()
        for key in self._new_objects("events/"):
            for record in self._lines(key):
                self.bodies[event_id(record)] = record["body"]
                self.lines += 1
        for key in self._new_objects("aws/lambda/"):
            self._read_given_up(key)

    def _read_dead_letters(self) -> None:
        sqs = self._target.client("sqs")
        while found := sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                letter = json.loads(message["Body"])
                record = json.loads(record_of(self._target, letter))
                if record["kind"] == "event":
                    self.dead[event_id(record)] = letter["reason"]
                else:
                    self.dead_records[record["kind"], b64decode(record["record_id"]).decode()] = letter["reason"]
            entries = [{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(found)]
            sqs.delete_message_batch(QueueUrl=self._queue, Entries=entries)

    def _read_given_up(self, key: str) -> None:
        notice = json.loads(self._body(key))
        for record in json.loads(notice["payload"])["Records"]:
            self.dead[event_id(json.loads(b64decode(record["kinesis"]["data"])))] = notice["requestContext"]["condition"]

    def _new_objects(self, prefix: str) -> Iterator[str]:
        pages = self._target.client("s3").get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        for key in [entry["Key"] for page in pages for entry in page.get("Contents", [])]:
            if key not in self._read:
                self._read.add(key)
                yield key

    def _lines(self, key: str) -> Iterator[dict[str, Any]]:
        return map(json.loads, gzip.decompress(self._body(key)).splitlines())

    def _body(self, key: str) -> bytes:
        return bytes(self._target.client("s3").get_object(Bucket=self._bucket, Key=key)["Body"].read())


def event_id(record: dict[str, Any]) -> str:
    """The identity of an event: the client's, or else the one that the API gave."""
    return str(record["body"].get("event_id") or record["id"])


class Watch:
    """Looks for what is stuck. `lines` are ids in the order in which they were accepted.

    Stuck is what has not ended a minute after the sending had, and after the last thing before it in its line has ended: so a
    message is seen that is held while others pass it, and all of what waits when nothing moves, but no queue that is only long.
    """

    def __init__(self, lines: Sequence[Sequence[Hashable]], now: float) -> None:
        self._lines, self._began = lines, now
        self._ended = [dict[Hashable, float]() for _ in lines]
        self.stuck = set[Hashable]()

    def look(self, waiting: Sequence[Container[Hashable]], now: float) -> None:
        """`waiting` is what has not ended, line by line."""
        for line, still, ended in zip(self._lines, waiting, self._ended, strict=True):
            latest = self._began
            for name in line:
                if name not in still:
                    latest = max(latest, ended.setdefault(name, now))
                elif now - latest > NOT_STUCK and name not in self.stuck:
                    self.stuck.add(name)
                    print(f"stuck: {name}", file=sys.stderr)


def follow(target: Target, ledger: Ledger, accepted: Iterable[Sent], changes: Changes) -> int:
    """Wait until everything has ended somewhere, or nothing has moved for GIVE_UP seconds. Returns how much was stuck."""
    in_order = sorted(accepted, key=lambda sent: sent.accepted_at)
    everything = [sent.id for sent in in_order]
    for_personalize = [sent.id for sent in in_order if not sent.archive_only]
    of_records = sorted(changes.accepted_at, key=changes.accepted_at.__getitem__)
    before, since = (-1, -1, -1), time.monotonic()
    watch = Watch((for_personalize, everything, of_records), since)
    while time.monotonic() - since < GIVE_UP:
        ledger.update()
        ended = {name for name, _, _ in ledger.in_personalize()} | ledger.dead.keys()
        records = chaos_records.unended(target, changes, ledger.dead_records)
        waiting = ({*for_personalize} - ended, {*everything} - ledger.archived, records)
        if not any(waiting):
            break
        watch.look(waiting, time.monotonic())
        now = (len(ended), len(ledger.bodies), len(records))
        if now != before:
            before, since = now, time.monotonic()
        time.sleep(0.5)
    return len(watch.stuck)


def counts(target: Target) -> Counter[str]:
    """The sums of the metrics that `put_events` wrote into its log; a killed call wrote none."""
    sums = Counter[str]()
    pages = target.client("logs").get_paginator("filter_log_events").paginate(
        logGroupName=f"/aws/lambda/{target.deployment}_{_FUNCTION}"
    )  # fmt: skip
    for page in pages:
        for entry in page["events"]:
            if entry["message"].startswith('{"_aws"'):
                line = json.loads(entry["message"])
                for metric in (metric for part in line["_aws"]["CloudWatchMetrics"] for metric in part["Metrics"]):
                    sums[metric["Name"]] += int(sum(line[metric["Name"]]))
    return sums


def account(accepted: list[Sent], ledger: Ledger, metrics: Counter[str]) -> dict[str, Any]:
    """The contract of this benchmark."""
    ids = {sent.id for sent in accepted}
    rows = [row for row in ledger.in_personalize() if row[0] in ids]
    there, dead = {name for name, _, _ in rows}, ids & ledger.dead.keys()
    archive_only = {sent.id for sent in accepted if sent.archive_only} - there - dead
    lost = (ids - there - archive_only - dead) | (ids - ledger.archived)
    last, out_of_order = dict[str, int](), 0
    for _, user, moment in rows:
        out_of_order += moment < last.get(user, 0)
        last[user] = max(moment, last.get(user, 0))
    # Every call made after the first for the same events: throttled, failed, or by a batch that came again.
    attempts = metrics["PutEventsCalls"] + metrics["PutEventsThrottled"] + metrics["PutEventsFailed"]
    needed = metrics["PutEventsCalls"] * len(there) / max(metrics["EventsPut"], 1)
    return {
        "accepted": len(accepted),
        "in_personalize": len(there),
        "archive_only": len(archive_only),
        "dead_lettered": len(dead),
        "archived": len(ids & ledger.archived),
        "lost": len(lost),
        "resent_ratio": round(max(attempts / max(needed, 1) - 1, 0.0), 4),
        "counted_twice": len(rows) - len(there),
        "out_of_order": out_of_order,
    }


def _well_again(target: Target) -> bool:
    """Take the faults away. False while Personalize is being started again."""
    try:
        set_faults(target, [])
    except OSError:
        return False
    return True


def endure(
    target: Target,
    folder: Path,
    events: int,
    faults: list[dict[str, Any]],
    kill_every: float,
    ledger: Ledger,
    kill_personalize_every: float = math.inf,
) -> dict[str, Any]:
    """Send events, items and users to a deployment while all that goes on; the account, and how often something was killed."""
    set_faults(target, faults)
    pid = json.loads((folder / "aws" / "environment.json").read_text())["pid"]
    killer = Killer(pid, f"{target.deployment}_{_FUNCTION}", kill_every, kill_personalize_every)
    killer.start()
    share = [events // _CLIENTS + (n < events % _CLIENTS) for n in range(_CLIENTS)]
    changes = Changes()
    with ThreadPoolExecutor(2 * _CLIENTS) as pool:
        of_records = [pool.submit(chaos_records.change_records, target, n, share[n] // _EVENTS_A_CHANGE) for n in range(_CLIENTS)]
        accepted = [sent for part in pool.map(lambda n: post_events(target, n, share[n]), range(_CLIENTS)) for sent in part]
        for made in of_records:
            changes.add(made.result())
    killer.stop()
    until(lambda: _well_again(target))
    stuck = follow(target, ledger, accepted, changes)
    of_items = chaos_records.account(target, changes, ledger.dead_records)
    killed = {"killed": killer.killed, "personalize_killed": killer.personalize_killed}
    return {**account(accepted, ledger, counts(target)), **of_items, "stuck": stuck, **killed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--json", type=Path, help="write the account to this file")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, deployed(Path(folder)) as target:
        publish(target, make_tracker(load_config(CONFIG), target.client("personalize")))
        ledger = Ledger(target, Path(folder))
        result = endure(target, Path(folder), options.events, FAULTS, KILL_EVERY, ledger, KILL_PERSONALIZE_EVERY)
    killed, personalize = result.pop("killed"), result.pop("personalize_killed")
    for reason, number in Counter([*ledger.dead.values(), *ledger.dead_records.values()]).most_common():
        print(f"{number:6} {reason}")
    print(f"{killed} functions killed, Personalize {personalize} times; {time.monotonic() - began:.0f} s")
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    sys.exit(1 if any(result[wrong] for wrong in ("lost", "records_lost", "stuck", "catalogue_differs")) else 0)


if __name__ == "__main__":
    main()

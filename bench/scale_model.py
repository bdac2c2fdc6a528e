"""Ingestion and serving as queues: a clock, token buckets, the stream's pollers and the answers' workers, event by event.

Nothing here is measured. The figures come from `bench.scale`; the shape is that of the stacks and of the services' documentation:
lambda/latest/dg/with-kinesis.html (a shard is polled once a second, the window gathers a batch, the factor splits it by key).
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from lambdas.aws.retry import FIRST_PAUSE, LONGEST_PAUSE

#: Seconds after which a poller asks again for a worker that it did not get.
_NO_WORKER = 1.0


class Clock:
    """Runs what is due, in the order of time."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._number = 0

    def after(self, seconds: float, action: Callable[..., None], *given: Any) -> None:
        self._number += 1
        heapq.heappush(self._due, (self.now + seconds, self._number, action, given))

    def run(self, until: float) -> None:
        while self._due and self._due[0][0] <= until:
            self.now, _, action, given = heapq.heappop(self._due)
            action(*given)
        self.now = until


class Bucket:
    """A token bucket, full at first. `burst` tokens are there at most, `rate` come a second."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst = rate, burst
        self._tokens, self._at = burst, 0.0

    def has(self, now: float, tokens: float = 1.0) -> bool:
        if math.isinf(self.rate):
            return True
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        return self._tokens >= tokens

    def take(self, now: float, tokens: float = 1.0) -> bool:
        """False, and nothing is taken, where there are too few."""
        if not self.has(now, tokens):
            return False
        self._tokens -= tokens
        return True


def _take_all(buckets: Sequence[Bucket], now: float) -> bool:
    """One token of each, or none of any."""
    if not all(bucket.has(now) for bucket in buckets):
        return False
    for bucket in buckets:
        bucket.take(now)
    return True


class _Peaks:
    """Counts by whole seconds of the time that is looked at."""

    def __init__(self) -> None:
        self._by_second: Counter[int] = Counter()

    def add(self, now: float) -> None:
        self._by_second[int(now)] += 1

    def most(self) -> int:
        return max(self._by_second.values(), default=0)


class _Workers:
    """The account's Lambda concurrency, and how much of it is used over time."""

    def __init__(self, clock: Clock, limit: float, since: float) -> None:
        self._clock, self._limit, self._since = clock, limit, since
        self.running = self.most = 0
        self.busy_seconds = 0.0
        self._changed = 0.0

    def take(self) -> bool:
        if self.running >= self._limit:
            return False
        self._count(1)
        return True

    def give(self) -> None:
        self._count(-1)

    def mean(self) -> float:
        self._count(0)
        return self.busy_seconds / (self._clock.now - self._since)

    def _count(self, more: int) -> None:
        now = self._clock.now
        self.busy_seconds += self.running * max(0.0, now - max(self._changed, self._since))
        self._changed = now
        self.running += more
        if now >= self._since:
            self.most = max(self.most, self.running)


@dataclass(frozen=True)
class Limits:
    """What the config and the account allow: calls a second, workers at the same time. `math.inf` for none."""

    api: tuple[float, float]
    account_api: tuple[float, float]
    workers: float
    campaign: float
    campaigns: float
    put_events: float
    shard_records: float
    shard_bytes: float


@dataclass(frozen=True)
class EventSource:
    """The event source mapping: seconds between two polls of a shard, records and seconds of a batch, batches of a shard."""

    poll: float
    batch: int
    window: float
    factor: int


@dataclass(frozen=True)
class Cost:
    """Seconds of what is done: processor time is for the share of a processor that the function has."""

    event_cpu: float
    call_cpu: float
    put_events: Callable[[Random], float]
    tables: float
    answer_cpu: float
    campaign: Callable[[Random], float]


@dataclass(frozen=True)
class Load:
    """Posts and answers a second; each post has so many events of one user. Answers by the campaign that they ask."""

    posts: float
    events_per_post: int
    event_bytes: int
    answers: Mapping[str, float]
    second_call: float
    shards: int


@dataclass
class Seen:
    """What happened to what came after the warm-up."""

    lags: list[float] = field(default_factory=list)
    waiting: list[float] = field(default_factory=list)
    """When posts came in that have not been put to the end."""
    answers: list[float] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    calls: dict[str, _Peaks] = field(default_factory=dict)

    def called(self, what: str, now: float) -> None:
        self.calls.setdefault(what, _Peaks()).add(now)


@dataclass
class _Poller:
    """One of the batches of a shard that may run at the same time."""

    phase: float
    waiting: deque[float] = field(default_factory=deque)
    busy: bool = False


class Simulation:
    """One size of shop for some seconds."""

    def __init__(
        self, load: Load, limits: Limits, mapping: EventSource, cost: Cost, *, threads: int, seed: int, warm_up: float = 0.0
    ) -> None:
        self.load, self.limits, self.mapping, self.cost, self.threads = load, limits, mapping, cost, threads
        self.random, self.clock, self.seen, self.warm_up = Random(seed), Clock(), Seen(), warm_up
        self.workers = _Workers(self.clock, limits.workers, warm_up)
        self._taken: Counter[float] = Counter()
        self._until = math.inf
        self.api = [Bucket(*limits.api), Bucket(*limits.account_api)]
        self.put_events = Bucket(limits.put_events, limits.put_events)
        self.runtime = Bucket(limits.campaigns, limits.campaigns)
        self.campaigns = {name: Bucket(limits.campaign, limits.campaign) for name in load.answers}
        self.shards = [
            (Bucket(limits.shard_records, limits.shard_records), Bucket(limits.shard_bytes, limits.shard_bytes))
            for _ in range(load.shards)
        ]
        self.pollers = [
            [_Poller(phase) for _ in range(mapping.factor)] for phase in (self.random.random() for _ in range(load.shards))
        ]

    def run(self, seconds: float, cool_down: float = 0.0) -> Seen:
        """So many seconds after the warm-up are looked at; for `cool_down` more, posts of these may still be put. One that has
        not been counts with its age: its lag is at least that.
        """
        self._until = self.warm_up + seconds
        self._next_post()
        for name, rate in self.load.answers.items():
            if rate:
                self.clock.after(self.random.expovariate(rate), self._answer, name, rate)
        self.clock.run(self._until + cool_down)
        for received in self._taken.elements():
            self._note_lag(received)
        self.seen.waiting = sorted(filter(self._is_looked_at, self._taken.elements()))
        return self.seen

    def _is_looked_at(self, at: float) -> bool:
        return self.warm_up <= at <= self._until

    def _count(self, what: str) -> None:
        self.seen.counts[what] += self._is_looked_at(self.clock.now)

    def _call(self, what: str) -> None:
        if self._is_looked_at(self.clock.now):
            self.seen.called(what, self.clock.now)

    def _admit(self) -> bool:
        """Whether API Gateway lets a call in."""
        self._call("API")
        return _take_all(self.api, self.clock.now)

    def _next_post(self) -> None:
        if self.load.posts:
            self.clock.after(self.random.expovariate(self.load.posts), self._post)

    def _post(self) -> None:
        self._next_post()
        self._count("posts")
        if not self._admit():
            self._count("posts refused")
            return
        number = self.random.randrange(self.load.shards)
        records, size = self.shards[number]
        now, events = self.clock.now, self.load.events_per_post
        if not (records.has(now, events) and size.has(now, events * self.load.event_bytes)):
            self._count("posts throttled by a shard")
            return
        records.take(now, events)
        size.take(now, events * self.load.event_bytes)
        poller = self.random.choice(self.pollers[number])
        poller.waiting.append(now)
        self._taken[now] += 1
        if len(poller.waiting) == 1 and not poller.busy:
            poller.busy = True
            self.clock.after(self._until_poll(poller), self._gather, poller)

    def _until_poll(self, poller: _Poller) -> float:
        """Seconds until the shard is polled next."""
        poll = self.mapping.poll
        return (poller.phase - self.clock.now / poll) % 1.0 * poll if poll else 0.0

    def _gather(self, poller: _Poller) -> None:
        full = len(poller.waiting) * self.load.events_per_post >= self.mapping.batch
        self.clock.after(0.0 if full else self.mapping.window, self._start, poller)

    def _start(self, poller: _Poller) -> None:
        if not self.workers.take():
            self._count("batches without a worker")
            self.clock.after(_NO_WORKER, self._start, poller)
            return
        most = max(1, self.mapping.batch // self.load.events_per_post)
        posts = deque(poller.waiting.popleft() for _ in range(min(most, len(poller.waiting))))
        _Invocation(self, poller, posts).begin()

    def end(self, poller: _Poller) -> None:
        """An invocation has ended: the poller goes on with what has come since."""
        self.workers.give()
        if poller.waiting:
            self._gather(poller)
        else:
            poller.busy = False

    def put(self, received: float, attempt: int, done: Callable[[], None]) -> None:
        """PutEvents for a post; a throttle is waited out as `lambdas/aws/retry.py` does."""
        self._call("PutEvents")
        self._count("puts")
        if self.put_events.take(self.clock.now):
            self.clock.after(self.cost.put_events(self.random), self._has_put, received, done)
            return
        self._count("puts throttled")
        pause = self.random.uniform(0.5, 1) * min(FIRST_PAUSE * 2**attempt, LONGEST_PAUSE)
        self.clock.after(pause, self.put, received, attempt + 1, done)

    def _has_put(self, received: float, done: Callable[[], None]) -> None:
        self._taken[received] -= 1
        if not self._taken[received]:
            del self._taken[received]
        self._note_lag(received)
        done()

    def _note_lag(self, received: float) -> None:
        if self._is_looked_at(received):
            self.seen.lags.append(self.clock.now - received)

    def _answer(self, campaign: str, rate: float) -> None:
        self.clock.after(self.random.expovariate(rate), self._answer, campaign, rate)
        self._count("answers")
        if not self._admit():
            self._count("answers refused")
        elif not self.workers.take():
            self._count("answers without a worker")
        else:
            seconds = self.cost.answer_cpu + self._asked(campaign)
            self.clock.after(seconds, self.workers.give)
            if self._is_looked_at(self.clock.now):
                self.seen.answers.append(seconds)

    def _asked(self, campaign: str) -> float:
        """Seconds of the calls of one answer; one that is throttled makes it one of the fallbacks'."""
        seconds = 0.0
        for _ in range(1 + (self.random.random() < self.load.second_call)):
            self._call(f"campaign {campaign}")
            self._call("campaigns")
            if not _take_all([self.campaigns[campaign], self.runtime], self.clock.now):
                self._count("answers of fallbacks")
                return seconds
            seconds += self.cost.campaign(self.random)
        return seconds


class _Invocation:
    """`put_events` with one batch: a processor that the calls share, and threads that each wait for one call."""

    def __init__(self, simulation: Simulation, poller: _Poller, posts: deque[float]) -> None:
        self.simulation, self.poller, self.posts = simulation, poller, posts
        self._cpu_free = 0.0
        self._open = 0

    def begin(self) -> None:
        made = self.simulation
        events = len(self.posts) * made.load.events_per_post
        self._cpu_free = made.clock.now + made.cost.event_cpu * events
        self._open = min(made.threads, len(self.posts))
        for _ in range(self._open):
            self._next()

    def _next(self) -> None:
        """A thread takes the next post, or ends; the last one to end writes to the tables."""
        made = self.simulation
        if self.posts:
            received, now = self.posts.popleft(), made.clock.now
            self._cpu_free = max(self._cpu_free, now) + made.cost.call_cpu
            made.clock.after(self._cpu_free - now, made.put, received, 0, self._next)
            return
        self._open -= 1
        if not self._open:
            made.clock.after(made.cost.tables, made.end, self.poller)

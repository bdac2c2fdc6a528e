"""Reads of tables that put keys off: pauses between the calls, and an end."""

from __future__ import annotations

import time
from typing import Any

import pytest

from lambdas.aws import tables


class Busy:
    """A table that gives one key a call, and from `gives` on none; `now` is the time that sleeping takes."""

    def __init__(self, gives: int) -> None:
        self.gives, self.calls, self.now = gives, 0, 0.0

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        self.calls += 1
        keys = RequestItems["t"]["Keys"]
        given = 1 if self.calls <= self.gives else 0
        left = keys[given:]
        unprocessed = {"t": {**RequestItems["t"], "Keys": left}} if left else {}
        return {"Responses": {"t": keys[:given]}, "UnprocessedKeys": unprocessed}

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def read(table: Busy, keys: int, seconds: float, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    monkeypatch.setattr(time, "sleep", table.sleep)
    monkeypatch.setattr(time, "monotonic", lambda: table.now)
    wanted = [{"id": {"S": str(n)}} for n in range(keys)]
    return list(tables.read_all(table, "t", wanted, seconds=seconds))  # type: ignore[arg-type]


def test_keys_that_are_put_off_are_asked_for_again_after_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Busy(gives=5)
    assert len(read(table, 5, 60, monkeypatch)) == 5
    assert table.calls == 5
    assert table.now > 0


@pytest.mark.parametrize("seconds", [0.0, 0.4, 20.0])
def test_a_table_that_gives_nothing_is_not_asked_for_ever(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Busy(gives=2)
    with pytest.raises(TimeoutError, match="the table t put off"):
        read(table, 100, seconds, monkeypatch)
    assert table.now <= seconds
    assert table.calls <= 50

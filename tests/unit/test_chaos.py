"""What the chaos run calls stuck."""

from __future__ import annotations

from bench.chaos import NOT_STUCK, Watch

LINE = [f"e{number}" for number in range(400)]


def test_what_is_held_while_others_pass_it_is_stuck() -> None:
    watch = Watch((LINE,), 0)
    for second in range(200):
        watch.look(({"e50", *LINE[second:]},), second)
    assert watch.stuck == {"e50"}


def test_a_queue_that_is_only_long_is_not_stuck() -> None:
    """Even where two lanes go at different speeds, and one waits for most of a minute at a time."""
    watch, fast, slow = Watch((LINE,), 0), LINE[::2], LINE[1::2]
    for second in range(11_000):
        watch.look(({*fast[second:], *slow[second // 55 :]},), second)
    assert watch.stuck == set()


def test_all_that_waits_is_stuck_when_nothing_moves() -> None:
    watch = Watch((LINE, ["r1"]), 0)
    watch.look((LINE[100:], ["r1"]), 0)
    watch.look((LINE[100:], []), NOT_STUCK)
    assert watch.stuck == set()
    watch.look((LINE[100:], []), NOT_STUCK + 1)
    assert watch.stuck == {*LINE[100:]}

"""A store under many threads, and after its process was killed."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from personalize_emulator.datasets import streamed
from tests.personalize_emulator.shop_data import csv_file, event, interaction_rows, open_store, put_events

WRITER = """
import sys
from pathlib import Path
from tests.personalize_emulator.shop_data import csv_file, event, interaction_rows, open_store, put_events

store = open_store(Path(sys.argv[1]))
print("ready", flush=True)
number = 0
while True:
    number += 1
    put_events(store, event(f"x{number}", number), user="writer")
    print(number, flush=True)
    store.import_csv("INTERACTIONS", [csv_file("INTERACTIONS", interaction_rows(20_000 + number))], "FULL")
"""


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    draw = random.Random(5)
    root = Path(__file__).parents[2]
    open_store(tmp_path).import_csv("INTERACTIONS", [csv_file("INTERACTIONS", interaction_rows(20_000))], "FULL")
    most = 0
    for _ in range(4):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], cwd=root, stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(draw.uniform(0.05, 0.4))
        writer.kill()
        acknowledged = [int(line) for line in writer.stdout.read().split()]
        writer.wait()
        store = open_store(tmp_path)
        assert {f"x{number}" for number in acknowledged} <= set(store.history("writer", 1_000_000).item_ids)
        bulk = store.statistics("INTERACTIONS")["bulk"]
        most = max([most, *acknowledged])
        assert 20_000 <= bulk <= 20_000 + most
        assert len(store.training_data().interactions) >= bulk
    open_store(tmp_path).import_csv("INTERACTIONS", [csv_file("INTERACTIONS", interaction_rows())], "FULL")
    assert len(list((tmp_path / "INTERACTIONS").iterdir())) == 3


def test_threads_lose_no_event(tmp_path: Path) -> None:
    store = open_store(tmp_path)

    def work(number: int) -> None:
        for at in range(50):
            put_events(store, event(f"i{at}", at), user=f"u{number}", session=f"s{number}")
            assert len(store.history(f"u{number}")) == at + 1
            store.put_entities("USERS", [{"userId": f"u{number}-{at}"}])
            users = store.entities("USERS")
            assert users is not None
            assert f"u{number}-{at}" in users.index

    failures: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(store.training_data().interactions) == 400


def test_jobs_that_make_the_records_at_once_wait_for_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = sqlite3.connect(tmp_path / "records.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(streamed.time, "sleep", lambda seconds: other.execute("COMMIT"))
    records = streamed.StreamedRecords(tmp_path / "records.sqlite")
    assert records.version("ITEMS").number == 0
    records.close()
    other.close()

"""The loader: files of batch jobs into DynamoDB, whatever the file, the table or the function do meanwhile."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest

from lambdas.aws import clients
from lambdas.aws.retry import OutOfTime
from lambdas.batch.load_recommendations.handler import handler as load
from lambdas.batch.load_recommendations.lines import RANGE_BYTES
from lambdas.batch.publish_batch.handler import TooFewWritten
from lambdas.batch.publish_batch.handler import handler as publish
from lambdas.stores.batch_lists import BatchList, BatchLists
from lambdas.stores.erasures import erase
from lambdas.stores.segments import read_users
from tests.unit.conftest import Deployment
from tests.unit.serving import Relay

VERSION = "20261124T025000000Z"
OUTPUT = f"batch/for-you/{VERSION}/output/"
REJECTED = f"batch/for-you/{VERSION}/rejected/"
THROTTLED = "ProvisionedThroughputExceededException"


def line(user: str, items: int = 3, **changed: Any) -> str:
    output = {"recommendedItems": [f"i{n}" for n in range(items)], "scores": [1 / (n + 2) for n in range(items)]}
    return json.dumps({"input": {"userId": user}, "output": output, "error": None} | changed)


class Batch:
    """The shop with a batch and a segment, their tables, and what a run would hand to the loader."""

    def __init__(self, shop: Deployment) -> None:
        self.shop = shop

    def put(self, name: str, text: str | bytes) -> str:
        body = text if isinstance(text, bytes) else text.encode()
        self.shop.client("s3").put_object(Bucket=self.shop.bucket, Key=f"{OUTPUT}{name}", Body=body)
        return f"{OUTPUT}{name}"

    def put_input(self, lines: int) -> None:
        body = json.dumps({"lines": lines}).encode()
        self.shop.client("s3").put_object(Bucket=self.shop.bucket, Key=f"batch/for-you/{VERSION}/input.json", Body=body)

    def event(self, key: str, **more: Any) -> dict[str, Any]:
        expires = round(time.time()) + 86_400
        names = {"kind": "batch", "name": "for-you", "version": VERSION}
        return {**names, "key": key, "rejected_prefix": REJECTED, "expires": expires, **more}

    def load(self, key: str, **more: Any) -> dict[str, Any]:
        answer = self.shop.call(load, **self.event(key, **more))
        counts = answer["counts"]
        assert counts["lines"] == counts["written"] + counts["rejected"]
        return answer

    def publish(self, *loads: dict[str, Any], version: str = VERSION) -> dict[str, Any]:
        making = {"kind": "batch", "name": "for-you", "version": version}
        return self.shop.call(publish, making=making, loads=list(loads))

    def rows(self) -> int:
        pages = self.shop.client("dynamodb").get_paginator("scan").paginate(TableName=os.environ["BATCH_LISTS_TABLE"])
        return sum("#" in row["list"]["S"] for page in pages for row in page["Items"])

    def rejected(self) -> list[dict[str, Any]]:
        s3 = self.shop.client("s3")
        keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=self.shop.bucket, Prefix=REJECTED).get("Contents", [])]
        bodies = [s3.get_object(Bucket=self.shop.bucket, Key=key)["Body"].read() for key in keys]
        return [json.loads(text) for body in bodies for text in body.splitlines()]


@pytest.fixture
def batch(shop: Deployment, monkeypatch: pytest.MonkeyPatch) -> Batch:
    raw = shop.raw()
    raw["solutions"]["fans"] = {"recipe": "aws-item-attribute-affinity"}
    raw["batch"] = {"for-you": {"solution": "for-you"}}
    raw["segments"] = {
        "garden": {"solution": "fans", "item_attributes": ['ITEMS.CATEGORY = "garden"', 'ITEMS.CATEGORY = "toys"']}
    }
    shop.pack(raw)
    table = f"{shop.config.name}-segments"
    monkeypatch.setenv("SEGMENTS_TABLE", table)
    shop.client("dynamodb").create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "segment", "KeyType": "HASH"}, {"AttributeName": "part", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("segment", "part")],
        BillingMode="PAY_PER_REQUEST",
    )
    return Batch(shop)


def lists() -> BatchLists:
    """The table as a worker meets it that has just begun."""
    return BatchLists(clients.dynamodb(), os.environ["BATCH_LISTS_TABLE"])


def read_list(user_id: str) -> BatchList | None:
    return lists().read("for-you", user_id)


@pytest.fixture
def writes(batch: Batch, moto_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    """What stands before the table, and may answer instead."""
    relay = Relay(moto_endpoint)
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", relay.url)
    clients.bulk_dynamodb.cache_clear()
    yield relay
    relay.close()


def hurried(batch: Batch, milliseconds: int) -> None:
    batch.shop.context = SimpleNamespace(**vars(batch.shop.context) | {"get_remaining_time_in_millis": lambda: milliseconds})


def test_a_file_becomes_lists_that_readers_see_once_it_is_published(batch: Batch) -> None:
    batch.put_input(60)
    key = batch.put("part.json.out", "\n".join(line(f"ü{n}#x", 50) for n in range(60)) + "\n")
    loaded = batch.load(key)
    assert loaded["counts"] == {"lines": 60, "written": 60, "rejected": 0, "erased": 0}
    assert read_list("ü7#x") is None
    assert batch.publish(loaded)["status"] == "ACTIVE"
    found = read_list("ü7#x")
    assert found is not None
    assert found.item_ids == [f"i{n}" for n in range(50)]
    assert found.scores[0] == 0.5
    assert found.version == VERSION
    assert read_list("nobody") is None


def test_each_line_that_makes_no_row_is_kept_with_its_reason(batch: Batch) -> None:
    erase("u9")
    bad = {
        "not json": "is not JSON",
        "[]": "is not a JSON object",
        line("u1", error="User error: no"): "Personalize: User error: no",
        json.dumps({"input": {}, "output": {"recommendedItems": []}}): "input.userId: is missing",
        json.dumps({"input": {"userId": "u2"}}): "input, output: are not both there",
        line("u3", output={"recommendedItems": "i1"}): "output.recommendedItems: is not a list of item ids",
        line("u4", output={"recommendedItems": ["i1"], "scores": [1, 2]}): "output.scores: are not as many as the items",
        line("u" * 3000): "bytes; one of DynamoDB holds 2048",
        line("u5", output={"recommendedItems": [random.Random(1).randbytes(500_000).hex()]}): "a row of DynamoDB holds 400 KB",
        '{"input": {"userId": "\\ud800"}, "output": {"recommendedItems": []}}': "not Unicode",
        line("u9"): "erased",
    }
    texts = [text.encode() for text in bad] + [b"\xff\xfe", line("good").encode()]
    counts = batch.load(batch.put("x.out", b"\n\n".join(texts)))["counts"]  # empty lines are no lines
    assert counts == {"lines": len(bad) + 2, "written": 1, "rejected": len(bad) + 1, "erased": 1}
    reasons = [entry["reason"] for entry in batch.rejected()]
    for expected, reason in zip([*bad.values(), "is not JSON"], reasons, strict=True):
        assert expected in reason
    assert batch.rows() == 1


def test_a_user_twice_in_a_file_counts_twice_and_has_the_later_list(batch: Batch) -> None:
    batch.put_input(2)
    loaded = batch.load(batch.put("x.out", f"{line('u1', 1)}\n{line('u1', 2)}"))
    assert loaded["counts"]["written"] == 2
    batch.publish(loaded)
    found = read_list("u1")
    assert found is not None
    assert len(found.item_ids) == 2


def test_files_with_and_without_a_last_line_end(batch: Batch) -> None:
    for text in ("", "\n", line("u1"), line("u1") + "\n"):
        assert batch.load(batch.put("x.out", text))["counts"]["written"] == (1 if "u1" in text else 0), text


def test_the_marker_of_a_complete_output_is_no_file_of_lines(batch: Batch) -> None:
    assert batch.load(batch.put("_CHECK", "done"))["counts"]["lines"] == 0


def test_lines_that_lie_over_the_edges_of_ranges_are_whole(batch: Batch) -> None:
    long = "x" * RANGE_BYTES
    text = "\n".join(
        [line("u1", said=long), "x" + line("u2", said=long), *(line(f"v{n}", said="y" * 999) for n in range(200)), line("last")]
    )
    assert len(text) > 2 * RANGE_BYTES
    counts = batch.load(batch.put("x.out", text))["counts"]
    assert counts == {"lines": 203, "written": 202, "rejected": 1, "erased": 0}


def test_a_call_without_time_goes_on_where_it_was(batch: Batch) -> None:
    key = batch.put("x.out", "\n".join(line(f"u{n}") if n % 10 else "broken" for n in range(500)))
    hurried(batch, 1)
    answer, calls = batch.load(key), 1
    while answer["status"] == "PENDING":
        answer = batch.load(key, offset=answer["offset"], counts=answer["counts"])
        calls += 1
    assert calls == 3
    assert answer["counts"] == {"lines": 500, "written": 450, "rejected": 50, "erased": 0}
    assert batch.rows() == 450
    assert len(batch.rejected()) == 50


def test_throttles_and_rows_that_are_put_off_lose_nothing(batch: Batch, writes: Relay) -> None:
    dice = random.Random(5)

    def sometimes(operation: str, given: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        drawn = dice.random() if operation == "BatchWriteItem" else 1
        if drawn < 0.2:
            return 400, {"__type": f"com.amazonaws.dynamodb.v20120810#{THROTTLED}", "message": "slow"}
        return (200, {"UnprocessedItems": given["RequestItems"]}) if drawn < 0.3 else None

    writes.instead = sometimes
    counts = batch.load(batch.put("x.out", "\n".join(line(f"u{n}") for n in range(750))))["counts"]
    assert counts == {"lines": 750, "written": 750, "rejected": 0, "erased": 0}
    assert batch.rows() == 750


def test_a_table_that_takes_nothing_fails_the_call_and_counts_nothing(batch: Batch, writes: Relay) -> None:
    refused = 400, {"__type": THROTTLED, "message": "slow"}
    writes.instead = lambda operation, given: refused if operation == "BatchWriteItem" else None
    key = batch.put("x.out", line("u1"))
    hurried(batch, 400)
    with pytest.raises(OutOfTime):
        batch.load(key)


def test_a_function_that_is_killed_in_mid_file_is_called_again(batch: Batch) -> None:
    key = batch.put("x.out", "\n".join(line(f"u{n}", 30) for n in range(4000)))
    call = (
        "import json, sys; from types import SimpleNamespace as N; from lambdas.batch.load_recommendations.handler import handler;"
        "handler(json.loads(sys.argv[1]), N(function_name='f', memory_limit_in_mb=1, invoked_function_arn='a',"
        " aws_request_id='r', get_remaining_time_in_millis=lambda: 60_000))"
    )
    own = {**os.environ, "POWERTOOLS_SERVICE_NAME": "load_recommendations"}
    child = subprocess.Popen([sys.executable, "-c", call, json.dumps(batch.event(key))], stdout=subprocess.DEVNULL, env=own)
    while batch.rows() == 0 and child.poll() is None:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL, "it ended before it could be killed"
    assert 0 < batch.rows() < 4000
    assert batch.load(key)["counts"] == {"lines": 4000, "written": 4000, "rejected": 0, "erased": 0}
    assert batch.rows() == 4000


@pytest.mark.parametrize(("each", "corrupt"), [(5, 5), (30, 4)])
def test_one_corrupt_file_of_twenty(batch: Batch, each: int, corrupt: int) -> None:
    """Of files alike, 5 % of all lines are lost: the version before stays. One small file among larger ones is a gap to tell."""
    earlier = "20261123T025000000Z"
    key = f"batch/for-you/{earlier}/input.json"
    batch.shop.client("s3").put_object(Bucket=batch.shop.bucket, Key=key, Body=b'{"lines": 0}')
    batch.publish(version=earlier)
    batch.put_input(19 * each + corrupt)
    loads = [batch.load(batch.put(f"{n}.json.out", "\n".join(line(f"u{n}-{m}") for m in range(each)))) for n in range(19)]
    loads.append(batch.load(batch.put("19.json.out", b"\n".join([b"\x00\xff rubbish"] * corrupt))))
    if each == corrupt:
        with pytest.raises(TooFewWritten, match="95 of 100 lines were written"):
            batch.publish(*loads)
        assert lists().current_version("for-you").version == earlier  # type: ignore[union-attr]
        assert read_list("u1-1") is None
    else:
        found = batch.publish(*loads)
        assert (found["lines"], found["written"], found["rejected"]) == (574, 570, 4)
        assert found["rejected_lines"].endswith(REJECTED)
        assert read_list("u1-1") is not None


@pytest.mark.parametrize(("good", "bad", "published"), [(2, 1, True), (98, 1, True), (1, 2, False), (99, 2, False)])
def test_where_there_are_few_lines_one_does_not_keep_back_the_others(batch: Batch, good: int, bad: int, published: bool) -> None:
    failed = [line(f"x{n}", output=None, error="Internal error") for n in range(bad)]
    batch.put_input(good + bad)
    loaded = batch.load(batch.put("x.out", "\n".join([*(line(f"u{n}") for n in range(good)), *failed])))
    if published:
        found = batch.publish(loaded)
        assert (found["written"], found["rejected"], found["not_made"]) == (good, bad, []), "users are in no report"
        assert read_list("u0") is not None
    else:
        with pytest.raises(TooFewWritten, match=f"{good} of {good + bad} lines were written"):
            batch.publish(loaded)


def test_a_query_that_fails_is_named_and_does_not_keep_back_the_others(batch: Batch) -> None:
    def answer(category: str, **output: Any) -> str:
        asked = {"itemAttributes": f'ITEMS.CATEGORY = "{category}"'}
        return json.dumps({"input": asked, "output": {"usersList": ["u1"]}, "error": None} | output)

    making, folder = {"kind": "segment", "name": "garden", "version": VERSION}, f"batch/garden/{VERSION}"
    put = batch.shop.client("s3").put_object
    put(Bucket=batch.shop.bucket, Key=f"{folder}/input.json", Body=b'{"lines": 3}')
    lost, toys = {"output": None, "error": "There is no such category"}, 'ITEMS.CATEGORY = "toys"'
    for answers, named in (
        ([answer("garden"), answer("toys", **lost), "{"], [toys, "{"]),
        ([answer("garden", **lost), answer("toys", **lost), "{"], ['ITEMS.CATEGORY = "garden"', toys, "{"]),
    ):
        key = batch.put("queries.json.out", "\n".join(answers))
        loaded = batch.load(key, kind="segment", name="garden", rejected_prefix=f"{folder}/rejected/")
        if len(named) < 3:
            found = batch.shop.call(publish, making=making, loads=[loaded])
            assert [each["query"] for each in found["not_made"]] == named
            assert found["not_made"][0]["reason"] == "Personalize: There is no such category"
        else:
            with pytest.raises(TooFewWritten, match=r"0 of 3 lines were written.*toys.*: Personalize: There is no such"):
                batch.shop.call(publish, making=making, loads=[loaded])


def test_an_output_file_that_never_came_is_missing_lines(batch: Batch) -> None:
    batch.put_input(200)
    loaded = batch.load(batch.put("x.out", "\n".join(line(f"u{n}") for n in range(100))))
    with pytest.raises(TooFewWritten, match=r"100 of 200 lines were written \(0 rejected, 100 missing\)"):
        batch.publish(loaded)


def test_a_slower_older_run_does_not_replace_a_newer(batch: Batch) -> None:
    for version in ("20261125T025000000Z", VERSION):
        key = f"batch/for-you/{version}/input.json"
        batch.shop.client("s3").put_object(Bucket=batch.shop.bucket, Key=key, Body=b'{"lines": 0}')
    batch.publish(version="20261125T025000000Z")
    with pytest.raises(Exception, match="a newer version than"):
        batch.publish()
    assert lists().current_version("for-you").version == "20261125T025000000Z"  # type: ignore[union-attr]


def test_who_is_erased_while_lists_are_loaded_has_none_when_they_are_published(batch: Batch) -> None:
    batch.put_input(2)
    loaded = batch.load(batch.put("x.out", f"{line('u1')}\n{line('u2')}"))
    erase("u1")
    batch.publish(loaded)
    assert read_list("u1") is None
    assert read_list("u2") is not None


def test_only_who_was_erased_since_the_run_began_is_taken_out_again(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading left out all who were erased before: a deletion for each of them, one after the other, would take hours."""
    database = batch.shop.client("dynamodb")
    for n in range(30):
        row = {"user_id": {"S": f"long-ago-{n}"}, "erased_at": {"N": "1700000000000"}}
        database.put_item(TableName=os.environ["ERASURES_TABLE"], Item=row)
    for n in range(30):
        erase(f"lately-{n}")
    deleted, write = list[int](), clients.dynamodb().batch_write_item

    def counted(**given: Any) -> Any:
        deleted.append(sum(len(requests) for requests in given["RequestItems"].values()))
        return write(**given)

    monkeypatch.setattr(clients.dynamodb(), "batch_write_item", counted)
    batch.put_input(1)
    batch.publish(batch.load(batch.put("x.out", line("u1"))))
    assert deleted == [25, 5]


def test_segments_come_in_both_shapes(batch: Batch) -> None:
    erase("u3")
    query, users = {"itemAttributes": 'ITEMS.CATEGORY = "garden"'}, [f"u{n}" for n in range(12_000)]
    unknown = json.dumps({"input": {"itemAttributes": "ITEMS.X = 1"}, "output": {"usersList": ["u1"]}})
    shapes: list[dict[str, Any]] = [{"input": query}, query]
    for number, (key, asked) in enumerate(product(("usersList", "recommendedUsers"), shapes)):
        version, text = f"{VERSION}{number}", json.dumps(asked | {"output": {key: users}, "error": None})
        out = batch.put("q.json.out", f"{text}\n{unknown}")
        answer = batch.load(out, kind="segment", name="garden", version=version)
        assert answer["counts"] == {"lines": 2, "written": 1, "rejected": 1, "erased": 0}
        parts = list(read_users(batch.shop.client("dynamodb"), os.environ["SEGMENTS_TABLE"], "garden", version))
        assert {found for found, _ in parts} == {query["itemAttributes"]}
        assert [user for _, some in parts for user in some] == [user for user in users if user != "u3"]

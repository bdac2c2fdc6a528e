"""A user who asks to be forgotten: the tombstone, and the daily job that deletes what Personalize holds."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from lambdas.config.names import dataset_group_arn
from lambdas.ingestion import user_data
from lambdas.ingestion.delete_user_data import handler as delete_user_data
from lambdas.ingestion.erase_user import handler as erase_user
from lambdas.ingestion.put_events import handler as put_events
from lambdas.ingestion.put_records import handler as put_records
from lambdas.stores import batch_lists, keys, recent_items, whole_records
from lambdas.stores.erasures import erased
from lambdas.stores.published import Published, publish
from lambdas.training.import_data import handler as import_data
from lambdas.training.prepare_resources import handler as prepare_resources
from tests.harness.shop_csvs import csv_text, rows
from tests.harness.waiting import eventually
from tests.unit.conftest import Deployment, exported, recent
from tests.unit.test_put_events import event, records
from tests.unit.test_put_records import message

NOW = datetime.now(UTC)


def erase(shop: Deployment, user_id: str) -> tuple[int, Any]:
    """DELETE /users/{user_id} through the API."""
    event = {
        "resource": "/users/{user_id}",
        "path": f"/users/{user_id}",
        "pathParameters": {"user_id": user_id},
        "httpMethod": "DELETE",
        "headers": {},
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": {"requestId": "r", "stage": "v1", "httpMethod": "DELETE", "path": f"/users/{user_id}", "identity": {}},
        "body": None,
        "isBase64Encoded": False,
    }
    answer = shop.call(erase_user.handler, **event)
    return answer["statusCode"], json.loads(answer["body"])


@pytest.mark.parametrize("user_id", ["u1", 'u"1\\/ é😀', "u" * 256])
def test_the_tombstone_is_there_at_once(shop: Deployment, user_id: str) -> None:
    status, answer = erase(shop, user_id)
    assert (status, answer["user_id"]) == (202, user_id)
    assert erased(["somebody", user_id]) == {user_id}


def test_recent_items_are_forgotten_at_once(shop: Deployment) -> None:
    recent_items.keep([(user, "buy", f"i{n}", time.time()) for user in ("u1", "u2") for n in range(30)])
    erase(shop, "u1")
    assert recent("u1") == {}
    assert len(recent("u2")["buy"]) == 30


def test_no_table_holds_an_erased_user(stream: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, and by the daily job once more: what was on its way when the user was erased comes after it."""
    database, name = stream.client("dynamodb"), stream.config.name

    def fill() -> None:
        recent_items.keep([("marked-user", "buy", "i1", time.time())])
        whole_records.write("user", "marked-user", whole_records.Whole({"AGE": 30}, 1), None)
        row = {"list": {"S": batch_lists.row_key("for-you", "v1", "marked-user")}, "items": {"B": b""}, "expires": {"N": "1"}}
        database.put_item(TableName=f"{name}-batch-lists", Item=row)

    def found() -> set[str]:
        pages = database.get_paginator("list_tables").paginate()
        tables = [table for page in pages for table in page["TableNames"] if table.startswith(f"{name}-")]
        assert len(tables) >= 6
        return {table for table in tables if "marked-user" in str(database.scan(TableName=table)["Items"])}

    current = Published(version="v1", published_at=NOW, lines=1, written=1, rejected=0)
    publish(f"{name}-batch-lists", keys.key(keys.BATCH_LISTS, "for-you"), current)
    fill()
    assert found() == {f"{name}-{table}" for table in user_data.TABLES}
    erase(stream, "marked-user")
    assert found() == {f"{name}-erasures"}
    fill()
    stream.call(delete_user_data.handler)
    assert found() == {f"{name}-erasures"}


def test_an_import_leaves_out_the_rows_of_erased_users(shop: Deployment) -> None:
    shop.put_all_csvs()
    header = csv_text("users", rows()["users"]).splitlines()[0]
    shop.put_csv("users", f'{header}\nu1,30,,\r\n"u""2",31,,\nu3,32,"a,b",\n', "more")
    shop.until_active(prepare_resources.handler, resources=[{"kind": "dataset_group", "name": ""}])
    untouched = shop.until_active(import_data.handler, **request(shop, "run-1"))
    assert "rows_left_out" not in untouched
    erase(shop, 'u"2')
    erase(shop, "somebody-else")
    made = shop.until_active(import_data.handler, **request(shop, "run-2"))
    assert made["rows_left_out"] == 1
    folder = "datasets/users/without-erased/run-2/"
    s3 = shop.client("s3")
    copies = [entry["Key"] for entry in s3.list_objects_v2(Bucket=shop.bucket, Prefix=folder)["Contents"]]
    texts = {s3.get_object(Bucket=shop.bucket, Key=key)["Body"].read().decode() for key in copies}
    assert f'{header}\nu1,30,,\nu3,32,"a,b",\n' in texts
    assert len(texts) == 2
    again = shop.until_active(import_data.handler, **request(shop, "run-3"))  # the same rows: nothing to copy or to import
    assert again["arn"] == made["arn"]
    assert s3.list_objects_v2(Bucket=shop.bucket, Prefix="datasets/users/without-erased/run-3/")["KeyCount"] == 0


def request(shop: Deployment, run_id: str) -> dict[str, Any]:
    dataset = {"kind": "users", "location": f"s3://{shop.bucket}/datasets/users/", "files": "00000001"}
    return {"run_id": run_id, "datasets": [dataset]}


def test_an_id_that_no_user_can_have_is_refused(shop: Deployment) -> None:
    for user_id in ("u" * 257, ""):
        status, answer = erase(shop, user_id)
        assert (status, answer["error"]["field"]) == (400, "user_id")
        assert answer["error"]["message"] == "user_id must have 1 to 256 characters"


def test_the_daily_job_deletes_every_erased_user(stream: Deployment) -> None:
    assert stream.call(delete_user_data.handler) == {"status": "NOTHING_TO_DELETE"}
    stream.call(put_records.handler, Records=[message("user", user, {"AGE": 30}) for user in ("u1", 'u"2', "u3")])
    erase(stream, "u1")
    erase(stream, 'u"2')
    assert erase(stream, "\nu3")[0] == 202  # whom no CSV can name: nobody else goes in that user's place
    started = stream.call(delete_user_data.handler)
    assert (started["status"], started["users"]) == ("STARTED", 3)
    job = until_completed(stream)
    assert job["numDeleted"] == 2
    assert exported(stream, "users", "USER_ID") == [["u3"]]
    time.sleep(1)  # jobs are named by the second
    assert stream.call(delete_user_data.handler)["status"] == "STARTED"  # an import may have brought a user back


def test_personalize_gets_no_user_whom_it_could_not_delete(stream: Deployment) -> None:
    """`DELETE` of such an id is taken, since the archive has their events; what Personalize takes, its deletion job can name."""
    for user in ("u\n1", "u1\r", "\0"):
        stream.call(put_events.handler, Records=records(event(user_id=user)))
        stream.call(put_records.handler, Records=[message("user", user, {"AGE": 30})])
        assert erase(stream, user)[0] == 202
    stream.call(put_events.handler, Records=records(event(user_id='u\t"2\u2028')))
    assert erase(stream, 'u\t"2\u2028')[0] == 202
    assert exported(stream, "users", "USER_ID") == []
    assert stream.call(delete_user_data.handler)["status"] == "STARTED"
    assert until_completed(stream)["numDeleted"] == 1
    assert exported(stream, "interactions", "USER_ID") == []


def test_before_the_first_train_run_there_is_nothing_to_delete(shop: Deployment) -> None:
    assert shop.call(delete_user_data.handler) == {"status": "NOTHING_TO_DELETE"}
    erase(shop, "u1")
    assert shop.call(delete_user_data.handler) == {"status": "NOTHING_TO_DELETE"}


def until_completed(shop: Deployment) -> dict[str, Any]:
    personalize = shop.client("personalize")

    def completed() -> str | None:
        listed = personalize.list_data_deletion_jobs(datasetGroupArn=dataset_group_arn(shop.config))["dataDeletionJobs"]
        return listed[0]["dataDeletionJobArn"] if listed and listed[0]["status"] == "COMPLETED" else None

    job: dict[str, Any] = personalize.describe_data_deletion_job(dataDeletionJobArn=eventually(completed))["dataDeletionJob"]
    return job

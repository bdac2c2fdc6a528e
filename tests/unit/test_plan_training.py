"""The plan: what it says of good CSVs, and that bad ones are refused with file, line, column and rule."""

from __future__ import annotations

import json
import random

import boto3
import pytest

from lambdas.training.import_data import handler as import_data
from lambdas.training.plan_training.handler import handler
from lambdas.training.plan_training.plan import InvalidData
from lambdas.training.prepare_resources import handler as prepare_resources
from tests.harness.shop_csvs import csv_text, rows
from tests.unit.conftest import Deployment
from tests.unit.test_training import change_config, import_request, prepare_request

INTERACTIONS = rows()["interactions"]
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:shop_train:run-1"


def plan(shop: Deployment) -> dict[str, object]:
    return shop.call(handler, run_id="run-1", execution_arn=EXECUTION, solutions=None)


def refusal(shop: Deployment) -> str:
    """The message of the refused run; nothing was created in Personalize."""
    with pytest.raises(InvalidData) as raised:
        plan(shop)
    groups = boto3.client("personalize").list_dataset_groups()["datasetGroups"]
    assert shop.config.name not in [group["name"] for group in groups]
    return str(raised.value)


def test_a_plan_names_what_will_be_done(shop: Deployment) -> None:
    shop.put_all_csvs()
    made = plan(shop)
    assert [dataset["kind"] for dataset in made["datasets"]] == ["interactions", "items", "users"]  # type: ignore[attr-defined]
    assert made["datasets"][0]["location"] == f"s3://{shop.bucket}/datasets/interactions/"  # type: ignore[index]
    assert {"kind": "filter", "name": "in_stock"} in made["resources"]  # type: ignore[operator]
    assert made["solutions"] == ["for-you", "related", "ranking", "best-sellers"]


def test_the_fingerprint_of_a_dataset_changes_with_its_files(shop: Deployment) -> None:
    shop.put_all_csvs()
    before = plan(shop)
    assert plan(shop) == before
    shop.put_csv("items", csv_text("items", rows()["items"][:-1]))
    after = plan(shop)
    changed = [a["kind"] for a, b in zip(after["datasets"], before["datasets"], strict=True) if a["files"] != b["files"]]  # type: ignore[call-overload]
    assert changed == ["items"]


def test_only_wanted_solutions_are_planned(shop: Deployment) -> None:
    shop.put_all_csvs()
    made = shop.call(handler, run_id="run-1", execution_arn=EXECUTION, solutions=["related"])
    assert made["solutions"] == ["related"]
    with pytest.raises(ValueError, match="there is no solution 'reladet'"):
        shop.call(handler, run_id="run-1", execution_arn=EXECUTION, solutions=["reladet"])


@pytest.mark.parametrize(
    ("line", "row", "finding"),
    [
        (3, "u1,i1,1700000000000,view,,mobile", "line 3, column TIMESTAMP: is '1700000000000', which looks like milliseconds"),
        (4, "u1,i1,2024-01-01,view,,mobile", "line 4, column TIMESTAMP: is '2024-01-01', not a whole number"),
        (5, "u1,i1,1700000000,view,cheap,mobile", "line 5, column EVENT_VALUE: is 'cheap', not a number"),
        (6, ",i1,1700000000,view,,mobile", "line 6, column USER_ID: is empty, and the schema does not allow null"),
        (7, "u1,i1,1700000000,view", "line 7: has 4 cells, the header 6"),
        (8, f"u1,{'x' * 257},1700000000,view,,mobile", "line 8, column ITEM_ID: is longer than the 256 characters of an id"),
    ],
)
def test_a_bad_row_is_named(shop: Deployment, line: int, row: str, finding: str) -> None:
    shop.put_all_csvs()
    lines = INTERACTIONS.copy()
    lines[line - 2] = row
    shop.put_csv("interactions", csv_text("interactions", lines))
    assert f"interactions/interactions.csv, {finding}" in refusal(shop)


def test_a_missing_column_is_named(shop: Deployment) -> None:
    shop.put_all_csvs()
    shop.put_csv("users", "USER_ID,AGE,GENDER\nu1,20,F\n")
    assert "users/users.csv, line 1, column MEMBERSHIP: the header lacks this column of the schema" in refusal(shop)


def test_too_few_interactions_are_counted(shop: Deployment) -> None:
    shop.put_all_csvs()
    shop.put_csv("interactions", csv_text("interactions", INTERACTIONS[:100]))
    said = refusal(shop)
    assert "training needs at least 1,000 distinct interactions, found 100" in said
    assert "users with two interactions each, found 2" in said


def test_the_minimum_counts_what_a_solution_trains_on(shop: Deployment) -> None:
    """`best-sellers` trains on buy alone, `related` on view alone."""
    shop.put_all_csvs()
    shop.put_csv("interactions", csv_text("interactions", [row.replace(",buy,", ",cart,") for row in INTERACTIONS]))
    assert "training needs at least 1,000 distinct interactions of type buy, found 0" in refusal(shop)


def test_imports_that_add_count_with_what_is_there(shop: Deployment) -> None:
    """`best-sellers` trains on buy alone: the first import brought enough of them, the second brings none."""
    change_config(shop, lambda raw: raw["datasets"]["interactions"].update(import_mode="INCREMENTAL"))
    shop.put_all_csvs()
    first = plan(shop)
    assert first["warnings"] == []
    views = csv_text("interactions", [row.replace(",buy,", ",view,") for row in INTERACTIONS])
    shop.put_csv("interactions", views)
    assert "distinct interactions of type buy, found 0" in refusal(shop)  # nothing has been imported yet
    shop.until_active(prepare_resources.handler, **prepare_request("dataset_group"))
    shop.put_csv("interactions")
    imported = first["datasets"][0]["files"]  # type: ignore[index]
    shop.until_active(import_data.handler, **import_request(shop, "interactions", files=imported))
    shop.put_csv("interactions", views)
    assert plan(shop)["warnings"] == []
    shop.client("s3").delete_object(Bucket=shop.bucket, Key=f"reports/counts/interactions-{imported}.json")
    few_interactions, few_users = plan(shop)["warnings"]  # type: ignore[misc]
    assert "interactions of type buy, found 0; what earlier imports brought is not known here" in few_interactions
    assert "two interactions of type buy each, found 0; what earlier" in few_users


def test_what_is_no_mistake_of_the_file_is_a_warning(shop: Deployment) -> None:
    shop.put_all_csvs()
    shop.put_csv("interactions", csv_text("interactions", [*INTERACTIONS, "u1,i1,1700000000,wish,,mobile"]))
    shop.put_csv("items", csv_text("items", [*rows()["items"], rows()["items"][0]]))
    shop.put_csv("users", "\n".join(f"{line},x" for line in csv_text("users", rows()["users"]).splitlines()))
    assert plan(shop)["warnings"] == [
        f"interactions/interactions.csv, line {len(INTERACTIONS) + 2}, column EVENT_TYPE: the config has no event type 'wish' "
        "(there are: buy, cart, view, visit)",
        "items/items.csv, line 62, column ITEM_ID: 'i0' stands here again: of records with one id the newest counts",
        "users/users.csv, line 1, column x: is no column of the schema: the import ignores it",
    ]


def test_repeated_rows_count_once(shop: Deployment) -> None:
    shop.put_all_csvs()
    shop.put_csv("interactions", csv_text("interactions", INTERACTIONS[:200] * 12))
    assert "training needs at least 1,000 distinct interactions, found 200" in refusal(shop)


def test_a_missing_dataset_is_named(shop: Deployment) -> None:
    shop.put_csv("interactions")
    assert f"s3://{shop.bucket}/datasets/items/: there is no CSV file for the dataset items" in refusal(shop)


@pytest.mark.parametrize(
    ("body", "finding"),
    [
        (b"\xef\xbb\xbfUSER_ID,AGE,GENDER,MEMBERSHIP\nu1,20,F,\n", "line 1: starts with a byte order mark"),
        (b"USER_ID,AGE,GENDER,MEMBERSHIP\nu1,20,\xff\xfe,\n", "is not UTF-8 text"),
        (b"", "users/users.csv, line 1: the file is empty"),
    ],
)
def test_text_that_is_no_clean_csv(shop: Deployment, body: bytes, finding: str) -> None:
    shop.put_all_csvs()
    shop.client("s3").put_object(Bucket=shop.bucket, Key="datasets/users/users.csv", Body=body)
    assert finding in refusal(shop)


def test_equal_findings_are_told_together_and_kept_whole_in_s3(shop: Deployment) -> None:
    shop.put_all_csvs()
    bad = [row.replace("1700", "x700") for row in INTERACTIONS[:50]]
    shop.put_csv("interactions", csv_text("interactions", bad + INTERACTIONS[50:]))
    said = refusal(shop)
    assert said.count("not a whole number") == 1
    assert "interactions/interactions.csv, line 2, column TIMESTAMP: is 'x700000000', not a whole number" in said
    assert "(and 49 more like this, in lines 3, 4, 5, 6 …)" in said
    address = said.rsplit("all findings: ", 1)[1].rstrip(")")
    key = address.removeprefix(f"s3://{shop.bucket}/")
    kept = json.loads(shop.client("s3").get_object(Bucket=shop.bucket, Key=key)["Body"].read())
    assert len(kept) == 50


def test_a_row_far_inside_a_large_file_is_found_by_the_samples(shop: Deployment) -> None:
    """Beyond the prefix of 8 MiB only samples are read; a column that is wrong all over the rest shows in them."""
    shop.put_all_csvs()
    dice = random.Random(1)
    good = [
        f"u{dice.randrange(500)},i{n % 60},{1_700_000_000 + n},{dice.choice(('view', 'buy'))},,mobile" for n in range(300_000)
    ]
    bad = [row.replace(",17", ",x17") for row in good[:40_000]]
    shop.put_csv("interactions", csv_text("interactions", good + bad))
    assert "interactions/interactions.csv, near byte" in refusal(shop)

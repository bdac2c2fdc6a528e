"""What jobs write to S3 beside their data: reports of a metric attribution, themes of batch inference."""

from __future__ import annotations

import json
import time
from typing import Any

import boto3

from personalize_rules.csv import line_of, rows_of
from tests.harness.waiting import eventually
from tests.personalize_emulator.conftest import NewClient
from tests.personalize_emulator.journey import BUCKET, ROLE, SCHEMAS, START, Client, csv_of, error_of, rows

EVENTS = [
    *SCHEMAS["Interactions"],
    {"name": "RECOMMENDATION_ID", "type": ["null", "string"]},
    {"name": "EVENT_ATTRIBUTION_SOURCE", "type": ["null", "string"]},
]
#: A name that the two dialects, `\\"` and `""` alone, write and read differently.
SOURCE = 'letter "one", \\'
TEXTS = [
    *SCHEMAS["Items"],
    {"name": "TITLE", "type": "string"},
    {"name": "PLOT", "type": ["null", "string"], "textual": True},
]
METRICS = [
    {"eventType": "Purchase", "metricName": "revenue", "expression": "SUM(Items.PRICE)"},
    {"eventType": "VIEW", "metricName": "views", "expression": "SAMPLECOUNT()"},
]


def table_of(fields: list[dict[str, Any]], table: list[list[Any]]) -> bytes:
    header = [field["name"] for field in fields]
    return "".join(f"{line_of([str(cell) for cell in row])}\n" for row in (header, *table)).encode()


def read(text: str) -> list[dict[str, str]]:
    header, *lines = rows_of(text.splitlines())
    return [dict(zip(header, line, strict=True)) for line in lines]


def test_an_import_publishes_what_recommendations_brought(client: Client) -> None:
    p = client.personalize
    group = client.loaded_group("attributed", ["Items", "Users"])
    dataset = client.dataset(group, "Interactions", EVENTS)
    output = {"roleArn": ROLE, "s3DataDestination": {"path": f"s3://{BUCKET}/reports"}}
    request = {"name": "attributed", "datasetGroupArn": group, "metricsOutputConfig": output}
    wrong = [{"eventType": "View", "metricName": "genres", "expression": "SUM(Items.GENRES)"}]
    code, message = error_of(p.create_metric_attribution, **request, metrics=wrong)
    assert (code, "GENRES" in message) == ("InvalidInputException", True)
    attribution = p.create_metric_attribution(**request, metrics=METRICS)["metricAttributionArn"]
    client.wait(attribution)
    code, message = error_of(p.delete_dataset, datasetArn=dataset.replace("INTERACTIONS", "ITEMS"))
    assert (code, attribution in message) == ("ResourceInUseException", True)
    p.delete_dataset(datasetArn=dataset.replace("INTERACTIONS", "USERS"))
    events = [[*row, "", ""] for row in rows("Interactions")]
    client.wait(client.start_import(dataset, table_of(EVENTS, events), "attributed"))
    assert not client.s3.list_objects_v2(Bucket=BUCKET, Prefix="reports/").get("Contents")
    campaign = client.campaign(client.version(client.solution(group, "attributed", "aws-popularity-count")), "attributed")
    shown = client.runtime.get_recommendations(campaignArn=campaign, userId="u1")["recommendationId"]
    later = START + 900_000 - START % 900
    more = [
        ["u1", "i4", later, "Purchase", 1, shown, ""],
        ["u2", "i8", later + 899, "Purchase", 1, shown, ""],
        ["u3", "i4", later + 900, "Purchase", 1, shown, SOURCE],
        ["u4", "i4", later, "View", 1, "", ""],
    ]
    job = p.create_dataset_import_job(
        jobName="attributed-later",
        datasetArn=dataset,
        dataSource={"dataLocation": client.put("later.csv", table_of(EVENTS, events + more))},
        roleArn=ROLE,
        importMode="INCREMENTAL",
        publishAttributionMetricsToS3=True,
    )["datasetImportJobArn"]
    assert client.wait(job)["publishAttributionMetricsToS3"]
    [entry] = client.s3.list_objects_v2(Bucket=BUCKET, Prefix="reports/")["Contents"]
    assert entry["Key"].startswith("reports/AggregatedAttributionMetrics - INCREMENTAL - ")
    text = client.s3.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read().decode()
    report = [row for row in read(text) if int(row["TIMESTAMP"]) >= later]
    assert list(report[0]) == ["METRIC_NAME", "EVENT_TYPE", "VALUE", "MATH_FUNCTION", "EVENT_ATTRIBUTION_SOURCE", "TIMESTAMP"]
    assert [list(row.values()) for row in report] == [
        ["revenue", "Purchase", "2.0", "sum", SOURCE, str(later + 900)],
        ["revenue", "Purchase", "5.0", "sum", campaign, str(later)],
        ["views", "VIEW", "1.0", "samplecount", "SOURCE_NAME_UNDEFINED", str(later)],
    ]


def test_batch_inference_names_what_similar_items_have_in_common(client: Client) -> None:
    group = client.group("themes")
    subjects = ("space rockets", "garden roses", "pirate treasure", "haunted castles")
    items = [[*row, f"Film {n}", f"A story about {subjects[n % 4]}"] for n, row in enumerate(rows("Items"))]
    jobs = [
        client.start_import(client.dataset(group, "Interactions"), csv_of("Interactions"), "themes-interactions"),
        client.start_import(client.dataset(group, "Items", TEXTS), table_of(TEXTS, items), "themes-items"),
    ]
    for arn in jobs:
        client.wait(arn)
    version = client.version(client.solution(group, "themes", "aws-similar-items"))
    request = {
        "jobName": "themes",
        "solutionVersionArn": version,
        "roleArn": ROLE,
        "jobInput": {"s3DataSource": {"path": client.put("themes/in.json", b'{"itemId": "i2"}\n{"itemId": "i3"}\n')}},
        "jobOutput": {"s3DataDestination": {"path": f"s3://{BUCKET}/themes/out/"}},
        "batchInferenceJobMode": "THEME_GENERATION",
        "numResults": 8,
    }
    assert error_of(client.personalize.create_batch_inference_job, **request)[0] == "InvalidInputException"
    config = {"fieldsForThemeGeneration": {"itemName": "TITLE"}}
    job = client.personalize.create_batch_inference_job(**request, themeGenerationConfig=config)["batchInferenceJobArn"]
    assert client.wait(job)["batchInferenceJobMode"] == "THEME_GENERATION"
    body = client.s3.get_object(Bucket=BUCKET, Key="themes/out/in.json.out")["Body"].read()
    outputs = [json.loads(line)["output"] for line in body.splitlines()]
    for output in outputs:
        recommended = [subjects[int(item[1:]) % 4] for item in output["recommendedItems"]]
        commonest = max(subjects, key=recommended.count)
        assert set(commonest.split()) & set(output["theme"].lower().split(", "))
        relevance = dict(zip(output["recommendedItems"], output["itemsThemeRelevanceScores"], strict=True))
        assert len(relevance) == 8
        fitting = [relevance[item] for item, subject in zip(relevance, recommended, strict=True) if subject == commonest]
        assert max(fitting) == max(relevance.values()) > 0


def test_events_are_reported_to_cloudwatch(new_client: NewClient, s3_endpoint: str) -> None:
    """Those that come one by one, and those of incremental imports."""
    environment = dict.fromkeys(("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_CLOUDWATCH"), s3_endpoint)
    client = new_client(environment=environment, speed=10_000)
    p, group = client.personalize, client.loaded_group("watched", ["Items"])
    dataset = client.dataset(group, "Interactions", EVENTS)
    client.wait(client.start_import(dataset, table_of(EVENTS, [[*row, "", ""] for row in rows("Interactions")]), "watched"))
    request = {"name": "watched", "datasetGroupArn": group, "metricsOutputConfig": {"roleArn": ROLE}}
    client.wait(p.create_metric_attribution(**request, metrics=METRICS)["metricAttributionArn"])
    now = int(time.time())
    more = [[*row, "", ""] for row in rows("Interactions")] + [["u1", "i4", now, "Purchase", 1, "", "newsletter"]]
    client.wait(client.start_import(dataset, table_of(EVENTS, more), "watched-more", "INCREMENTAL"))
    event = {"eventType": "view", "itemId": "i4", "sentAt": now, "metricAttribution": {"eventAttributionSource": "banner"}}
    client.events.put_events(trackingId=client.tracker(group, "watched"), userId="u1", sessionId="s", eventList=[event])
    cloudwatch = boto3.client(
        "cloudwatch", "us-east-1", endpoint_url=s3_endpoint, aws_access_key_id="test", aws_secret_access_key="test"
    )

    def seen() -> set[tuple[str, str]]:
        metrics = cloudwatch.list_metrics(Namespace="AWS/Personalize")["Metrics"]
        return {(m["MetricName"], d["Value"]) for m in metrics for d in m["Dimensions"] if d["Name"] == "EventAttributionSource"}

    eventually(lambda: seen() == {("revenue", "newsletter"), ("views", "banner")})


def test_at_most_100_sources_of_events(client: Client) -> None:
    group = client.loaded_group("sources", ["Items"])
    client.dataset(group, "Interactions", EVENTS)
    tracker = client.tracker(group, "sources")

    def events(numbers: range) -> dict[str, Any]:
        event = {"eventType": "view", "itemId": "i4", "sentAt": START}
        sent = [event | {"metricAttribution": {"eventAttributionSource": f"source {number}"}} for number in numbers]
        return {"trackingId": tracker, "userId": "u1", "sessionId": "s", "eventList": sent}

    for begin in range(0, 100, 10):
        client.events.put_events(**events(range(begin, begin + 10)))
    code, message = error_of(client.events.put_events, **events(range(100, 101)))
    assert (code, "101 event attribution sources" in message) == ("InvalidInputException", True)
    client.events.put_events(**events(range(99, 100)))

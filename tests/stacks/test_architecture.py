"""The architecture picture, which is kept by hand, shows what the templates hold, and nothing that they don't."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.stacks.conftest import Templates

#: Types of which every resource is in the picture, with the property that names it.
SHOWN = {
    "AWS::Lambda::Function": "FunctionName",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
    "AWS::Glue::Job": "Name",
    "AWS::Kinesis::Stream": "Name",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::KinesisFirehose::DeliveryStream": "DeliveryStreamName",
}
_ROUTE = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/.*)")


@pytest.fixture(scope="module")
def words() -> set[str]:
    """The texts of the picture."""
    root = ElementTree.parse("docs/images/architecture.svg").getroot()  # noqa: S314  our own file
    return {element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")}


def test_everything_that_runs_or_keeps_data_is_in_the_picture(templates: Templates, words: set[str]) -> None:
    names = {
        resource["Properties"][SHOWN[resource["Type"]]].removeprefix("movielens_").replace("-", "_")
        for template in templates.values()
        for resource in template["Resources"].values()
        if resource["Type"] in SHOWN
    }
    assert {"recommend", "train", "events"} <= names <= words


def test_every_name_in_the_picture_is_in_the_templates(templates: Templates, words: set[str]) -> None:
    held = json.dumps(templates).replace("-", "_")
    named = {word for word in words if re.fullmatch(r"[a-z]+(_[a-z]+)+", word)}
    assert {"put_events", "recent_items"} <= named
    assert [name for name in named if name not in held] == []


def test_the_picture_has_the_routes_of_the_api(words: set[str]) -> None:
    paths = json.loads(Path("docs/openapi.json").read_text())["paths"]
    routes = {f"{verb.upper()} {path}" for path, verbs in paths.items() for verb in verbs}
    assert {word for word in words if _ROUTE.fullmatch(word)} == routes - {"GET /docs", "GET /openapi.json"}

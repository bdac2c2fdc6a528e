"""The architecture pictures show what the templates hold: drawn anew, and as they are kept in the docs."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.stacks.conftest import Templates
from tools.architecture import pictures
from tools.architecture_parts import Assembly

PICTURES = ("architecture-light.svg", "architecture-dark.svg")
#: Types of which every resource is in the picture, with the property that names it.
SHOWN = {
    "AWS::Lambda::Function": "FunctionName",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
    "AWS::Glue::Job": "Name",
    "AWS::Kinesis::Stream": "Name",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::KinesisFirehose::DeliveryStream": "DeliveryStreamName",
}


def names(templates: Templates) -> set[str]:
    return {
        resource["Properties"][SHOWN[resource["Type"]]].removeprefix("movielens_").replace("-", "_")
        for template in templates.values()
        for resource in template["Resources"].values()
        if resource["Type"] in SHOWN
    }


def words(picture: str) -> list[str]:
    """The texts of a picture."""
    root = ElementTree.fromstring(picture)  # noqa: S314  our own file
    return [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]


@pytest.fixture(scope="module")
def drawn(assembly: Path) -> dict[str, str]:
    return pictures(Assembly(assembly, "movielens"))


@pytest.mark.parametrize("name", PICTURES)
def test_everything_that_runs_or_keeps_data_is_in_the_picture(templates: Templates, drawn: dict[str, str], name: str) -> None:
    wanted = names(templates)
    assert {"recommend", "train", "events"} <= wanted
    assert wanted <= set(words(drawn[name]))


@pytest.mark.parametrize("name", PICTURES)
def test_the_pictures_of_the_docs_are_not_stale(templates: Templates, name: str) -> None:
    missing = names(templates) - set(words(Path("docs/images", name).read_text()))
    assert not missing, f"docs/images/{name} lacks {', '.join(sorted(missing))}: run `python -m tools.architecture`"


def test_routes_streams_and_calls_stand_beside_what_they_lead_to(drawn: dict[str, str]) -> None:
    texts = words(drawn[PICTURES[0]])
    for expected in (
        "GET /recommendations/{placement}",
        "POST /events",
        "PUT /items/{item_id}",
        "S3 datasets/_READY",
        "PutEvents",
        "GetRecommendations",
        "Kinesis",
        "SQS",
    ):
        assert expected in texts
    assert not [text for text in texts if text.endswith(("OPTIONS /events", ".zip/", ".py/"))]


def test_a_machine_shows_its_functions_in_the_order_of_its_definition(drawn: dict[str, str]) -> None:
    texts = words(drawn[PICTURES[0]])
    steps = texts[texts.index("train") : texts.index("report")]
    assert steps.index("plan_training") < steps.index("import_data") < steps.index("deploy_campaigns")


def test_light_and_dark_differ_in_colours_alone(drawn: dict[str, str]) -> None:
    light, dark = (drawn[name] for name in PICTURES)
    assert words(light) == words(dark)
    assert light != dark
    assert all(len(picture) < 60_000 for picture in (light, dark))

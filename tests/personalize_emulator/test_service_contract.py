"""Every operation against its service model: whatever breaks a constraint is a typed client error."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from personalize_emulator.wire import decode, operations
from tests.personalize_emulator.journey import Client
from tests.personalize_emulator.requests import OPERATIONS, sample, send, violations


@pytest.mark.parametrize("name", [name for name, model in OPERATIONS.items() if model.input_shape])
def test_every_broken_constraint_is_refused_by_its_name(client: Client, name: str) -> None:
    shape = OPERATIONS[name].input_shape
    valid = sample(shape)
    decode(json.dumps(valid).encode(), operations()[name].input)  # the sample itself breaks none
    for path, broken in violations(shape, valid):
        status, answer = send(client.endpoint, name, broken)
        assert status == 400, (path, broken, answer)
        assert answer["__type"] == "InvalidInputException", (path, broken, answer)
        last = path.rsplit(".", 1)[-1]
        assert last in answer["message"], (path, broken, answer)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_resource_that_does_not_exist_is_a_declared_error(client: Client, name: str) -> None:
    model = OPERATIONS[name]
    status, answer = send(client.endpoint, name, sample(model.input_shape) if model.input_shape else {})
    declared = {shape.name for shape in model.error_shapes}
    assert status == 200 or (400 <= status < 500 and answer["__type"] in declared), answer


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"[" * 100_000, b"\xff\xfe", b"{}" * 2])
def test_a_body_that_is_no_json_object_is_refused(client: Client, body: bytes) -> None:
    for name in ("CreateSchema", "GetRecommendations", "PutEvents"):
        status, answer = send(client.endpoint, name, body)
        assert (status, answer["__type"]) == (400, "InvalidInputException")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def near_valid(shape: Any) -> st.SearchStrategy[Any]:
    """Values that have the members of a shape, most of them of the right type."""
    if shape.type_name == "structure":
        members = {name: near_valid(member) for name, member in shape.members.items()}
        return st.fixed_dictionaries({}, optional=members)
    if shape.type_name == "list":
        return st.lists(near_valid(shape.member), max_size=3)
    if shape.type_name == "map":
        return st.dictionaries(st.text(max_size=10), near_valid(shape.value), max_size=3)
    return st.just(sample(shape)) | json_values


@pytest.mark.parametrize("name", OPERATIONS)
def test_no_request_is_answered_by_an_internal_failure(client: Client, name: str) -> None:
    shape = OPERATIONS[name].input_shape

    @given(near_valid(shape) if shape else json_values)
    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    def check(request: Any) -> None:
        status, answer = send(client.endpoint, name, request)
        assert status < 500, answer

    check()


def test_a_connection_takes_requests_of_any_form(client: Client) -> None:
    connection = http.client.HTTPConnection(urlsplit(client.endpoint).netloc, timeout=300)
    connection.connect()
    opened = connection.sock
    chunks = iter([b'{"max', b'Results": 1}'])
    for body, more in ((b'{"maxResults": 1}', {}), (chunks, {}), (b'{"maxResults": 1}', {"Expect": "100-continue"})):
        connection.request("POST", "/", body, {"x-amz-target": "AmazonPersonalize.ListRecipes", **more})
        answer = connection.getresponse()
        assert answer.status == 200
        assert len(json.loads(answer.read())["recipes"]) == 1
        assert connection.sock is opened
    connection.close()

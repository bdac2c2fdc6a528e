"""The signed calls of `recommend` held against botocore: its serializer, its parsers, its endpoints, its errors."""

from __future__ import annotations

import json
import string
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import botocore.parsers
import botocore.serialize
import botocore.session
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdas.aws import signature, signed
from lambdas.aws.signature import Keys, Request
from lambdas.aws.signed import (
    DYNAMODB,
    KINESIS,
    PERSONALIZE_EVENTS,
    PERSONALIZE_RUNTIME,
    SSM,
    Service,
    SignedClient,
    SignedObjects,
)

OPERATIONS = [
    (PERSONALIZE_RUNTIME, "get_recommendations"),
    (PERSONALIZE_RUNTIME, "get_personalized_ranking"),
    (PERSONALIZE_EVENTS, "put_events"),
    (PERSONALIZE_EVENTS, "put_items"),
    (PERSONALIZE_EVENTS, "put_users"),
    (DYNAMODB, "batch_get_item"),
    (DYNAMODB, "get_item"),
    (DYNAMODB, "query"),
    (SSM, "get_parameter"),
    (SSM, "get_parameters"),
    (KINESIS, "put_record"),
]
SESSION = botocore.session.get_session()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "eu-west-1"}.items():
        monkeypatch.setenv(name, value)
    signed._chain.cache_clear()
    yield
    signed._chain.cache_clear()


def model_of(service: Service, operation: str) -> OperationModel:
    name = "".join(part.title() for part in operation.split("_"))
    return SESSION.get_service_model(service.endpoint).operation_model(name)


def values(shape: Shape, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of a shape, as a caller of boto3 gives them; timestamps are left out."""
    texts = st.text(min_size=1, max_size=6)
    match shape:
        case StructureShape():
            members = {name: m for name, m in shape.members.items() if m.type_name != "timestamp" and depth < 5}
            if shape.metadata.get("union") or shape.name == "AttributeValue":
                kinds = [st.fixed_dictionaries({name: values(member, depth + 1)}) for name, member in members.items()]
                return st.one_of(kinds) if kinds else st.just({"S": "x"})
            required = {name: values(members[name], depth + 1) for name in shape.required_members if name in members}
            others = {name: values(member, depth + 1) for name, member in members.items() if name not in required}
            return st.fixed_dictionaries(required, optional=others)
        case ListShape():
            return st.lists(values(shape.member, depth + 1), min_size=1, max_size=2)
        case MapShape():
            return st.dictionaries(texts, values(shape.value, depth + 1), max_size=2)
    plain: dict[str, st.SearchStrategy[Any]] = {
        "string": st.sampled_from(shape.enum) if getattr(shape, "enum", None) else texts,
        "integer": st.integers(0, 1000),
        "long": st.integers(0, 1000),
        "double": st.floats(0, 1),
        "float": st.floats(0, 1),
        "boolean": st.booleans(),
        "blob": st.binary(max_size=6),
    }
    return plain[shape.type_name]


def on_the_wire(value: Any) -> Any:
    """A value as the service sends it: bytes as base64."""
    return json.loads(json.dumps(value, default=signed._base64))


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_requests_are_those_of_botocore(service: Service, operation: str, data: st.DataObject) -> None:
    model = model_of(service, operation)
    parameters = data.draw(values(model.input_shape))
    expected = botocore.serialize.create_serializer(
        model.service_model.metadata["protocol"], include_validation=False
    ).serialize_to_request(parameters, model)
    made = SignedClient(service).request(model.name, parameters)
    assert (made.method, made.url) == (
        expected["method"],
        f"https://{service.endpoint}.eu-west-1.amazonaws.com{expected['url_path']}",
    )
    assert json.loads(made.body) == json.loads(expected["body"] or b"{}")
    assert {name: made.headers[name] for name in expected["headers"]} == dict(expected["headers"])


@pytest.mark.parametrize(
    ("service", "operation"), [each for each in OPERATIONS if each[0] is not PERSONALIZE_EVENTS]
)  # whose answers are empty
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_answers_are_read_as_botocore_reads_them(service: Service, operation: str, data: st.DataObject) -> None:
    model = model_of(service, operation)
    body = json.dumps(on_the_wire(data.draw(values(model.output_shape)))).encode()
    parser = botocore.parsers.create_parser(model.service_model.metadata["protocol"])
    expected = parser.parse({"headers": {}, "status_code": 200, "body": body}, model.output_shape)
    del expected["ResponseMetadata"]
    assert signed.parse(body) == expected


CODES = st.text(string.ascii_letters, min_size=1, max_size=12)
SPELLED = st.builds(
    lambda code, form: form.format(code), CODES, st.sampled_from(["{}", "com.aws#{}", "{}:http://internal/", "a#{}:b"])
)
REFUSALS = st.one_of(
    st.fixed_dictionaries({}, optional={"__type": SPELLED, "message": st.text(max_size=8), "Message": st.text(max_size=8)}).map(
        lambda fields: json.dumps(fields).encode()
    ),
    st.just(b""),
    st.just(b"no JSON"),
)


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(status=st.sampled_from([400, 403, 404, 429, 500, 503]), body=REFUSALS, header=st.none() | CODES)
def test_refusals_are_read_as_botocore_reads_them(
    service: Service, operation: str, status: int, body: bytes, header: str | None
) -> None:
    model = model_of(service, operation)
    protocol = model.service_model.metadata["protocol"]
    headers = {"x-amzn-requestid": "r-1"} | (
        {"x-amzn-errortype": header} if header and protocol == "rest-json" and body.startswith(b"{") else {}
    )
    answer = {"headers": headers, "status_code": status, "body": body}
    expected = botocore.parsers.create_parser(protocol).parse(answer, model.output_shape)
    made = signed.parse_error(status, headers, body)
    assert made["Error"]["Code"] == expected["Error"]["Code"]
    assert made["ResponseMetadata"] == {"RequestId": "r-1"} | expected["ResponseMetadata"]
    fields = json.loads(body) if body.startswith(b"{") else {}
    if fields and not {"message", "Message"} <= fields.keys():  # of two, botocore takes an empty one, too
        assert made["Error"]["Message"] == expected["Error"]["Message"]


HEADERS = st.dictionaries(
    st.sampled_from(["Content-Type", "X-Amz-Target", "User-Agent"]), st.text(string.printable[:90], max_size=9)
)


@settings(max_examples=100, deadline=None)
@given(
    headers=HEADERS, body=st.binary(max_size=20), token=st.none() | st.text(string.ascii_letters, min_size=1), at=st.datetimes()
)
@pytest.mark.parametrize("service", ["personalize", "s3"])
def test_signatures_are_those_of_botocore(
    service: str, headers: dict[str, str], body: bytes, token: str | None, at: datetime
) -> None:
    request = Request(
        "GET" if service == "s3" else "POST",
        "https://h.example:8443/a/%C3%BC%20b" if service == "s3" else "http://h/a",
        headers,
        body,
    )
    expected = AWSRequest(request.method, request.url, headers, body)
    signer = (S3SigV4Auth if service == "s3" else SigV4Auth)(Credentials("key", "secret", token), service, "eu-west-1")
    with patch("botocore.auth.get_current_datetime", lambda: at):
        signer.add_auth(expected)
    made = signature.signed(request, service, "eu-west-1", Keys("key", "secret", token), at)
    assert made.pop("Host") == urlsplit(request.url).netloc
    assert made == dict(expected.headers.items())


@pytest.mark.parametrize("service", [PERSONALIZE_RUNTIME, DYNAMODB, SSM, KINESIS])
@pytest.mark.parametrize("variables", [{}, {"AWS_ENDPOINT_URL": "http://all:1"}])
def test_endpoints_are_those_of_botocore(service: Service, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for region in ("us-east-1", "eu-central-1", "ap-northeast-2", "cn-north-1", "us-gov-west-1"):
        monkeypatch.setenv("AWS_DEFAULT_REGION", region)
        of_botocore = botocore.session.get_session().create_client(
            service.endpoint, config=Config(account_id_endpoint_mode="disabled")
        )
        assert SignedClient(service)._endpoint == of_botocore.meta.endpoint_url


def test_an_endpoint_of_its_own_comes_before_that_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://all:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_PERSONALIZE_RUNTIME", "http://own:2")
    assert SignedClient(PERSONALIZE_RUNTIME)._endpoint == "http://own:2"
    assert SignedClient(SSM)._endpoint == "http://all:1"
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert SignedClient(SSM)._endpoint == "https://ssm.eu-west-1.amazonaws.com"


def test_objects_are_in_the_host_or_in_the_path_of_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = SignedObjects().request("shop-data", "snapshots/best sellers/anyone.json.out")
    assert asked.url == "https://shop-data.s3.eu-west-1.amazonaws.com/snapshots/best%20sellers/anyone.json.out"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    assert SignedObjects().request("shop-data", "a").url == "http://127.0.0.1:1/shop-data/a"


def test_the_trace_goes_on_in_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "recommend")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-2-3;Parent=4;Sampled=1")
    assert SignedClient(SSM).request("GetParameters", {}).headers["X-Amzn-Trace-Id"] == "Root=1-2-3;Parent=4;Sampled=1"


def test_nobody_there_is_an_error_of_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(BotoCoreError, match="Could not connect"):
        SignedClient(SSM).get_parameters(Names=["x"])


def test_calls_and_refusals_against_a_service(moto_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_endpoint)
    client = SESSION.create_client("s3")
    client.create_bucket(Bucket="signed-objects", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client.put_object(Bucket="signed-objects", Key="a/ü.json", Body=b"[1]")
    assert SignedObjects().read("signed-objects", "a/ü.json") == b"[1]"
    with pytest.raises(ClientError) as missing:
        SignedObjects().read("signed-objects", "none")
    assert (missing.value.operation_name, missing.value.response["Error"]["Code"]) == ("GetObject", "NoSuchKey")
    with pytest.raises(ClientError) as unknown:
        SignedClient(SSM, seconds=60).get_parameter(Name="/none")  # moto loads a service with its first call
    assert unknown.value.response["Error"]["Code"] == "ParameterNotFound"


def test_without_credentials_of_its_own_the_chain_of_botocore_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = from-file\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    assert signed._keys() == ("from-file", "s", None)


def test_a_proxy_of_the_environment_is_asked_and_told_its_password(moto_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of plain HTTP is sent the whole address; moto's server takes that as a proxy would."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://nobody.example")
    monkeypatch.setenv("HTTP_PROXY", moto_endpoint.replace("http://", "http://me:secret@"))
    client = SignedClient(SSM, seconds=60)
    with pytest.raises(ClientError) as unknown:
        client.get_parameter(Name="/none")
    assert unknown.value.response["Error"]["Code"] == "ParameterNotFound"
    (pool,) = client._connections._pools.values()
    assert pool.proxy_headers["proxy-authorization"] == "Basic bWU6c2VjcmV0"
    monkeypatch.setenv("NO_PROXY", "nobody.example")
    with pytest.raises(BotoCoreError, match="Could not connect"):
        SignedClient(SSM).get_parameter(Name="/none")

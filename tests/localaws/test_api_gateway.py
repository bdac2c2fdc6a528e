"""The API Gateway front over HTTP."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from localaws.environment import Environment
from localaws.gateway import vtl
from tests.harness.waiting import eventually
from tests.localaws.apps import function, lambda_uri, role, write_app

HTTP = urllib3.PoolManager()

ECHO = """
import json, time
def handler(event, context):
    query = event["queryStringParameters"] or {}
    if query.get("do") == "raise": raise ValueError("no")
    if query.get("do") == "sleep": time.sleep(3)
    if query.get("do") == "nonsense": return {"no": "status"}
    many = {"X-Many": ["a", "b"]}
    return {"statusCode": 201, "body": json.dumps(event), "headers": {"X-One": "1"}, "multiValueHeaders": many}
"""
PLAIN = """
def handler(event, context):
    if event.get("fail"): raise ValueError("NotFound: " + event["fail"])
    return {"given": event}
"""


class Api:
    """Writes the resources of one REST API."""

    def __init__(self, name: str) -> None:
        self.resources: dict[str, Any] = {
            "Role": role(),
            "Echo": function(f"{name}-echo", ECHO),
            "Plain": function(f"{name}-plain", PLAIN),
            "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": name}},
        }
        self._api = {"RestApiId": {"Ref": "Api"}}
        self._methods: list[str] = []

    def add(self, kind: str, logical_id: str, **properties: Any) -> None:
        self.resources[logical_id] = {"Type": f"AWS::ApiGateway::{kind}", "Properties": {**self._api, **properties}}

    def path(self, logical_id: str, part: str, parent: str | None = None) -> None:
        above = {"Ref": parent} if parent else {"Fn::GetAtt": ["Api", "RootResourceId"]}
        self.add("Resource", logical_id, PathPart=part, ParentId=above)

    def method(self, resource: str, verb: str, integration: dict[str, Any], **properties: Any) -> None:
        defaults = {"AuthorizationType": "NONE", "ResourceId": {"Ref": resource}, "HttpMethod": verb}
        if answers := integration.get("IntegrationResponses"):
            defaults["MethodResponses"] = [
                {"StatusCode": one["StatusCode"], "ResponseParameters": dict.fromkeys(one.get("ResponseParameters", ()), True)}
                for one in answers
            ]
        self.add("Method", f"{resource}{verb}", **{**defaults, **properties}, Integration=integration)
        self._methods.append(f"{resource}{verb}")

    def stage(self, name: str = "v1", deployment: str = "Deployment", **properties: Any) -> dict[str, Any]:
        self.add("Deployment", deployment)
        self.resources[deployment]["DependsOn"] = self._methods
        self.add("Stage", "Stage", StageName=name, DeploymentId={"Ref": deployment}, **properties)
        return self.resources


def proxy(function_id: str = "Echo") -> dict[str, Any]:
    return {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": lambda_uri(function_id)}


@pytest.fixture(scope="module")
def url(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An API with one resource for each thing that the tests look at."""
    api = Api("front")
    api.path("Things", "things")
    api.path("Thing", "{thing_id}", "Things")
    api.path("Fixed", "fixed", "Things")
    api.path("Rest", "files")
    api.path("Greedy", "{path+}", "Rest")
    api.method("Thing", "GET", proxy())
    api.method("Thing", "POST", proxy())
    api.method("Fixed", "GET", proxy())
    api.method("Greedy", "ANY", proxy())
    api.path("Slow", "slow")
    api.method("Slow", "GET", {**proxy(), "TimeoutInMillis": 300})
    _add_checked(api)
    _add_mapped(api)
    _add_cors(api)
    api.add(
        "GatewayResponse",
        "Missing",
        ResponseType="MISSING_AUTHENTICATION_TOKEN",
        StatusCode="404",
        ResponseParameters={"gatewayresponse.header.X-From": "'gateway'"},
        ResponseTemplates={"application/json": '{"error":$context.error.messageString,"kind":"$context.error.responseType"}'},
    )
    resources = api.stage(Variables={"color": "blue"})
    environment.deploy(write_app(tmp_path_factory.mktemp("app"), {"name": "front", "resources": resources}))
    return environment.apis["front"]


def _add_checked(api: Api) -> None:
    schema = {"$schema": "http://json-schema.org/draft-04/schema#", "type": "object", "required": ["id"]}
    api.add("Model", "Model", Name="Thing", ContentType="application/json", Schema=schema)
    api.add("RequestValidator", "All", ValidateRequestBody=True, ValidateRequestParameters=True)
    api.path("Checked", "checked")
    api.method(
        "Checked",
        "POST",
        proxy(),
        RequestModels={"application/json": {"Ref": "Model"}},
        RequestParameters={"method.request.querystring.color": True, "method.request.header.X-Size": False},
        RequestValidatorId={"Ref": "All"},
    )
    api.path("Signed", "signed")
    api.method("Signed", "POST", proxy(), AuthorizationType="AWS_IAM")


def _add_mapped(api: Api) -> None:
    request = """#set($body = $input.path('$'))
{"TableName": "none", "Records": [#foreach($e in $body.events)
{"id": "$context.requestId-$foreach.index", "data": "$util.base64Encode($e.name)", "color": "$stageVariables.color"}
#if($foreach.hasNext),#end
#end]}"""
    template = {"application/json": request}
    responses = [
        {"StatusCode": "200", "ResponseTemplates": {"application/json": '{"count": $input.path("$.given.Records").size()}'}},
        {
            "StatusCode": "404",
            "SelectionPattern": "NotFound.*",
            "ResponseParameters": {"method.response.header.X-Why": "'missing'"},
            "ResponseTemplates": {"application/json": '{"why": "$input.path(\'$.errorMessage\')"}'},
        },
    ]
    api.path("Mapped", "mapped")
    api.method(
        "Mapped",
        "POST",
        {
            "Type": "AWS",
            "IntegrationHttpMethod": "POST",
            "Uri": lambda_uri("Plain"),
            "PassthroughBehavior": "NEVER",
            "RequestTemplates": template,
            "IntegrationResponses": responses,
        },
    )
    api.method(
        "Mapped",
        "PUT",
        {
            "Type": "AWS",
            "IntegrationHttpMethod": "POST",
            "Uri": lambda_uri("Plain"),
            "RequestTemplates": {"application/json": '{"fail": "$input.params(\'what\')"}'},
            "IntegrationResponses": responses,
        },
    )
    api.resources["Queue"] = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "front-queue"}}
    api.path("Queue1", "queue")
    parts = ["arn:aws:apigateway:us-east-1:sqs:path/123456789012/", {"Fn::GetAtt": ["Queue", "QueueName"]}]
    send = "Action=SendMessage&MessageBody=$util.urlEncode($input.body)"
    to_queue = {
        "Type": "AWS",
        "IntegrationHttpMethod": "POST",
        "Uri": {"Fn::Join": ["", parts]},
        "Credentials": {"Fn::GetAtt": ["Role", "Arn"]},
        "RequestTemplates": {"application/json": send},
    }
    api.method(
        "Queue1",
        "POST",
        to_queue
        | {
            "RequestParameters": {"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"},
            "IntegrationResponses": [{"StatusCode": "202", "ResponseTemplates": {"application/json": '{"accepted": true}'}}],
        },
    )
    api.path("Overriding", "overriding")
    api.method(
        "Overriding",
        "POST",
        to_queue
        | {
            "RequestParameters": {"integration.request.header.Authorization": "'own'"},
            "IntegrationResponses": [{"StatusCode": "202"}],
        },
    )
    api.resources["Stream"] = {"Type": "AWS::Kinesis::Stream", "Properties": {"Name": "front-stream", "ShardCount": 1}}
    api.path("Stream1", "stream")
    accepted = "#set($context.responseOverride.status = 202){}"
    put = """{"StreamName": "front-stream", "Data": "$util.base64Encode($input.json('$'))", "PartitionKey": "k"}"""
    api.method(
        "Stream1",
        "POST",
        {
            "Type": "AWS",
            "Credentials": {"Fn::GetAtt": ["Role", "Arn"]},
            "IntegrationHttpMethod": "POST",
            "Uri": "arn:aws:apigateway:us-east-1:kinesis:action/PutRecord",
            "RequestParameters": {"integration.request.header.Content-Type": "'application/x-amz-json-1.1'"},
            "RequestTemplates": {"application/json": put},
            "IntegrationResponses": [
                {
                    "StatusCode": "200",
                    "ResponseTemplates": {"application/json": accepted},
                },
                {"StatusCode": "400", "SelectionPattern": "4\\d\\d"},
            ],
        },
    )


def _add_cors(api: Api) -> None:
    headers = {"method.response.header.Access-Control-Allow-Origin": "'*'"}
    api.method(
        "Things",
        "OPTIONS",
        {
            "Type": "MOCK",
            "RequestTemplates": {"application/json": "{ statusCode: 204 }"},
            "IntegrationResponses": [{"StatusCode": "204", "ResponseParameters": headers}],
        },
    )


def call(verb: str, url: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any, Any]:
    data = json.dumps(body).encode() if isinstance(body, dict | list) else body
    answer = HTTP.request(verb, url, body=data, headers={"Content-Type": "application/json", **(headers or {})})
    try:
        return answer.status, json.loads(answer.data), answer.headers
    except ValueError:
        return answer.status, answer.data, answer.headers


def test_a_proxy_integration_gets_the_whole_request(url: str) -> None:
    status, event, headers = call("POST", f"{url}/things/a%2Fb%20c?x=1&x=2&y=z", {"k": "v"}, {"X-Mine": "yes"})
    assert status == 201
    assert (headers["X-One"], headers.getlist("X-Many")) == ("1", ["a", "b"])
    assert (event["resource"], event["httpMethod"]) == ("/things/{thing_id}", "POST")
    assert event["pathParameters"] == {"thing_id": "a/b c"}
    assert event["queryStringParameters"] == {"x": "2", "y": "z"}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"], "y": ["z"]}
    assert event["headers"]["X-Mine"] == "yes"
    assert event["multiValueHeaders"]["X-Mine"] == ["yes"]
    assert (json.loads(event["body"]), event["isBase64Encoded"]) == ({"k": "v"}, False)
    assert event["stageVariables"] == {"color": "blue"}
    context = event["requestContext"]
    assert (context["stage"], context["resourcePath"]) == ("v1", "/things/{thing_id}")
    assert context["requestId"] == headers["x-amzn-RequestId"]


def test_fixed_paths_win_over_parameters_and_greedy_ones_take_the_rest(url: str) -> None:
    assert call("GET", f"{url}/things/fixed")[1]["resource"] == "/things/fixed"
    event = call("DELETE", f"{url}/files/a/b/c.txt")[1]
    assert (event["resource"], event["pathParameters"]) == ("/files/{path+}", {"path": "a/b/c.txt"})


def test_a_path_with_empty_segments_is_another_path(url: str) -> None:
    """`DELETE ///users//zzz` must not be taken for `DELETE /users/zzz`."""
    assert call("GET", f"{url}/things/7")[0] == call("GET", f"{url}/things/7/")[0] == 201
    for path in ("/things//7", "//things/7", "///things//7", "/things/7//", "/things/", "/things//"):
        status, body, _ = call("GET", f"{url}{path}")
        assert (status, body["kind"]) == (404, "MISSING_AUTHENTICATION_TOKEN"), path


@pytest.mark.parametrize("what", ["raise", "nonsense"])
def test_a_function_that_fails_is_a_bad_gateway(url: str, what: str) -> None:
    assert call("GET", f"{url}/things/1?do={what}")[:2] == (502, {"message": "Internal server error"})


def test_unknown_paths_get_the_gateway_response_of_the_api(url: str) -> None:
    status, body, headers = call("GET", f"{url}/nowhere")
    assert (status, body) == (404, {"error": "Missing Authentication Token", "kind": "MISSING_AUTHENTICATION_TOKEN"})
    assert headers["X-From"] == "gateway"
    assert call("GET", url.rsplit("/", 1)[0] + "/other/things")[:2] == (403, {"message": "Forbidden"})


def test_parameters_and_body_are_validated(url: str) -> None:
    expected = {"message": "Missing required request parameters: [color]"}
    assert call("POST", f"{url}/checked", {"id": 1})[:2] == (400, expected)
    for bad in (b"{", {"no": "id"}, b"", b'{"id": NaN}'):
        assert call("POST", f"{url}/checked?color=red", bad)[:2] == (400, {"message": "Invalid request body"})
    assert call("POST", f"{url}/checked?color=red", {"id": 1})[0] == 201


def test_iam_methods_want_a_signature_that_is_right(url: str) -> None:
    def signed(key: str = "test", service: str = "execute-api", sent: bytes = b"{}") -> tuple[int, Any]:
        request = AWSRequest("POST", f"{url}/signed?b=2&a=%C3%A9%2F1", {"Content-Type": "application/json"}, b"{}")
        SigV4Auth(Credentials(key, "test"), service, "us-east-1").add_auth(request)
        return call("POST", str(request.url), sent, dict(request.headers.items()))[:2]

    assert call("POST", f"{url}/signed")[0] == 404  # MISSING_AUTHENTICATION_TOKEN, whose status this API sets
    assert signed()[0] == 201
    assert "does not match" in signed(sent=b"[]")[1]["message"]
    assert "token" in signed(key="AKIAUNKNOWN")[1]["message"]
    for refused in (signed(sent=b"[]"), signed(key="AKIAUNKNOWN"), signed(service="s3")):
        assert refused[0] == 403
    assert call("POST", f"{url}/signed", headers={"Authorization": "AWS4-HMAC-SHA256 Credential=x"})[0] == 403


def test_mapping_templates_shape_request_and_response(url: str) -> None:
    assert call("POST", f"{url}/mapped", {"events": [{"name": "a"}, {"name": "b"}]})[:2] == (200, {"count": 2})
    status, body, _ = call("POST", f"{url}/mapped", b"x", {"Content-Type": "text/plain"})
    assert (status, body) == (415, {"message": "Unsupported Media Type"})


def test_a_selection_pattern_chooses_the_response(url: str) -> None:
    status, body, headers = call("PUT", f"{url}/mapped?what=item", {})
    assert (status, body, headers["X-Why"]) == (404, {"why": "NotFound: item"}, "missing")


def test_aws_services_are_called_with_what_the_template_makes(environment: Environment, url: str) -> None:
    assert call("POST", f"{url}/queue", {"a": "b & c"})[:2] == (202, {"accepted": True})
    sqs = environment.client("sqs")
    queue = sqs.get_queue_url(QueueName="front-queue")["QueueUrl"]
    assert json.loads(sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"]) == {"a": "b & c"}
    assert call("POST", f"{url}/stream", {"n": 1})[0] == 202
    kinesis = environment.client("kinesis")
    shard = kinesis.list_shards(StreamName="front-stream")["Shards"][0]["ShardId"]
    start = {"StreamName": "front-stream", "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
    records = kinesis.get_records(ShardIterator=kinesis.get_shard_iterator(**start)["ShardIterator"])["Records"]
    assert [json.loads(record["Data"]) for record in records] == [{"n": 1}]


def test_a_header_that_the_gateway_sets_itself_may_not_be_mapped(url: str) -> None:
    assert call("POST", f"{url}/overriding", {})[:2] == (500, {"message": "Internal server error"})


def test_an_integration_that_takes_too_long_times_out(url: str) -> None:
    status, body, _ = call("GET", f"{url}/slow?do=sleep")
    assert (status, body) == (504, {"message": "Endpoint request timed out"})


def test_a_preflight_request_is_answered_by_the_mock(url: str) -> None:
    status, _, headers = call("OPTIONS", f"{url}/things")
    assert (status, headers["Access-Control-Allow-Origin"]) == (204, "*")


def test_templates_know_java_s_strings() -> None:
    def rendered(template: str, body: str) -> str:
        return vtl.render(template, body, {"path": {}, "querystring": {}, "header": {}}, {}, {})

    cut = "#set($text = $input.path('$.a'))$text.substring(1, 3)-$text.substring(2)"
    assert rendered(cut, '{"a": "abcde"}') == "bc-cde"
    half_a_pair = "$util.base64Encode($input.path('$.a'))"
    assert rendered(half_a_pair, '{"a": "x\\ud83d"}') == base64.b64encode(b"x?").decode()


def test_a_body_over_ten_megabytes_is_refused(url: str) -> None:
    assert call("POST", f"{url}/things/1", b"x" * 10_485_761)[0] == 413
    assert call("GET", f"{url}/things/1")[0] == 201


def test_keys_must_belong_to_a_usage_plan_of_the_stage_and_are_throttled(
    environment: Environment, deploy: Callable[..., dict[str, str]]
) -> None:
    api = Api("keyed")
    api.path("Things", "things")
    api.method("Things", "GET", proxy(), ApiKeyRequired=True)
    api.method("Things", "POST", proxy(), ApiKeyRequired=True)
    resources = api.stage()
    read_only = {"/things/POST": {"RateLimit": 0, "BurstLimit": 0}}
    stages = [{"ApiId": {"Ref": "Api"}, "Stage": {"Ref": "Stage"}}]
    for name, throttle, quota in (
        ("slow", {"RateLimit": 0.001, "BurstLimit": 2}, None),
        ("few", None, {"Limit": 1, "Period": "DAY"}),
        ("read", {"RateLimit": 100, "BurstLimit": 100}, None),
    ):
        covered = [{**stages[0], "Throttle": read_only}] if name == "read" else stages
        plan = {"UsagePlanName": name, "ApiStages": covered, "Throttle": throttle, "Quota": quota}
        resources[f"{name}Plan"] = {
            "Type": "AWS::ApiGateway::UsagePlan",
            "Properties": {key: value for key, value in plan.items() if value is not None},
        }
        value = f"{name}-key-of-twenty-characters"
        resources[f"{name}Key"] = {"Type": "AWS::ApiGateway::ApiKey", "Properties": {"Name": name, "Value": value}}
        link = {"KeyId": {"Ref": f"{name}Key"}, "KeyType": "API_KEY", "UsagePlanId": {"Ref": f"{name}Plan"}}
        resources[f"{name}Link"] = {"Type": "AWS::ApiGateway::UsagePlanKey", "Properties": link}
    stranger = {"Name": "stranger", "Value": "stranger-key-of-twenty-characters"}
    resources["Stranger"] = {"Type": "AWS::ApiGateway::ApiKey", "Properties": stranger}
    deploy("keyed", resources)
    url = environment.apis["keyed"] + "/things"

    def get(key: str | None) -> tuple[int, Any]:
        return call("GET", url, headers={"x-api-key": f"{key}-key-of-twenty-characters"} if key else {})[:2]

    forbidden = (403, {"message": "Forbidden"})
    eventually(lambda: get("few")[0] == 201)
    assert [get(None), get("unknown"), get("stranger")] == [forbidden] * 3
    assert [get("slow")[0], get("slow")[0], get("slow")] == [201, 201, (429, {"message": "Too Many Requests"})]
    assert get("few") == (429, {"message": "Limit Exceeded"})
    key = {"x-api-key": "read-key-of-twenty-characters"}
    assert [call(verb, url, headers=key)[0] for verb in ("GET", "POST", "GET")] == [201, 429, 201]


def test_a_change_shows_with_the_next_deployment(environment: Environment, deploy: Callable[..., dict[str, str]]) -> None:
    def resources(deployment: str, path: str) -> dict[str, Any]:
        api = Api("changing")
        api.path("Things", path)
        api.method("Things", "GET", proxy())
        return api.stage(deployment=deployment)

    deploy("changing", resources("First", "old"))
    url = environment.apis["changing"]
    assert call("GET", f"{url}/old")[0] == 201
    deploy("changing", resources("Second", "new"))
    assert (call("GET", f"{url}/new")[0], call("GET", f"{url}/old")[0]) == (201, 403)
    assert environment.apis["changing"] == url

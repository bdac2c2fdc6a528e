"""Who may call what listens on this machine: its own programs, and pages of the origins that a deployed route names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
import urllib3
from playwright.sync_api import Browser, Page
from playwright.sync_api import Error as PlaywrightError

from localaws.environment import Environment
from localaws.workers.runtime_api import Invocation, RuntimeApi
from personalize_emulator.emulator import PersonalizeEmulator
from tests.browser import site
from tests.localaws.apps import write_app
from tests.localaws.test_api_gateway import Api, proxy

HTTP = urllib3.PoolManager(retries=False)
EVIL = "https://evil.example"
SHOP = "https://shop.example"
#: What a browser says of a call by a page of another site, of another port, and of a form that sends no referrer.
FOREIGN: list[dict[str, str]] = [
    {"Origin": EVIL},
    {"Origin": EVIL, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    {"Origin": "null"},
    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
]
NAVIGATION = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


def answering(body: str, status: str = "200", **headers: str) -> dict[str, Any]:
    """A MOCK integration with this answer, as arguments of `Api.method`."""
    names = {f"method.response.header.{name.replace('_', '-')}": value for name, value in headers.items()}
    response = {
        "StatusCode": status,
        "ResponseParameters": {name: f"'{value}'" for name, value in names.items()},
        "ResponseTemplates": {"application/json": body},
    }
    return {
        "integration": {
            "Type": "MOCK",
            "RequestTemplates": {"application/json": '{"statusCode": 200}'},
            "IntegrationResponses": [response],
        },
        "MethodResponses": [{"StatusCode": status, "ResponseParameters": dict.fromkeys(names, True)}],
    }


def add_open_route(made: Api, resource: str, origin: str) -> None:
    """POST for pages of `origin`, with the OPTIONS method that the CDK writes for it."""
    allow = {"Access_Control_Allow_Origin": origin, "Access_Control_Allow_Headers": "Content-Type"}
    made.method(resource, "OPTIONS", **answering("", "204", **allow))
    made.method(resource, "POST", **answering('{"open": 1}', Access_Control_Allow_Origin=origin))


@pytest.fixture(scope="module")
def api(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An API with two routes: /open names the origin of the shop, /closed names none."""
    made = Api("strangers")
    made.path("Open", "open")
    made.path("Closed", "closed")
    add_open_route(made, "Open", SHOP)
    made.method("Closed", "POST", proxy())
    made.method("Closed", "GET", **answering('{"closed": 2}'))
    app = write_app(
        tmp_path_factory.mktemp("strangers"),
        {"name": "strangers", "resources": made.stage(), "outputs": {"Api": {"Ref": "Api"}}},
    )
    environment.deploy(app)
    return environment.apis["strangers"]


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PersonalizeEmulator]:
    with PersonalizeEmulator(tmp_path_factory.mktemp("strangers-personalize")) as running:
        yield running


@pytest.fixture(scope="module")
def worker() -> Iterator[RuntimeApi]:
    """The side of a Lambda worker that listens."""
    listening = RuntimeApi()
    listening.submit(Invocation(b'"an event"', "arn", 60))
    yield listening
    listening.close()


@pytest.fixture(params=["aws", "api", "personalize", "worker"])
def url(
    request: pytest.FixtureRequest, environment: Environment, api: str, emulator: PersonalizeEmulator, worker: RuntimeApi
) -> str:
    """An address of each listener at which a call changes or tells something."""
    addresses = {
        "aws": f"{environment.aws_endpoint}/moto-api/reset",
        "api": f"{api}/closed",
        "personalize": f"{emulator.endpoint}/_emulator/reset",
        "worker": f"http://{worker.address}/2018-06-01/runtime/invocation/next",
    }
    return addresses[request.param]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS"])
def test_pages_of_others_are_refused_everywhere(url: str, method: str, headers: dict[str, str]) -> None:
    answer = HTTP.request(method, url, headers=headers, body=None if method == "GET" else b"{}")
    assert answer.status == 403
    assert json.loads(answer.data)["message"].endswith("may not call this")
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:4566", "127.0.0.1.evil.example", "localhost.evil.example", "[::2]"]
)
def test_only_names_of_this_machine_are_answered(url: str, host: str) -> None:
    answer = HTTP.request("POST", url, headers={"Host": host})
    assert (answer.status, json.loads(answer.data)["message"]) == (
        403,
        f"this server answers on this machine only, as localhost or 127.0.0.1, and not as {host}",
    )


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:80", "[::1]:4566", "bucket.localhost:4566"])
def test_every_name_of_this_machine_is(environment: Environment, host: str) -> None:
    assert HTTP.request("GET", f"{environment.aws_endpoint}/moto-api/", headers={"Host": host}).status == 200


def test_a_server_s_own_pages_may_call_it(environment: Environment) -> None:
    own = {"Origin": environment.aws_endpoint, "Sec-Fetch-Site": "same-origin"}
    without_referrer = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}
    for headers in (own, without_referrer, {"Sec-Fetch-Site": "none"}):
        assert HTTP.request("GET", f"{environment.aws_endpoint}/moto-api/", headers=headers).status == 200


def test_an_origin_that_a_route_names_passes_there_and_nowhere_else(api: str, environment: Environment) -> None:
    shop = {"Origin": SHOP, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    preflight = HTTP.request("OPTIONS", f"{api}/open", headers={**shop, "Access-Control-Request-Method": "POST"})
    assert (preflight.status, preflight.headers["Access-Control-Allow-Origin"]) == (204, SHOP)
    answer = HTTP.request("POST", f"{api}/open", headers=shop)
    assert (answer.status, answer.data, answer.headers["Access-Control-Allow-Origin"]) == (200, b'{"open": 1}', SHOP)
    assert HTTP.request("POST", f"{api}/open", headers={**shop, "Origin": EVIL}).status == 403
    assert HTTP.request("POST", f"{api}/closed", headers=shop).status == 403
    assert HTTP.request("POST", environment.aws_endpoint, headers=shop).status == 403


def test_the_answer_to_a_stranger_s_preflight_is_the_route_s_own(api: str) -> None:
    """It names the shop: the browser refuses the stranger by that."""
    asked = {"Origin": EVIL, "Sec-Fetch-Site": "cross-site", "Access-Control-Request-Method": "POST"}
    assert HTTP.request("OPTIONS", f"{api}/open", headers=asked).headers["Access-Control-Allow-Origin"] == SHOP
    assert HTTP.request("OPTIONS", f"{api}/closed", headers=asked).status == 403


def test_a_link_may_be_followed_from_anywhere_to_a_route_alone(
    api: str, environment: Environment, emulator: PersonalizeEmulator
) -> None:
    assert HTTP.request("GET", f"{api}/closed", headers=NAVIGATION).data == b'{"closed": 2}'
    assert HTTP.request("POST", f"{api}/closed", headers=NAVIGATION).status == 403
    assert HTTP.request("GET", f"{api}/nothing-there", headers=NAVIGATION).status == 403
    for address in (environment.aws_endpoint, emulator.endpoint):
        assert HTTP.request("GET", address, headers=NAVIGATION).status == 403


ATTACK = """async ([addresses, aws, template]) => {
  const tell = [];
  const attempt = async (what, options) => {
    try { const answer = await fetch(what, options); tell.push([what, answer.type, answer.status]) }
    catch (error) { tell.push([what, 'refused', 0]) }
  };
  for (const address of addresses)
    for (const mode of ['no-cors', 'cors'])
      for (const method of ['GET', 'POST'])
        await attempt(address, {method, mode});
  for (const address of addresses)
    await attempt(address, {method: 'PUT', mode: 'cors', headers: {'Content-Type': 'application/json'}, body: '{"speed": 1}'});
  const query = new URLSearchParams({Action: 'CreateStack', Version: '2010-05-15', StackName: 'evil', TemplateBody: template});
  await attempt(aws, {method: 'POST', mode: 'no-cors', body: query});
  const scope = 'AWS4-HMAC-SHA256 Credential=x/20200101/us-east-1/cloudformation/aws4_request, SignedHeaders=host, Signature=0';
  await attempt(aws, {method: 'POST', mode: 'cors', body: query, headers: {Authorization: scope}});
  await attempt(aws + '/?Action=CreateQueue&QueueName=evil&Version=2012-11-05', {mode: 'no-cors'});
  for (const address of addresses) {
    await new Promise(done => { const image = new Image(); image.onload = image.onerror = done; image.src = address });
    await new Promise(done => { const socket = new WebSocket(address.replace('http', 'ws')); socket.onopen = socket.onerror = done });
    const frame = document.createElement('iframe');
    await new Promise(done => { frame.onload = done; frame.src = address; document.body.append(frame) });
  }
  return tell;
}"""
SUBMIT = (
    """address => { document.body.innerHTML = `<form method="post" action="${address}"></form>`; document.forms[0].submit() }"""
)


def test_a_page_in_a_browser_can_do_nothing(
    browser: Browser, environment: Environment, api: str, emulator: PersonalizeEmulator
) -> None:
    s3, personalize = environment.client("s3"), client_of(emulator)
    s3.create_bucket(Bucket="kept-from-strangers")
    personalize.create_dataset_group(name="kept-from-strangers")
    addresses = [f"{environment.aws_endpoint}/moto-api/reset", f"{emulator.endpoint}/_emulator/reset", f"{api}/closed"]
    addresses += [address.replace("127.0.0.1", "localhost") for address in addresses]
    stack = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "evil"}}}}
    with site() as stranger:
        page = browser.new_page()
        for address in (stranger, stranger.replace("127.0.0.1", "localhost")):
            page.goto(address)
            told = page.evaluate(ATTACK, [addresses, environment.aws_endpoint, json.dumps(stack)])
            assert {kind for _, kind, _ in told} <= {"refused", "opaque"}, "something was read"
        for address in addresses:
            page.goto(stranger)
            with page.expect_navigation(url=address):
                page.evaluate(SUBMIT, address)
            assert "may not call this" in page.content()
        page.close()
    assert "kept-from-strangers" in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert [group["name"] for group in personalize.list_dataset_groups()["datasetGroups"]] == ["kept-from-strangers"]
    stacks = environment.client("cloudformation").get_paginator("describe_stacks").paginate().build_full_result()["Stacks"]
    assert "evil" not in [stack["StackName"] for stack in stacks]
    assert not environment.client("sqs").list_queues(QueueNamePrefix="evil").get("QueueUrls")
    assert json.loads(HTTP.request("GET", f"{emulator.endpoint}/_emulator").data)["speed"] != 1


FETCH = """async ([url, body]) => {
  const answer = await fetch(url, {method: 'POST', headers: {'Content-Type': 'application/json'}, body});
  return [answer.status, await answer.text()];
}"""


def test_a_page_of_a_configured_origin_works(
    browser: Browser, deploy: Callable[..., dict[str, str]], environment: Environment
) -> None:
    with site() as shop, site() as other:
        made = Api("shop")
        made.path("Events", "events")
        add_open_route(made, "Events", shop)
        deploy("shop", made.stage())
        url = f"{environment.apis['shop']}/events"
        assert opened(browser, shop).evaluate(FETCH, [url, "{}"]) == [200, '{"open": 1}']
        with pytest.raises(PlaywrightError, match="Failed to fetch"):
            opened(browser, other).evaluate(FETCH, [url, "{}"])


def opened(browser: Browser, address: str) -> Page:
    page = browser.new_page()
    page.goto(address)
    return page


def client_of(emulator: PersonalizeEmulator) -> Any:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    return boto3.client("personalize", endpoint_url=emulator.endpoint, **keys)

"""Pages that ask for recommendations: for a user whom a token proves, or for a visitor; nobody by guessing ids."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from lambdas.stores import user_tokens
from lambdas.stores.user_tokens import sign
from reco.local.synth import node_path
from tests.pages import blocks
from tests.unit.conftest import Deployment
from tests.unit.serving import Campaign, new_worker, put_item

SHOP = "https://shop.example"
VISITOR = "visitor-0123456789abcdef"


@pytest.fixture
def secret(away: Deployment, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The deployment's secret, as the stack makes it."""
    monkeypatch.setenv("TOKEN_SECRETS", f"{away.config.name}-secrets")
    away.client("secretsmanager").create_secret(Name=f"{away.config.name}-secrets", SecretString="first")
    user_tokens.forget()
    yield "first"
    user_tokens.forget()


def rotate(shop: Deployment, value: str) -> None:
    shop.client("secretsmanager").put_secret_value(SecretId=f"{shop.config.name}-secrets", SecretString=value)
    user_tokens.forget()


def ask(
    shop: Deployment,
    query: dict[str, str],
    *,
    path: str = "/recommendations/home",
    body: Any = None,
    origin: str | None = SHOP,
    variables: dict[str, str] | None = None,
) -> tuple[int, dict[str, Any], dict[str, list[str]]]:
    """Status, JSON and headers of what the browsers' stage answers."""
    from lambdas.serving.recommend import handler as recommend  # once the environment is there

    headers = {"Host": "api.example", "Content-Type": "application/json", **({"Origin": origin} if origin else {})}
    event = {
        "resource": path,
        "path": path,
        "pathParameters": {},
        "httpMethod": "GET" if body is None else "POST",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": query or None,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} or None,
        "requestContext": {"requestId": "r", "stage": "v1", "httpMethod": "GET", "path": path, "identity": {}},
        "stageVariables": {"callers": "browsers"} if variables is None else variables,
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }
    answer = shop.call(recommend.handler, **event)
    return answer["statusCode"], json.loads(answer["body"]), answer["multiValueHeaders"]


def token(shop: Deployment, user_id: str, secret: str, seconds: int = 600, deployment: str | None = None) -> str:
    return sign(deployment or shop.config.name, user_id, int(time.time()) + seconds, secret)


@pytest.mark.parametrize("user_id", ["u1", "a.b.c", "사용자", "x\ny", "7"])
def test_a_token_proves_who_asks(away: Deployment, secret: str, user_id: str) -> None:
    status, answer, headers = ask(away, {"user_token": token(away, user_id, secret), "session_id": "anything"})
    assert (status, answer["source"]) == (200, "for-you")
    assert Campaign.asked[-1]["userId"] == user_id
    assert headers["Access-Control-Allow-Origin"] == [SHOP]
    assert headers["Vary"] == ["Origin"]
    assert headers["Cache-Control"] == ["private, no-store"]


def test_a_visitor_is_known_by_the_session(away: Deployment, secret: str) -> None:
    status, answer, _ = ask(away, {"session_id": VISITOR})
    assert (status, answer["source"]) == (200, "for-you")
    assert Campaign.asked[-1]["userId"] == VISITOR


@pytest.mark.parametrize("session_id", ["u1", "visitor-u1", "visitor-0123456789abcdef u1", "", "visitor-" + "x" * 300])
def test_no_session_looks_like_a_user(away: Deployment, secret: str, session_id: str) -> None:
    status, answer, _ = ask(away, {"session_id": session_id})
    assert (status, answer["error"]["field"]) == (400, "session_id")
    assert Campaign.asked == []


def test_an_id_proves_nothing(away: Deployment, secret: str) -> None:
    for query in ({"user_id": "u1"}, {"user_id": "u1", "session_id": VISITOR}, {"user_id": "u1", "user_token": "x"}):
        status, answer, _ = ask(away, query)
        assert (status, answer["error"]["field"]) == (400, "user_id")
    assert ask(away, {})[1]["error"]["field"] == "session_id"
    assert Campaign.asked == []


def test_tokens_that_prove_nothing_are_refused(away: Deployment, secret: str) -> None:
    good = token(away, "u1", secret)
    expiry, signature, _ = good.split(".")
    refused = {
        "another's": f"{expiry}.{signature}.u2",
        "prolonged": f"{int(expiry) + 1}.{signature}.u1",
        "another deployment's": token(away, "u1", secret, deployment="other"),
        "another secret's": token(away, "u1", "guessed"),
        "cut": good[:-2],
        "no form": "u1",
        "an empty one": "",
        "odd digits": f"{expiry}.{'é' * 64}.u1",
    }
    for name, bad in refused.items():
        status, answer, _ = ask(away, {"user_token": bad})
        assert (status, answer["error"]["code"], answer["error"]["field"]) == (403, "forbidden", "user_token"), name
    status, answer, _ = ask(away, {"user_token": token(away, "u1", secret, seconds=-1)})
    assert (status, answer["error"]["code"]) == (403, "token_expired")
    assert Campaign.asked == []


def test_two_secrets_are_valid_while_the_shop_changes_them(away: Deployment, secret: str) -> None:
    old = token(away, "u1", secret)
    rotate(away, "second")
    for valid in (old, token(away, "u1", "second")):
        assert ask(away, {"user_token": valid})[0] == 200
    rotate(away, "third")
    assert ask(away, {"user_token": old})[0] == 403
    assert ask(away, {"user_token": token(away, "u1", "second")})[0] == 200


def test_a_worker_sees_a_new_secret_when_it_meets_its_first_token(
    away: Deployment, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(away, {"user_token": token(away, "u1", secret)})[0] == 200
    away.client("secretsmanager").put_secret_value(SecretId=f"{away.config.name}-secrets", SecretString="second")
    monkeypatch.setattr(user_tokens, "_AGAIN", -1.0)
    assert ask(away, {"user_token": token(away, "u1", "second")})[0] == 200


def test_without_the_secret_nobody_is_proved(away: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_SECRETS", "not-there")
    user_tokens.forget()
    status, answer, _ = ask(away, {"user_token": token(away, "u1", "x")})
    assert (status, answer["error"]["code"]) == (503, "unavailable")
    assert ask(away, {"session_id": VISITOR})[0] == 200


def test_only_pages_that_the_config_names_may_ask(away: Deployment, secret: str) -> None:
    for origin in ("https://evil.example", "null", "https://shop.example.evil.example", "http://shop.example"):
        status, answer, headers = ask(away, {"session_id": VISITOR}, origin=origin)
        assert (status, answer["error"]["field"]) == (403, "origin")
        assert "Access-Control-Allow-Origin" not in headers
    for origin in ("https://api.example", None):  # the API's own pages
        assert ask(away, {"session_id": VISITOR}, origin=origin)[0] == 200
    assert Campaign.asked[1:] == Campaign.asked[:1]


def test_only_placements_that_the_config_names_answer_pages(away: Deployment, secret: str) -> None:
    for path, body in (("/recommendations/hidden", None), ("/rankings/hidden", {"item_ids": ["i1"], "session_id": VISITOR})):
        status, answer, _ = ask(away, {"session_id": VISITOR} if body is None else {}, path=path, body=body)
        assert (status, answer["error"]["code"]) == (404, "no_such_placement")


def test_only_a_deployment_with_a_storefront_explains_itself_to_pages(away: Deployment, secret: str) -> None:
    assert "explain" in ask(away, {"session_id": VISITOR, "explain": "true"})[1]
    raw = away.config.model_dump(mode="json", by_alias=True, exclude_defaults=True) | {"storefront": None}
    away.pack(raw)
    new_worker()
    assert ask(away, {"session_id": VISITOR, "explain": "true"})[1]["error"]["field"] == "explain"
    assert ask(away, {"session_id": VISITOR})[0] == 200


def test_a_ranking_is_for_a_token_or_a_visitor_too(away: Deployment, secret: str) -> None:
    for n in range(3):
        put_item(away, f"i{n}", STOCK=1, CATEGORY=["c"], BRAND="b")
    for whom, user in (({"session_id": VISITOR}, VISITOR), ({"user_token": token(away, "u1", secret)}, "u1")):
        status, answer, _ = ask(away, {}, path="/rankings/search", body={"item_ids": ["i2", "i1"], **whom})
        assert (status, answer["returned"]) == (200, 2)
        assert Campaign.asked[-1]["userId"] == user
    for bad in ({"user_id": "u1"}, {"user_token": ["a", "b"]}, {"session_id": 7}, {}):
        assert ask(away, {}, path="/rankings/search", body={"item_ids": ["i2"], **bad})[0] == 400
    assert ask(away, {}, path="/rankings/search", body=[1])[0] == 400


def test_the_servers_api_takes_ids_as_before(away: Deployment, secret: str) -> None:
    status, _, headers = ask(away, {"user_id": "u1"}, origin="https://evil.example", variables={})
    assert status == 200
    assert "Access-Control-Allow-Origin" not in headers
    assert ask(away, {"user_token": "x", "user_id": "u1"}, variables={})[1]["error"]["field"] == "user_token"


#: How a page's language calls its function with an id and a deployment.
CALLS = {
    "python": ([sys.executable, "-c"], '{lines}\nprint(user_token({user!r}, "first", {deployment!r}), end="")'),
    "js": (["node", "--input-type=module", "-e"], '{lines}\nprocess.stdout.write(userToken({user!r}, "first", {deployment!r}));'),
    "php": (["php", "-r"], '{lines}\necho user_token({user!r}, "first", {deployment!r});'),
}


@pytest.mark.parametrize("language", CALLS)
def test_the_servers_of_the_page_make_tokens_that_are_valid(away: Deployment, secret: str, language: str) -> None:
    (command, script), user = CALLS[language], "사용자.1"
    if shutil.which(command[0], path=node_path()) is None:
        pytest.skip(f"there is no {command[0]} on this machine: the lines of docs/serving.md were not run")
    lines = next(block.text for block in blocks("docs/serving.md") if block.language == language and "expiry" in block.text)
    script = script.format(lines=lines, user=user, deployment=away.config.name)
    said = subprocess.run([*command, script], env={"PATH": node_path()}, capture_output=True, text=True, check=True).stdout
    assert ask(away, {"user_token": said})[0] == 200
    assert Campaign.asked[-1]["userId"] == user


def test_a_placement_that_an_operator_takes_away_is_taken_from_pages_too(away: Deployment, secret: str) -> None:
    document = {"placements": {"item-page": None}}
    away.client("ssm").put_parameter(Name=os.environ["RULES_PARAMETER"], Type="String", Value=json.dumps(document))
    new_worker()
    assert ask(away, {"session_id": VISITOR, "item_id": "i1"}, path="/recommendations/item-page")[0] == 404
    assert ask(away, {"session_id": VISITOR})[0] == 200

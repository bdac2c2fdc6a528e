"""Pages that API Gateway serves from S3 with a role, and a secret that CloudFormation generates."""

from __future__ import annotations

import json

import pytest
import urllib3

from localaws.environment import Environment
from tests.localaws.apps import write_app
from tests.localaws.test_api_gateway import Api

HTTP = urllib3.PoolManager(retries=False)
PAGE = '<!doctype html><title>$input and #if are text here: "äé한"</title>'
BUCKET = "pages-of-the-test"


def s3(key: str) -> dict[str, object]:
    """A GET of an object, as the CDK's AwsIntegration writes it."""
    header = "method.response.header.Content-Type"
    return {
        "Type": "AWS",
        "IntegrationHttpMethod": "GET",
        "Credentials": {"Fn::GetAtt": ["Role", "Arn"]},
        "Uri": f"arn:aws:apigateway:us-east-1:s3:path/{BUCKET}/{key}",
        "PassthroughBehavior": "WHEN_NO_MATCH",
        "IntegrationResponses": [
            {"StatusCode": "200", "SelectionPattern": "200", "ResponseParameters": {header: "'text/html; charset=utf-8'"}},
            {"StatusCode": "503", "ResponseTemplates": {"application/json": '{"error": "away"}'}},
        ],
    }


@pytest.fixture(scope="module")
def pages(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> str:
    api = Api("pages")
    responses = [
        {"StatusCode": "200", "ResponseParameters": {"method.response.header.Content-Type": True}},
        {"StatusCode": "503"},
    ]
    for name, key in (("Page", "page.html"), ("Gone", "gone.html")):
        api.path(name, name.lower())
        api.method(name, "GET", s3(key), MethodResponses=responses)  # type: ignore[arg-type]
    generated = {"PasswordLength": 48, "ExcludePunctuation": True}
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "of-the-pages", "GenerateSecretString": generated}}
    folder = tmp_path_factory.mktemp("pages")
    (folder / "page.html").write_text(PAGE)
    published = {"bucketName": BUCKET, "objectKey": "page.html"}
    asset = {"source": {"path": "page.html", "packaging": "file"}, "destinations": {"here": published}}
    stack = {"name": "pages", "resources": api.stage() | {"Secret": secret}, "assets": {"page": asset}}
    environment.deploy(write_app(folder, stack | {"outputs": {"Secret": {"Ref": "Secret"}}}))
    return environment.apis["pages"]


def test_a_page_is_the_object_as_it_is(pages: str) -> None:
    answer = HTTP.request("GET", f"{pages}/page", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (answer.status, answer.data.decode()) == (200, PAGE)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_an_object_that_is_gone_is_answered_by_the_other_response(pages: str) -> None:
    answer = HTTP.request("GET", f"{pages}/gone")
    assert (answer.status, json.loads(answer.data)) == (503, {"error": "away"})


def test_a_secret_is_generated_and_keeps_the_value_before(pages: str, environment: Environment) -> None:
    secrets, arn = environment.client("secretsmanager"), environment.outputs("pages")["Secret"]
    value = secrets.get_secret_value(SecretId="of-the-pages", VersionStage="AWSCURRENT")["SecretString"]
    assert (len(value), value.isalnum()) == (48, True)
    assert arn.startswith("arn:aws:secretsmanager:us-east-1:123456789012:secret:of-the-pages-")
    with pytest.raises(secrets.exceptions.ResourceNotFoundException):
        secrets.get_secret_value(SecretId=arn, VersionStage="AWSPREVIOUS")
    secrets.put_secret_value(SecretId=arn, SecretString="another")
    assert secrets.get_secret_value(SecretId=arn, VersionStage="AWSPREVIOUS")["SecretString"] == value

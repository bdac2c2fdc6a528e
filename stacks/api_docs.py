"""The API's description, served by API Gateway itself: `GET /openapi.json`, and `GET /docs`, a Swagger page over it."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from aws_cdk import aws_apigateway as apigateway

from stacks.acknowledged import acknowledge

_DOCUMENT = Path(__file__).parent.parent / "docs" / "openapi.json"
_CDN = "https://cdn.jsdelivr.net/npm/swagger-ui-dist@5.35.0"
#: What a browser compares the files with before it uses them: the CDN can't put in others.
_STYLE_HASH = "sha384-WlYgdmXYOOBWL5apwjDEZwN+U3HmXSSu5R6V5aGxEcf7z+KuRNwBhoxKVN1i3D5I"
_SCRIPT_HASH = "sha384-gjRm0bEPMeTmMh5jT2cHccIwCUZSTd8YC+j0d0sXw0MdGEfScduGpSyF3ZSSLkX9"
START = 'SwaggerUIBundle({url: "openapi.json", domNode: document.body.firstElementChild});'
_PAGE = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>recostack: the API</title>
<link rel="stylesheet" href="{_CDN}/swagger-ui.css" integrity="{_STYLE_HASH}" crossorigin="anonymous">
<body>
<main></main>
<script src="{_CDN}/swagger-ui-bundle.js" integrity="{_SCRIPT_HASH}" crossorigin="anonymous"></script>
<script>{START}</script>
</body>
</html>
"""


def add_docs(api: apigateway.RestApi) -> None:
    """Add both routes; they need no key and call nothing."""
    start = base64.b64encode(hashlib.sha256(START.encode()).digest()).decode()
    cdn = "https://cdn.jsdelivr.net"
    policy = (
        f"default-src 'none'; script-src {cdn} 'sha256-{start}'; style-src {cdn} 'unsafe-inline'; img-src data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    _add(api, "openapi.json", "application/json", _DOCUMENT.read_text(), "default-src 'none'")
    _add(api, "docs", "text/html", _PAGE, policy)


def _add(api: apigateway.RestApi, path: str, content_type: str, text: str, policy: str) -> None:
    names = ("Content-Type", "Cache-Control")
    values = (f"'{content_type}; charset=utf-8'", "'max-age=300'")
    integration = apigateway.MockIntegration(
        passthrough_behavior=apigateway.PassthroughBehavior.WHEN_NO_MATCH,
        request_templates={"application/json": '{"statusCode": 200}'},
        integration_responses=[
            apigateway.IntegrationResponse(
                status_code="200",
                response_templates={content_type: _literal(text, policy)},
                response_parameters={f"method.response.header.{n}": v for n, v in zip(names, values, strict=True)},
            )
        ],
    )
    response = apigateway.MethodResponse(
        status_code="200", response_parameters={f"method.response.header.{name}": True for name in names}
    )
    method = api.root.resource_for_path(path).add_method(
        "GET", integration, api_key_required=False, authorization_type=apigateway.AuthorizationType.NONE,
        method_responses=[response],
    )  # fmt: skip
    acknowledge(method, {"CKV_AWS_59": "the API's description is for everybody, and there is nothing behind it to reach"})


def _literal(text: str, policy: str) -> str:
    """A mapping template that gives the text as it is, where `$` and `#` would mean something, with its security headers."""
    headers = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
    head = "".join(f'#set($context.responseOverride.header.{name} = "{value}")' for name, value in headers.items())
    return f"#set($dollar = '$')#set($hash = '#'){head}" + text.translate({ord("$"): "${dollar}", ord("#"): "${hash}"})

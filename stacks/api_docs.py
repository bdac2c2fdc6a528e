"""The API's description, served from S3: `GET /openapi.json`, and `GET /docs`, a page over it."""

from __future__ import annotations

from aws_cdk import aws_apigateway as apigateway

from stacks.layer import ROOT
from stacks.pages import THEME, VENDOR, Pages

_FOLDER = ROOT / "api_docs"


def add_docs(api: apigateway.RestApi) -> None:
    """Add the pages; they need no key and call nothing."""
    pages = Pages(api, "Docs", api)
    pages.add("openapi.json", ROOT / "docs" / "openapi.json")
    pages.add("docs", _FOLDER / "index.html")
    for file in (_FOLDER / "docs.js", _FOLDER / "docs.css", THEME, VENDOR):
        pages.add(f"docs/{file.name}", file)

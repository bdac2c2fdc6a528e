"""The checked-in OpenAPI document is what the code says."""

from __future__ import annotations

import json
from pathlib import Path

from tools.openapi import document


def test_the_document_is_up_to_date() -> None:
    assert json.loads(Path("docs/openapi.json").read_text()) == document(), "python -m tools.openapi docs/openapi.json"


def test_every_reference_resolves() -> None:
    text = Path("docs/openapi.json").read_text()
    schemas = json.loads(text)["components"]["schemas"]
    assert {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]} <= set(schemas)

"""What the synthesized templates of the shipped configs hold: mapping templates, and the JSONata expressions of state machines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from reco.local.synth import synthesize

ROOT = Path(__file__).parents[2]


def assemblies(folder: Path) -> list[Path]:
    """The cloud assemblies of the demo's config, of the shop's, and of the shop's with two origins."""
    (folder / "config").mkdir()
    (folder / "config" / "schemas").symlink_to(ROOT / "config" / "schemas")
    shop = yaml.safe_load((ROOT / "config" / "shop.yaml").read_text())
    shop["api"]["cors_origins"] = ["https://shop.example", "https://www.shop.example"]
    (folder / "config" / "origins.yaml").write_text(yaml.safe_dump(shop, sort_keys=False))
    configs = [ROOT / "config" / "movielens.yaml", ROOT / "config" / "shop.yaml", folder / "config" / "origins.yaml"]
    return [synthesize(config, folder / config.stem, validate=False) for config in configs]


def mapping_templates(assembly: Path) -> Iterator[tuple[str, str]]:
    """Each mapping template's place (`events POST, request`) and text."""
    for template in _templates(assembly):
        for name, resource in template["Resources"].items():
            if resource["Type"] != "AWS::ApiGateway::Method":
                continue
            integration = resource["Properties"].get("Integration", {})
            for text in (integration.get("RequestTemplates") or {}).values():
                yield f"{name[:-8]}, request", _resolved(text)
            for response in integration.get("IntegrationResponses") or []:
                for text in (response.get("ResponseTemplates") or {}).values():
                    yield f"{name[:-8]}, response {response['StatusCode']}", _resolved(text)


def expressions(assembly: Path) -> Iterator[tuple[str, str]]:
    """Each JSONata expression's state machine and text, without its `{% %}`."""
    for template in _templates(assembly):
        for name, resource in template["Resources"].items():
            if resource["Type"] == "AWS::StepFunctions::StateMachine":
                for text in _expressions(json.loads(_resolved(resource["Properties"]["DefinitionString"]))):
                    yield f"state machine {name[:-8]}", re.sub(r"\$\{\w+\}", "substituted", text)


def _templates(assembly: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(assembly.glob("*.template.json")):
        yield json.loads(path.read_text())


def _expressions(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value.startswith("{%"):
        yield value[2:-2].strip()
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _expressions(part)


def _resolved(value: Any) -> str:
    """A text in which functions of CloudFormation may stand, with a name in the place of what only a deployment knows."""
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        between, parts = value["Fn::Join"]
        return str(between).join(_resolved(part) for part in parts)
    return "resolved"

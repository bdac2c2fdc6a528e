"""Whatever a security rule was told to leave alone has a reason, beside the resource that it is about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from stacks.acknowledged import BY_KIND
from tests.stacks.conftest import Templates


def skipped(templates: Templates) -> Iterator[tuple[str, str, str, str]]:
    """(logical id, type, rule, reason) of everything that checkov is told to skip."""
    for template in templates.values():
        for name, resource in template["Resources"].items():
            for entry in resource.get("Metadata", {}).get("checkov", {}).get("skip", []):
                yield name, resource["Type"], entry["id"], entry["comment"]


def test_every_skip_of_checkov_has_a_reason(templates: Templates) -> None:
    found = list(skipped(templates))
    assert found
    for name, _, rule, reason in found:
        assert rule.startswith("CKV_AWS_"), name
        assert len(reason.split()) >= 8, f"{rule} of {name}: {reason!r} would convince nobody"


def test_a_rule_is_skipped_once_for_a_resource(templates: Templates) -> None:
    pairs = [(name, rule) for template in templates.values() for name, _, rule, _ in skipped({"": template})]
    assert len(pairs) == len(set(pairs))


def test_what_is_accepted_by_kind_stands_on_every_resource_of_the_kind(templates: Templates) -> None:
    for template in templates.values():
        rules = {(name, rule) for name, _, rule, _ in skipped({"": template})}
        for name, resource in template["Resources"].items():
            for rule in BY_KIND.get(resource["Type"], {}):
                assert (name, rule) in rules


def test_the_configuration_skips_nothing_and_asks_the_network_for_nothing() -> None:
    settings = yaml.safe_load(Path(".checkov.yaml").read_text())
    assert not {name for name in settings if name.startswith(("skip-check", "soft-fail", "check", "baseline", "skip-path"))}
    assert settings["skip-download"] is True
    assert settings["download-external-modules"] is False

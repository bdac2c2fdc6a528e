"""The state machines' YAML: no anchor without use, and what states share is written once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import yaml

from stacks.definitions import FOLDER, load_definition

FILES = sorted(FOLDER.glob("*.asl.yaml"))
ASL_MEMBERS = {"Comment", "QueryLanguage", "TimeoutSeconds", "StartAt", "States"}


def nodes(node: yaml.Node) -> list[yaml.Node]:
    """A node and all below it; what an alias refers to comes as often as it is referred to."""
    if isinstance(node, yaml.MappingNode):
        return [node, *(found for pair in node.value for part in pair for found in nodes(part))]
    if isinstance(node, yaml.SequenceNode):
        return [node, *(found for part in node.value for found in nodes(part))]
    return [node]


def composed(file: Path) -> yaml.MappingNode:
    root = yaml.compose(file.read_text(encoding="utf-8"))
    assert isinstance(root, yaml.MappingNode)
    return root


def member(node: yaml.MappingNode, name: str) -> yaml.MappingNode:
    (found,) = [value for key, value in node.value if key.value == name]
    assert isinstance(found, yaml.MappingNode)
    return found


def test_there_are_three() -> None:
    assert [file.name for file in FILES] == ["archive.asl.yaml", "batch.asl.yaml", "train.asl.yaml"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_definition_has_the_members_of_the_language_alone(file: Path) -> None:
    assert set(load_definition(file.name.partition(".")[0])) == ASL_MEMBERS


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_anchor_is_used(file: Path) -> None:
    events = list(yaml.parse(file.read_text(encoding="utf-8")))
    used = Counter(event.anchor for event in events if isinstance(event, yaml.AliasEvent))
    defined = {event.anchor for event in events if isinstance(event, yaml.NodeEvent) and event.anchor}
    assert defined
    assert not defined - set(used)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_what_states_share_stands_once(file: Path) -> None:
    """A retry or catch that two states have is an alias in both: the same node, not an equal one."""
    root = composed(file)
    written: dict[str, set[int]] = {}
    shared = 0
    for node in nodes(member(root, "States")):
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value in ("Retry", "Catch"):
                    written.setdefault(f"{key.value} {yaml.serialize(value)}", set()).add(id(value))
                    shared += id(value) in {id(anchored) for _, anchored in member(root, "Anchors").value}
    assert shared
    assert all(len(ids) == 1 for ids in written.values()), [text for text, ids in written.items() if len(ids) > 1]

"""The synthesized templates of the shipped configs, made once for each worker, with no credentials in sight."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from reco.local.synth import synthesize

Templates = dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cloud assembly of the demo, synthesized without AWS credentials."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("AWS_")}
    try:
        return synthesize(Path("config/movielens.yaml"), tmp_path_factory.mktemp("cdk") / "out")
    finally:
        os.environ.update(kept)


@pytest.fixture(scope="session")
def templates(assembly: Path) -> Templates:
    """Each stack's template by its capability."""
    return {
        path.name.removeprefix("recostack-movielens-").removesuffix(".template.json"): json.loads(path.read_text())
        for path in assembly.glob("*.template.json")
    }

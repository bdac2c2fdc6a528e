"""The definitions of the state machines: `statemachines/<name>.asl.yaml`, Amazon States Language in YAML.

Retries and catches that several states share stand once, under `Anchors`, which is no member of the definition.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[1] / "statemachines"


def load_definition(name: str) -> dict[str, Any]:
    """The definition as Step Functions takes it, with substitutions (`${PlanTraining}`) still in it."""
    definition: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.asl.yaml").read_text(encoding="utf-8"))
    del definition["Anchors"]
    return definition

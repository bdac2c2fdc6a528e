"""One environment for all tests that can share it: each deploys stacks of its own names into it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from localaws.environment import Environment, launch
from tests.localaws.apps import write_app

SPEED = 20.0


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    data = tmp_path_factory.mktemp("localaws")
    owners: dict[str, str] = {}
    with launch(None, data, port=0, api_port=0, personalize=False, speed=SPEED) as running, pytest.MonkeyPatch.context() as patch:
        deploy = running.deploy

        def deploy_own(app: Path, *arguments: Any) -> None:
            """A stack that two modules deploy would be an update of what the first of them left there."""
            module = os.environ["PYTEST_CURRENT_TEST"].split("::")[0]
            for name, artifact in json.loads((app / "manifest.json").read_text())["artifacts"].items():
                if artifact["type"] == "aws:cloudformation:stack":
                    assert owners.setdefault(name, module) == module, f"{owners[name]} has a stack {name} too"
            deploy(app, *arguments)

        patch.setattr(running, "deploy", deploy_own)
        yield running


@pytest.fixture
def localaws_log(environment: Environment) -> Callable[[], str]:
    """What the environment has printed so far."""
    logs = environment._data / "logs"
    return lambda: "".join(path.read_text() for path in logs.glob("*.log"))


@pytest.fixture
def deploy(environment: Environment, tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Deploys one stack and returns its outputs."""

    def deploy_stack(name: str, resources: dict[str, Any], outputs: dict[str, Any] | None = None, **more: Any) -> dict[str, str]:
        app = write_app(tmp_path / "app", {"name": name, "resources": resources, "outputs": outputs or {}, **more})
        environment.deploy(app)
        return environment.outputs(name)

    return deploy_stack

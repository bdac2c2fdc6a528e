"""One environment for all tests that can share it: each deploys stacks of its own names into it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from localaws.environment import Environment, launch
from tests.localaws.apps import write_app

T = TypeVar("T")
SPEED = 20.0


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    data = tmp_path_factory.mktemp("localaws")
    with launch(None, data, port=0, api_port=0, personalize=False, speed=SPEED) as running:
        yield running


@pytest.fixture
def deploy(environment: Environment, tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Deploys one stack and returns its outputs."""

    def deploy_stack(name: str, resources: dict[str, Any], outputs: dict[str, Any] | None = None, **more: Any) -> dict[str, str]:
        app = write_app(tmp_path / "app", {"name": name, "resources": resources, "outputs": outputs or {}, **more})
        environment.deploy(app)
        return environment.outputs(name)

    return deploy_stack


def eventually(check: Callable[[], T], seconds: float = 15) -> T:
    """The first true value that `check` gives; fails if it gives none in time."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"nothing came within {seconds} s; the last answer was {found!r}")
        time.sleep(0.05)

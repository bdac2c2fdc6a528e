"""Fixtures that give each test, or each session, an Amazon Personalize of its own; pytest finds them by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

if TYPE_CHECKING:
    from personalize_emulator.emulator import PersonalizeEmulator  # NumPy and SciPy: only tests that use it wait for them

StartEmulator: TypeAlias = "Callable[..., PersonalizeEmulator]"


@pytest.fixture(scope="session")
def start_personalize(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartEmulator]:
    """A function that starts emulators, with the arguments of PersonalizeEmulator; all end with the session.

    The state is in a new temporary directory unless `data` is given.
    """
    from personalize_emulator.emulator import PersonalizeEmulator

    started: list[PersonalizeEmulator] = []

    def start(data: Path | None = None, **options: Any) -> PersonalizeEmulator:
        emulator = PersonalizeEmulator(data or tmp_path_factory.mktemp("personalize"), **options)
        started.append(emulator)
        emulator.start()
        return emulator

    yield start
    for emulator in started:
        emulator.stop()


@pytest.fixture
def personalize_emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PersonalizeEmulator]:
    """An empty emulator for one test, to which the boto3 clients that the test makes go by themselves."""
    from personalize_emulator.emulator import PersonalizeEmulator

    with PersonalizeEmulator(tmp_path / "personalize", speed=1000) as emulator:
        for service in ("PERSONALIZE", "PERSONALIZE_RUNTIME", "PERSONALIZE_EVENTS"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", emulator.endpoint)
        for name, value in (
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
        ):
            monkeypatch.setenv(name, value)
        yield emulator

"""Fixtures that give tests an Amazon Personalize of their own; pytest finds them by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

if TYPE_CHECKING:  # NumPy and SciPy: only tests that use the emulator wait for them
    from personalize_emulator.emulator import PersonalizeEmulator
    from personalize_emulator.shop import TrainedShop

StartEmulator: TypeAlias = "Callable[..., PersonalizeEmulator]"
_SPEED = 1000
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


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


@pytest.fixture(scope="session")
def personalize_s3() -> Iterator[str]:
    """The address of an S3 for the session, of moto: the test's clients and the jobs of `personalize_emulator` go there."""
    try:
        from moto.server import ThreadedMotoServer
    except ImportError:
        pytest.fail("The fixture personalize_s3 needs moto: pip install moto[s3]", pytrace=False)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def personalize_emulator(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PersonalizeEmulator]:
    """An empty emulator for one test, to which the boto3 clients that the test makes go by themselves.

    Its jobs read and write the S3 of `personalize_s3` where the test has that fixture too, else the folder `s3` of `tmp_path`:
    s3://bucket/key is the file tmp_path / "s3" / "bucket" / "key".
    """
    from personalize_emulator.emulator import PersonalizeEmulator

    s3 = request.getfixturevalue("personalize_s3") if "personalize_s3" in request.fixturenames else None
    for name, value in _CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    if s3:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3)
    folder = None if s3 else tmp_path / "s3"
    with PersonalizeEmulator(tmp_path / "personalize", speed=_SPEED, s3_root=folder) as emulator:
        for service in ("PERSONALIZE", "PERSONALIZE_RUNTIME", "PERSONALIZE_EVENTS"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", emulator.endpoint)
        yield emulator


@pytest.fixture(scope="session")
def personalize_shop(start_personalize: StartEmulator, tmp_path_factory: pytest.TempPathFactory) -> TrainedShop:
    """A small shop for the session, imported, trained and with a campaign: its ARNs, and clients.

    See personalize_emulator.shop for what is in it.
    """
    from personalize_emulator.shop import train_shop

    folder = tmp_path_factory.mktemp("s3")
    return train_shop(start_personalize(speed=_SPEED, s3_root=folder).endpoint, folder)

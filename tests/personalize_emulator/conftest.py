"""An S3 and an emulator for each worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from moto.server import ThreadedMotoServer

from personalize_emulator.pytest_plugin import StartEmulator
from personalize_emulator.quotas import Quotas
from tests.personalize_emulator.journey import BUCKET, Client

NewClient = Callable[..., Client]


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def new_client(start_personalize: StartEmulator, s3_endpoint: str) -> NewClient:
    """A function that starts an emulator and gives a client of it."""

    def new(**options: object) -> Client:
        options = {"speed": 1000, "environment": {"AWS_ENDPOINT_URL_S3": s3_endpoint}} | options
        client = Client(start_personalize(**options).endpoint, s3_endpoint)
        client.s3.create_bucket(Bucket=BUCKET)
        return client

    return new


@pytest.fixture(scope="session")
def client(new_client: NewClient) -> Client:
    """One emulator for the tests of a worker that leave each other's resources alone."""
    return new_client(
        quotas=Quotas(
            dataset_groups=100, pending_import_jobs=100, solutions_per_dataset_group=100, campaigns_per_dataset_group=100
        )
    )


@pytest.fixture(scope="session")
def shop(client: Client) -> str:
    """A dataset group with the small shop; only for tests that do not change its datasets."""
    return client.loaded_group("shop")

"""Experiments: which variant a user has, and the record that the user got it.

A user has the variant that a hash of the experiment's name and the user's id falls to (Kohavi et al., Trustworthy Online
Controlled Experiments, 2020, ch. 4): the same in every worker and at any time, and independent between experiments.
"""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
from concurrent.futures import Future
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.aws.cache import TimedCache
from lambdas.aws.observability import cause, count, logger
from lambdas.config import Experiment
from lambdas.config.events import Exposure, ExposureRecord
from lambdas.serving.recommend.budget import start

if TYPE_CHECKING:
    from lambdas.aws.signed import SignedClient

#: Seconds for which a worker does not record the same exposure again, and how many exposures it remembers.
AGAIN_AFTER, MOST_SHOWN = 3600.0, 20_000
#: Seconds that an answer waits at its end for a record that is on its way; it goes on by itself after that.
LAST_WAIT = 0.02


def variant_of(experiment: Experiment, unit: str) -> str:
    """The variant of a user or session."""
    digest = hashlib.blake2b(f"{experiment.name}\0{unit}".encode(), digest_size=8).digest()
    point = int.from_bytes(digest) / 2**64 * sum(variant.weight for variant in experiment.variants.values())
    for name, variant in experiment.variants.items():
        point -= variant.weight
        if point < 0:
            return name
    return name


class Exposures:
    """The stream that exposures are written to, and those that this worker has written."""

    def __init__(self, client: SignedClient, stream: str) -> None:
        self._client, self._stream = client, stream
        self._shown = TimedCache[Exposure, None](AGAIN_AFTER, MOST_SHOWN)

    def record(self, exposure: Exposure, erased: Future[bool] | None) -> Future[None] | None:
        """Begin to write the exposure to the archive, unless this worker did so within AGAIN_AFTER or the user is erased."""
        if self._shown.fresh(exposure):
            return None
        self._shown.put(exposure, None)
        return start(self._write, exposure, erased)

    def _write(self, exposure: Exposure, erased: Future[bool] | None) -> None:
        """One record into the stream. What fails is counted, and written with the user's next call."""
        unit = exposure.user_id or exposure.session_id or ""
        line = ExposureRecord(received_at=int(time.time() * 1000), id=str(uuid.uuid4()), body=exposure)
        try:
            if erased is None or not erased.result():
                self._client.put_record(
                    StreamName=self._stream,
                    PartitionKey=base64.b64encode(unit.encode()).decode()[:256],
                    Data=line.model_dump_json(exclude_none=True).encode() + b"\n",
                )
        except (ClientError, BotoCoreError) as error:
            self._shown.drop(exposure)
            logger.warning("an exposure was not recorded", extra={"experiment": exposure.experiment, "reason": cause(error)})
            count(ExposureFailed=1)


def finish(running: Future[None] | None) -> None:
    """Give a record that is nearly written the time to be: between two calls, Lambda stops the worker's threads."""
    if running is not None:
        try:
            running.result(LAST_WAIT)
        except TimeoutError:
            logger.info("an exposure is still being written")

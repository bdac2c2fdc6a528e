"""A thread that does the same again and again until it is stopped."""

from __future__ import annotations

import abc
import logging
import threading

_LOG = logging.getLogger(__name__)


class Poller(threading.Thread, abc.ABC):
    """Calls `turn` every `pause` seconds. What one turn raises is logged, and the next comes all the same."""

    def __init__(self, name: str, pause: float) -> None:
        super().__init__(name=name, daemon=True)
        self._pause = pause
        self._stopped = threading.Event()

    @abc.abstractmethod
    def turn(self) -> bool | None:
        """One round; True if there is more to do at once."""

    def run(self) -> None:
        while not self._stopped.is_set():
            try:
                busy = self.turn()
            except Exception as error:
                _LOG.error("%s: %s", self.name, error)
                _LOG.debug("%s", self.name, exc_info=True)
                busy = False
            if not busy:
                self._stopped.wait(self._pause)

    def stop(self) -> None:
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    def wait(self, seconds: float) -> None:
        """Sleeps, but not beyond the stop."""
        self._stopped.wait(seconds)

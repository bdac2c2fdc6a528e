"""All that is kept of an environment, service by service: what installs itself, restores itself, and lets old things go."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from localaws.clients import Aws
from localaws.persistence.buckets import Buckets
from localaws.persistence.database import Database
from localaws.persistence.executions import Executions
from localaws.persistence.identities import Identities
from localaws.persistence.journal import Journal
from localaws.persistence.logs import Logs
from localaws.persistence.metrics import Metrics
from localaws.persistence.parameters import Parameters
from localaws.persistence.queues import Queues
from localaws.persistence.stacks import Stacks
from localaws.persistence.streams import Streams
from localaws.persistence.tables import Tables
from localaws.poller import Poller
from personalize_emulator.http_server import Environ, WsgiApp

_LOG = logging.getLogger(__name__)
_PAUSE_SECONDS = 60.0


class State:
    """Made before moto's services are used; `restore` is called once they are served, and before anything polls them."""

    def __init__(self, aws: Aws, database: Database, folder: Path) -> None:
        self.journal = Journal(database)
        self._identities = Identities(database)
        self.stacks = Stacks(aws, database)
        self._logs, self._metrics = Logs(aws, database), Metrics(database)
        self._executions = Executions(self.journal)
        self._streams = Streams(aws, self.journal)
        self._tables = Tables(aws, self.journal)
        self._buckets = Buckets(aws, self.journal, folder / "objects")
        self._parameters = Parameters(aws, self.journal)
        self._queues = Queues(aws, self.journal)

    def install(self) -> None:
        every = (self._identities, self.stacks, self._logs, self._metrics, self._executions, self._streams)
        for each in (*every, self._tables, self._buckets, self._parameters, self._queues):
            each.install()

    def restore(self) -> None:
        """Put everything back, without calling anybody. Raises LocalAwsError."""
        stacks = self.stacks
        stacks.read()
        self._tables.restore(stacks.physical_ids("AWS::DynamoDB::Table"))
        self._buckets.restore(stacks.physical_ids("AWS::S3::Bucket"))
        self._streams.restore(stacks.physical_ids("AWS::Kinesis::Stream"))
        self._queues.restore({url.rsplit("/", 1)[-1] for url in stacks.physical_ids("AWS::SQS::Queue")})
        self._parameters.restore(stacks.physical_ids("AWS::SSM::Parameter"))
        self.journal.forget()  # what was put back is on disk
        stacks.restore()

    def upkeep(self, app: Any) -> Poller:
        """What lets old things go, once a minute; `app` answers each service's calls one at a time, and waits meanwhile."""
        return _Upkeep(app, self._tables, (self._streams, self._logs, self._metrics, self._executions))


class _Upkeep(Poller):
    def __init__(self, app: Any, tables: Tables, others: Iterable[Any]) -> None:
        super().__init__("upkeep", pause=_PAUSE_SECONDS)
        self._app = app
        self._tables = tables
        self._others = others

    def turn(self) -> None:
        with self._app.exclusively("dynamodb"):
            self._tables.expire()
        for each in self._others:
            each.expire()


def saving(app: WsgiApp, journal: Journal) -> WsgiApp:
    """An application whose calls are answered once what they changed is on disk."""

    def answer(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        with journal.apart():
            found = app(environ, start_response)
            try:
                journal.save()
            except (sqlite3.Error, OSError) as error:
                _LOG.error("The state could not be written: %s", error)
                start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
                return [b"What this call changed could not be written to disk."]
            return found

    return answer

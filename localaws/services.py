"""Everything that runs on moto: its server, the Lambda workers, the API Gateway front, the pollers.

Importing this module takes seconds, since it imports moto; `localaws.server` does it late.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Callable

from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.http_proxy import ProxyMiddleware

from localaws import patching
from localaws.clients import Aws
from localaws.cloudwatch import usage
from localaws.cloudwatch.logs import LogWriter
from localaws.cloudwatch.meter import Meter
from localaws.cloudwatch.services import CampaignMetrics, QueueMetrics, counting_calls
from localaws.gateway.checks import MAX_BODY_BYTES
from localaws.gateway.front import Front
from localaws.iam.actions import Caller
from localaws.iam.enforcement import Enforcement
from localaws.iam.permissions import Permissions
from localaws.iam.policies import Access
from localaws.moto import app, events, iam, parameters, queues, stepfunctions
from localaws.moto.cloudformation import catalogue, engine
from localaws.moto.glue import GlueJobs
from localaws.moto.lambda_functions import LambdaService
from localaws.persistence.database import Database
from localaws.persistence.state import State, saving
from localaws.persistence.streams import Positions
from localaws.poller import Poller
from localaws.settings import Settings, personalize_environ
from localaws.tls import HttpsServer, make_certificate
from localaws.triggers import admin
from localaws.triggers.delivery_streams import DeliveryStreams
from localaws.triggers.mappings import EventSourceMappings
from localaws.triggers.schedules import Schedules
from localaws.workers.function import CodeStore, Function
from localaws.workers.pool import WorkerPool
from localaws.workers.worker import HTTPS_PORT
from personalize_emulator.http_gate import Gate
from personalize_emulator.http_server import Environ, HttpServer, WsgiApp

_PROXY_SECONDS = 60
_DEPLOYMENTS = re.compile(r"/restapis/(\w+)/deployments/?")
_MOST_UPLOAD = 5 << 30  # of one PUT to S3. docs: AmazonS3/latest/userguide/upload-objects.html


class Services:
    """Replaces moto's gaps, then serves. Only one can exist in a process, since moto is global."""

    def __init__(
        self,
        settings: Settings,
        aws: Aws,
        database: Database,
        personalize_endpoint: str | None,
        note: Callable[[str, Access, bool], None],
    ) -> None:
        """`note` writes down what roles do."""
        patching.check_version()
        for name in ("werkzeug", "moto"):
            logging.getLogger(name).setLevel(logging.ERROR)
        logging.getLogger("moto.stepfunctions").setLevel(logging.CRITICAL)  # an execution's history says why it failed
        self._settings = settings
        self._aws = aws
        self._note = note
        self._state = State(aws, database, settings.state)
        self._personalize_endpoint = personalize_endpoint
        self._resources = contextlib.ExitStack()

    def start(self, port: int) -> str:
        """Serves the AWS APIs on `port` and the front on its own; returns the front's endpoint."""
        aws, speed = self._aws, self._settings.speed
        environ = {**aws.environ(), **personalize_environ(self._personalize_endpoint)}
        logs = LogWriter(aws)
        self._run(logs)
        meter = Meter(aws)
        self._run(meter)
        policies, certificate = iam.Policies(aws), make_certificate(self._settings.data / "tls")
        secure = int(aws.secure_endpoint.rsplit(":", 1)[-1])
        permissions = Permissions(Caller(aws.region, aws.account), policies, self._settings.enforced, self._note)

        def of_function(function: Function) -> dict[str, str]:
            own = aws.credentials(function.role, "lambda", session=function.name)
            return {**environ, **certificate.environ(), HTTPS_PORT: str(secure), **own.environ()}

        pool = WorkerPool(CodeStore(self._settings.data / "lambda"), of_function, logs.add)
        self._resources.callback(pool.close)
        self._functions = LambdaService(aws, pool, meter, permissions, speed)
        self._functions.install()
        stepfunctions.install(aws, speed)
        engine.install(aws, catalogue.PROVIDERS, self._state.stacks.kept_resource)
        self._state.install()
        app.install()
        iam.install()
        queues.install()
        parameters.install()
        usage.install(meter)
        jobs = GlueJobs(aws, self._settings.data / "glue", logs, permissions)
        self._resources.callback(jobs.close)
        jobs.install()
        targets = events.install(aws, self._functions, permissions)
        schedules = Schedules(aws, targets)
        delivery_streams = DeliveryStreams(aws, meter, self._state.journal, speed)

        elsewhere = {"personalize": _proxy(self._personalize_endpoint)} if self._personalize_endpoint else {}
        enforcement, front = Enforcement(permissions, policies), Front(aws, self._functions)

        def answered(service: str, request: Environ) -> None:
            made = _DEPLOYMENTS.fullmatch(request["PATH_INFO"]) if service == "apigateway" else None
            if made and request["REQUEST_METHOD"] == "POST":
                front.keep_deployments(made[1])
            elif service == "iam":
                policies.forget()

        moto = app.LockedApp(elsewhere, lambda backend: saving(backend, self._state.journal), enforcement.refuse, answered)
        with_admin = DispatcherMiddleware(moto, {admin.PATH: admin.Admin(schedules, permissions)})
        aws.serve_here(with_admin)
        self._serve(HttpServer(with_admin, port=port, admit=Gate(), most_body=_MOST_UPLOAD))
        self._serve(HttpsServer(with_admin, port=secure, admit=Gate(), most_body=_MOST_UPLOAD, context=certificate.context()))
        counted = counting_calls(front, aws, meter)
        front_server = HttpServer(counted, port=self._settings.api_port, admit=front.admit, most_body=MAX_BODY_BYTES)
        self._serve(front_server)
        self._state.restore()
        mappings = EventSourceMappings(aws, self._functions, targets, Positions(self._state.journal), speed)
        for poller in (schedules, delivery_streams, mappings, QueueMetrics(aws, meter), self._state.upkeep(moto)):
            self._run(poller)
        if self._personalize_endpoint:
            self._run(CampaignMetrics(meter, self._personalize_endpoint))
        return front_server.url

    def _serve(self, server: HttpServer) -> None:
        self._resources.callback(server.stop)
        server.start()

    def _run(self, poller: Poller) -> None:
        self._resources.callback(poller.stop)
        poller.start()

    def warm_functions(self) -> None:
        """Starts a worker of every function in the background."""
        self._functions.warm()

    def stop(self) -> None:
        logging.disable(logging.CRITICAL)  # what fails from here on fails because it is being stopped
        self._resources.close()


def _proxy(target: str) -> WsgiApp:
    """Passes requests on to `target` (http://host:port), so that one endpoint serves all; 502 if that does not answer."""
    proxy = ProxyMiddleware(NotFound(), {}, timeout=_PROXY_SECONDS)
    options = {"target": target, "remove_prefix": False, "host": "<auto>", "headers": {}}
    return lambda environ, start_response: proxy.proxy_to(options, environ["PATH_INFO"], "/")(environ, start_response)

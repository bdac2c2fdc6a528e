"""The command line of `python -m localaws`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from localaws import deploy, interruption, processes, state
from localaws.errors import LocalAwsError, sentence
from localaws.iam import calls
from localaws.persistence.database import forget
from localaws.server import Server
from localaws.settings import Settings


def main() -> NoReturn:
    """Runs the local AWS environment in the foreground until SIGINT or SIGTERM, whose handlers raise KeyboardInterrupt."""
    arguments = _parser().parse_args()
    if arguments.end_with_parent:
        processes.end_with_parent()
    code = 0
    try:
        _run(arguments)
    except KeyboardInterrupt:
        pass
    except LocalAwsError as error:
        _report(arguments.json, "error", str(error))
        code = 1
    except OSError as error:
        _report(arguments.json, "error", f"The local AWS environment could not start: {sentence(error)}")
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # moto's execution threads are not daemons: a plain exit would wait for a running state machine


def _run(arguments: argparse.Namespace) -> None:
    settings = Settings(
        data=arguments.data.resolve(),
        state=(arguments.state or arguments.data / "state").resolve(),
        port=arguments.port,
        api_port=arguments.api_port,
        personalize_port=arguments.personalize_port,
        region=arguments.region,
        account=arguments.account,
        speed=arguments.speed,
        personalize=arguments.personalize,
    )

    def progress(message: str) -> None:
        interruption.check()
        _report(arguments.json, "progress", message)

    with state.exclusive(settings.data):
        if arguments.fresh:
            forget(settings.state)
        server = Server(settings, progress)
        try:
            _serve(server, settings, arguments.app, progress, arguments.json)
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not interrupt the stopping
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            server.stop()


def _serve(server: Server, settings: Settings, app: Path | None, progress: Callable[[str], None], as_json: bool) -> NoReturn:
    started = time.monotonic()
    if app is not None:
        deploy.read_assembly(app)  # what is wrong with it is told before anything starts
    server.start()
    progress(f"the local AWS environment answers after {time.monotonic() - started:.1f} s")
    if app is not None:
        deploy.deploy(server.aws, app, progress)
        if calls.HERE in os.environ:
            calls.keep_policies(Path(os.environ[calls.HERE]), server.aws.client)
        server.warm_functions()
    current = {
        "pid": os.getpid(),
        "aws_endpoint": server.aws.endpoint,
        "front_endpoint": server.front_endpoint,
        "personalize_endpoint": server.personalize_endpoint,
        **state.describe(server.aws, server.front_endpoint),
        "region": settings.region,
        "account": settings.account,
        "speed": settings.speed,
        "calls": os.environ.get(calls.HERE),
    }
    state.write(settings.data, current)
    _report(as_json, "ready", _endpoints(current), current)
    while True:  # a signal that the system hands to another thread is noticed only when this one wakes up
        interruption.check()
        time.sleep(0.2)


def _endpoints(current: dict[str, Any]) -> str:
    lines = [
        "ready",
        f"  AWS          {current['aws_endpoint']}",
        f"  Personalize  {current['personalize_endpoint'] or 'not started'}",
        *(f"  API {name}  {url}" for name, url in current["apis"].items()),
        "Press Ctrl-C to stop.",
    ]
    return "\n".join(lines)


def _report(as_json: bool, kind: str, message: str, current: dict[str, Any] | None = None) -> None:
    if as_json:
        print(
            json.dumps({"event": kind, "message": message, **({"state": current} if current else {})}),
            flush=True,
        )
    else:
        print(message, file=sys.stderr if kind == "error" else sys.stdout, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m localaws", description="A local AWS environment for a synthesized CDK app.")
    parser.add_argument("--app", type=Path, help="the cloud assembly to deploy, e.g. cdk.out")
    parser.add_argument(
        "--data", type=Path, default=Path(".localaws"), help="by which a running environment is found (default: .localaws)"
    )
    parser.add_argument("--state", type=Path, help="what is there again after a restart (default: the folder state of --data)")
    parser.add_argument("--fresh", action="store_true", help="forget the state of earlier runs")
    parser.add_argument("--port", type=int, default=4566, help="port of the AWS APIs; 0 takes any free one")
    parser.add_argument("--api-port", type=int, default=4567, help="port of the API Gateway front")
    parser.add_argument("--personalize-port", type=int, default=4568, help="port of the Personalize emulator")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--account", default="123456789012")
    parser.add_argument("--speed", type=float, default=1.0, help="clock factor: waits take this many times less")
    parser.add_argument("--no-personalize", dest="personalize", action="store_false", help="run without the emulator")
    parser.add_argument("--json", action="store_true", help="progress as JSON lines")
    parser.add_argument("--end-with-parent", action="store_true", help="stop when standard input closes")
    return parser

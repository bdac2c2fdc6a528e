"""python -m personalize_emulator: Amazon Personalize on this machine, until it is stopped by a signal."""

import argparse
import errno
import json
import logging
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from threadpoolctl import threadpool_limits

from personalize_emulator.emulator import DEFAULT_ACCOUNT, DEFAULT_REGION, DEFAULT_SPEED, PersonalizeEmulator
from personalize_emulator.http_server import WsgiApp
from personalize_emulator.quotas import Quotas
from personalize_emulator.resources.records import StateInUse
from personalize_emulator.shop import train_shop


def main(around: Callable[[WsgiApp], WsgiApp] = lambda app: app) -> int:
    """Serves until a signal comes. `around`: see PersonalizeEmulator."""
    options = _parser().parse_args()
    if options.shop and options.s3_root is None:
        options.s3_root = options.data / "s3"
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        emulator = PersonalizeEmulator(
            options.data,
            host=options.host,
            port=options.port,
            account=options.account,
            region=options.region,
            speed=options.speed,
            quotas=Quotas().changed(options.quotas),
            durations=options.durations,
            filter_lag=options.filter_lag,
            s3_root=options.s3_root,
            around=around,
        )
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        print(f"port {options.port} is in use: give another one with --port", file=sys.stderr)
        return 1
    except (ValueError, StateInUse) as error:
        print(f"personalize: {error}", file=sys.stderr)
        return 2
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    threadpool_limits(1)  # calls are many and small: more threads in each would only get in each other's way
    emulator.start()
    print(f"Amazon Personalize is ready at {emulator.endpoint}", flush=True)
    if options.shop:
        shop = train_shop(emulator.endpoint, options.s3_root)
        print(json.dumps(asdict(shop), indent=2), flush=True)
    stopped.wait()
    emulator.stop()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="personalize-emulator", description=__doc__)
    parser.add_argument("--port", type=int, default=4568, help="0 takes any free port (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(".personalize"),
        metavar="DIR",
        help="directory of the state; made if it does not exist (default: %(default)s)",
    )
    parser.add_argument(
        "--shop",
        action="store_true",
        help="load and train a small shop, and print its ARNs as JSON; without --s3-root its files are in DIR/s3 of --data",
    )
    parser.add_argument("--s3-root", type=Path, metavar="DIR", help="read and write s3://bucket/key as the file DIR/bucket/key")
    parser.add_argument("--account", default=DEFAULT_ACCOUNT, help="AWS account id (default: %(default)s)")
    parser.add_argument("--region", default=DEFAULT_REGION, help="AWS region (default: %(default)s)")
    parser.add_argument(
        "--speed",
        type=float,
        default=DEFAULT_SPEED,
        help="how many times faster than simulated time resources change their states (default: %(default)s)",
    )
    parser.add_argument("--durations", type=json.loads, default={}, help='simulated seconds, as JSON: {"campaign": [20, 180]}')
    parser.add_argument("--filter-lag", type=float, default=0.0, help="simulated seconds until filters see an event (default: 0)")
    parser.add_argument("--quotas", type=json.loads, default={}, help='as JSON: {"dataset_groups": 20}')
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""TCP ports on 127.0.0.1."""

from __future__ import annotations

import socket

from localaws.errors import LocalAwsError


def check_port(port: int, flag: str) -> None:
    """Raises LocalAwsError if `port` cannot be bound; `flag` is the option that would choose another."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise LocalAwsError(
                f"Port {port} is in use by another program: stop it, or choose another with {flag} (0 takes any free one)."
            ) from error


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

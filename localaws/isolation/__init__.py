"""Keeps what runs here on this machine: functions, jobs and the emulator reach neither AWS nor the machine's AWS credentials.

A function that bundles a boto3 older than 1.28 does not know `AWS_ENDPOINT_URL`, and would ask AWS itself, with whatever
credentials it finds. LOCALAWS_NETWORK=open lets everything through.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_OPEN = os.environ.get("LOCALAWS_NETWORK") == "open"
_FOLDER = Path(__file__).parent
_DOMAINS = ("amazonaws.com", "amazonaws.com.cn", "api.aws")
#: docs: sdkref/latest/guide/feature-imds-credentials.html, sdkref/latest/guide/feature-container-credentials.html
_METADATA = frozenset({"169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23"})
_EVENTS = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "socket.sendto"})
#: The first botocore that knows AWS_ENDPOINT_URL; it came with boto3 1.28.
_FIRST_BOTOCORE = (1, 31)


class OutOfReach(Exception):
    """A call that would have left the machine. No OSError: libraries would take it for a network that fails, and try again."""


def environ(inherited: Mapping[str, str]) -> dict[str, str]:
    """The variables of a process, without what leads to the machine's own AWS account; they keep its children in, too."""
    kept = {name: value for name, value in inherited.items() if not name.startswith("AWS_")}
    nothing = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "BOTO_CONFIG"), os.devnull)
    if _OPEN:
        return kept | nothing | {"LOCALAWS_NETWORK": "open"}
    return {
        **kept,
        **nothing,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NODE_OPTIONS": f"{inherited.get('NODE_OPTIONS', '')} --require {_FOLDER / 'node.cjs'}".strip(),
        "PYTHONPATH": python_path(*filter(None, inherited.get("PYTHONPATH", "").split(os.pathsep))),
    }


def python_path(*entries: str) -> str:
    """A PYTHONPATH with which every Python keeps itself in: it imports `sitecustomize` when it starts."""
    own = [] if _OPEN else [str(_FOLDER / "python")]
    return os.pathsep.join([*own, *(entry for entry in entries if entry not in own)])


def java_options(folder: Path) -> str:
    """Options with which a JVM looks names up in a file in `folder`, which knows this machine alone, and not in the network."""
    if _OPEN:
        return ""
    hosts = folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {socket.gethostname()}\n")
    return f'"-Djdk.net.hosts.file={hosts}"'


def keep_in() -> None:
    """From now on, and for good, this process can't look up AWS's names, nor ask for the machine's credentials."""
    if not _OPEN:
        sys.addaudithook(_check)


def _check(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _EVENTS:
        address = arguments[0] if event.startswith("socket.get") else arguments[1]
        host = address[0] if isinstance(address, tuple) and address else address
        host = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        if isinstance(host, str):
            _refuse_if_aws(host.rstrip(".").lower())


def _refuse_if_aws(host: str) -> None:
    if host in _METADATA or any(host == domain or host.endswith(f".{domain}") for domain in _DOMAINS):
        raise OutOfReach(
            f"{host} can't be reached from the local AWS environment: {_remedy()} (LOCALAWS_NETWORK=open lets it through.)"
        )


def _remedy() -> str:
    botocore, boto3 = (getattr(sys.modules.get(name), "__version__", None) for name in ("botocore", "boto3"))
    if botocore is None:
        return "let the call go to the address in AWS_ENDPOINT_URL."
    version = tuple(int(part) for part in botocore.split(".")[:2])
    named = f"boto3 {boto3}" if boto3 else f"botocore {botocore}"
    if version < _FIRST_BOTOCORE:
        return f"{named} does not know AWS_ENDPOINT_URL. Bundle boto3 1.28 or newer, or none, to have that of the runtime."
    return f"{named} was told another address. Leave endpoint_url, use_fips_endpoint and the like out, or unset them."

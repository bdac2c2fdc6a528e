"""What an environment is started with."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """`data` is where a running environment is found, `state` what is there again after a restart. Port 0 takes any free one;
    `speed` is the factor of the clock. `enforced`: whether a call that a role is not allowed is refused."""

    data: Path
    state: Path
    port: int = 4566
    api_port: int = 4567
    personalize_port: int = 4568
    region: str = "us-east-1"
    account: str = "123456789012"
    speed: float = 1.0
    personalize: bool = True
    enforced: bool = field(default_factory=lambda: os.environ.get("LOCALAWS_IAM") != "off")


def personalize_environ(endpoint: str | None) -> dict[str, str]:
    """The variables with which SDKs address the Personalize emulator directly: it is on the way of every request."""
    names = ("PERSONALIZE", "PERSONALIZE_RUNTIME", "PERSONALIZE_EVENTS")
    return {f"AWS_ENDPOINT_URL_{name}": endpoint for name in names} if endpoint else {}

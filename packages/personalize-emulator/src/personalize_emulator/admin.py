"""The admin endpoint, below /_emulator and for callers on this machine only: clock, quotas, faults, reset."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, NoReturn

from personalize_emulator.resources.context import Context
from personalize_emulator.service import Service

PREFIX = "/_emulator"
_LOOPBACK = ("127.", "::1", "::ffff:127.")


class Admin:
    """GET /_emulator shows the settings; PUT changes those that its JSON body names; POST /_emulator/reset
    forgets all resources, data and faults.

    Settings: speed (number), durations ({work: [pending, in progress]} in simulated seconds), quotas
    ({name: count}) and faults (a list, see faults.Fault; it replaces the present one).
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def handle(self, method: str, path: str, body: bytes, caller: str) -> tuple[int, dict[str, Any]]:
        """HTTP status and JSON answer of a request to a path below PREFIX."""
        if not caller.startswith(_LOOPBACK):
            return 403, {"message": "the admin endpoint answers callers on this machine only"}
        match method, path.removeprefix(PREFIX).strip("/"):
            case "GET", "":
                return 200, _shown(self._service.context)
            case "PUT", "":
                try:
                    _change(self._service.context, json.loads(body, parse_constant=_no_number))
                except (ValueError, RecursionError) as error:
                    return 400, {"message": str(error)}
                return 200, _shown(self._service.context)
            case "POST", "reset":
                self._service.reset()
                return 200, {}
        return 404, {"message": f"there is no {method} {path}; there are GET and PUT {PREFIX}, POST {PREFIX}/reset"}


def _shown(context: Context) -> dict[str, Any]:
    return {
        "account": context.account,
        "region": context.region,
        "speed": context.clock.speed,
        "durations": context.clock.durations,
        "quotas": asdict(context.quotas),
        "faults": context.faults.shown(),
        "calls": context.calls.shown(),
    }


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _change(context: Context, settings: Any) -> None:
    """Raises ValueError naming the setting that can't be; then none is changed."""
    settings = _checked(settings, Mapping, "the body must be a JSON object")
    known = ("speed", "durations", "quotas", "faults")
    for name in settings:
        if name not in known:
            raise ValueError(f"unknown setting '{name}'; there are: {', '.join(known)}")
    clock, quotas = context.clock, context.quotas
    speed = clock.checked_speed(settings.get("speed", clock.speed))
    durations = clock.checked_durations(_checked(settings.get("durations", {}), Mapping, "durations must be a JSON object"))
    quotas = quotas.changed(_checked(settings.get("quotas", {}), Mapping, "quotas must be a JSON object"))
    if "faults" in settings:
        context.faults.replace(_checked(settings["faults"], list, "faults must be a list"))
    clock.speed, clock.durations, context.quotas = speed, durations, quotas


def _checked(value: Any, kind: type, otherwise: str) -> Any:
    if not isinstance(value, kind):
        raise ValueError(otherwise)
    return value

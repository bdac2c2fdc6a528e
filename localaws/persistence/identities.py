"""Names and ids that are random in AWS: here they are the same after a restart, and others in another environment."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable
from typing import Any

from localaws.patching import intercept, locate, replace
from localaws.persistence.database import Database

_PARSING = "moto.cloudformation.parsing"
#: Resources whose random ids a client may know: the address of an API, what belongs to a key.
_STABLE_IDS = frozenset({"rest_api", "api_key"})


class Identities:
    """Derives them from a secret that is made with the state."""

    def __init__(self, database: Database) -> None:
        kept = database.read("secret", "").get("")
        if kept is None:
            kept = secrets.token_hex(32)
            database.write({("secret", "", ""): kept})
        self._secret = bytes.fromhex(kept)
        self._of_thread = threading.local()

    def derive(self, *what: str, length: int = 40) -> str:
        """Hexadecimal digits for something."""
        return hmac.new(self._secret, "\0".join(what).encode(), hashlib.sha256).hexdigest()[:length]

    def install(self) -> None:
        """Lets CloudFormation's generated names and the ids of APIs and keys be derived."""
        intercept(f"{_PARSING}:generate_resource_name", self._name)
        replace(f"{_PARSING}:random_suffix", lambda: self._of_thread.suffix)
        manager = locate("moto.utilities.id_generator:moto_id_manager")[2]
        manager.add_id_source(lambda context: self._id_of(context["resource_identifier"]))

    def _name(self, generate: Callable[..., str], resource_type: str, stack: str, logical_id: str) -> str:
        self._of_thread.suffix = self.derive("name", stack, logical_id, length=12).upper()
        return generate(resource_type, stack, logical_id)

    def _id_of(self, identifier: Any) -> str | None:
        stable = identifier.service == "apigateway" and identifier.resource in _STABLE_IDS and identifier.name
        return self.derive("id", identifier.unique_identifier, length=10) if stable else None

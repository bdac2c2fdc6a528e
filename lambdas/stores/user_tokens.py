"""Tokens with which a page proves which user it asks for: the shop's server signs them, `recommend` verifies them.

`<expiry>.<signature>.<user id>`: seconds since 1970, 64 hex digits, and the id as it is (it may hold dots). The signature is the
HMAC-SHA256 of `<deployment>\\n<expiry>\\n<user id>`, so that a token of one deployment is none of another's.

Secrets Manager holds the secret. A new value makes the former one AWSPREVIOUS: tokens of both are valid until the next.
docs: secretsmanager/latest/userguide/whats-in-a-secret.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time

from lambdas.aws import clients
from lambdas.config import environment
from personalize_rules.limits import MAX_ID

_TOKEN = re.compile(rf"(\d{{1,12}})\.([0-9a-f]{{64}})\.(.{{1,{MAX_ID}}})", re.DOTALL)
_STAGES = ("AWSCURRENT", "AWSPREVIOUS")
#: Seconds for which secrets are kept, and after which a token that they do not explain makes a worker look for newer ones.
_KEPT, _AGAIN = 300.0, 5.0
_secrets: tuple[float, tuple[str, ...]] = (0.0, ())


class InvalidToken(Exception):
    """The token proves nothing; `expired` says that it once did."""

    def __init__(self, message: str, *, expired: bool = False) -> None:
        super().__init__(message)
        self.expired = expired


def sign(deployment: str, user_id: str, expiry: int, secret: str) -> str:
    """A token for the user, valid until `expiry`."""
    message = f"{deployment}\n{expiry}\n{user_id}".encode()
    return f"{expiry}.{hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()}.{user_id}"


def user_of(deployment: str, token: str) -> str:
    """The user whom a token names. Raises InvalidToken, and ClientError or BotoCoreError where the secrets can't be read."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise InvalidToken("is not of the form <expiry>.<signature>.<user id>")
    expiry, user_id = int(found[1]), found[3]
    if not (_explains(deployment, token, secrets()) or _explains(deployment, token, secrets(_AGAIN))):
        raise InvalidToken("is not signed with this deployment's secret")
    if expiry < time.time():
        raise InvalidToken("has expired: the shop's server makes a new one", expired=True)
    return user_id


def _explains(deployment: str, token: str, known: tuple[str, ...]) -> bool:
    """Whether one of the secrets signed the token: all are tried, each in constant time."""
    expiry, _, user_id = token.split(".", 2)
    made = [sign(deployment, user_id, int(expiry), secret).encode() for secret in known]
    return sum(hmac.compare_digest(one, token.encode()) for one in made) > 0


def secrets(older_than: float = _KEPT) -> tuple[str, ...]:
    """The secret that signs, and the one before it if there is one; read again where they are older than so many seconds."""
    global _secrets
    read_at, known = _secrets
    if not known or time.monotonic() - read_at > older_than:
        _secrets = time.monotonic(), (known := _read())
    return known


def _read() -> tuple[str, ...]:
    client, found = clients.prompt_secretsmanager(), []
    for stage in _STAGES:
        try:
            answer = client.get_secret_value(SecretId=environment.current().token_secrets, VersionStage=stage)
        except client.exceptions.ResourceNotFoundException:
            if stage == _STAGES[0]:
                raise
            continue  # it was never rotated
        found.append(str(answer["SecretString"]))
    return tuple(found)


def forget() -> None:
    """Read the secrets anew, as a new worker does."""
    global _secrets
    _secrets = 0.0, ()

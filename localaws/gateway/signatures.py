"""Signature Version 4 on requests to methods with the authorization AWS_IAM. Who the signer is, and whether a policy of theirs
allows the call, is not looked at.

docs: IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hmac
import re
from datetime import UTC, datetime, timedelta

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from localaws.gateway.request import Call, Refusal

_HEADER = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(?P<key>[^/,]+)/(?P<day>\d{8})/(?P<region>[^/,]+)/(?P<service>[^/,]+)/aws4_request, *"
    r"SignedHeaders=(?P<headers>[a-z0-9;_-]+), *Signature=(?P<signature>[0-9a-f]{64})"
)
_AGE = timedelta(minutes=5)
#: The credentials with which everything in the environment signs.
_OWN = "test"


def check_signature(call: Call, region: str) -> None:
    """Raises Refusal unless the request is signed, as it is, with a key that is known here."""
    found = _HEADER.fullmatch(call.request.headers.get("Authorization", ""))
    if found is None:
        raise _refusal("Authorization header requires 'Credential', 'Signature' and 'SignedHeaders' of AWS4-HMAC-SHA256.")
    if (found["region"], found["service"]) != (region, "execute-api"):
        raise _refusal(f"Credential should be scoped to a valid region and to the service execute-api, not {found['service']}.")
    stamp = call.request.headers.get("X-Amz-Date", "")
    if not stamp.startswith(found["day"]) or abs(datetime.now(UTC) - _time(stamp)) > _AGE:
        raise _refusal("Signature expired or not yet current: X-Amz-Date is more than 5 minutes from now.")
    secret = _secret_of(found["key"], call.account)
    if secret is None:
        raise Refusal(
            "ACCESS_DENIED", 403, "The security token included in the request is invalid.", "UnrecognizedClientException"
        )
    if not hmac.compare_digest(_signature(call, found, stamp, Credentials(found["key"], secret)), found["signature"]):
        raise _refusal("The request signature we calculated does not match the signature you provided.")


def _signature(call: Call, found: re.Match[str], stamp: str, credentials: Credentials) -> str:
    """What the signature has to be: botocore's own signer over the request as it arrived."""
    names = [name for name in found["headers"].split(";") if name in call.request.headers]
    raw = call.request.environ.get("RAW_URI") or call.request.full_path
    request = AWSRequest(
        method=call.request.method,
        url=f"{call.request.scheme}://{call.request.host}{raw}",
        headers={name: call.request.headers[name] for name in names},
        data=call.body,
    )
    request.context["timestamp"] = stamp
    signer = SigV4Auth(credentials, found["service"], found["region"])
    return str(signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request))


def _secret_of(key: str, account: str) -> str | None:
    """The secret of an access key: the environment's own, a user's, or that of an assumed role."""
    if key == _OWN:
        return _OWN
    users = iam_backends[account]["aws"].users.values()
    roles = sts_backends[account]["aws"].assumed_roles
    secrets = {entry.access_key_id: entry.secret_access_key for user in users for entry in user.access_keys}
    secrets |= {role.access_key_id: role.secret_access_key for role in roles}
    return secrets.get(key)


def _time(stamp: str) -> datetime:
    try:
        return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def _refusal(message: str) -> Refusal:
    return Refusal("INVALID_SIGNATURE", 403, message, "InvalidSignatureException")

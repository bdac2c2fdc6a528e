"""Holds every request to the AWS APIs against the permissions of whoever signed it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from localaws.clients import SOURCE
from localaws.iam.permissions import Denied, Permissions
from localaws.iam.policies import Access, Principal
from localaws.iam.requests import Asked, asked, denial, signed
from personalize_emulator.http_server import Answer, Environ


class Buckets(Protocol):
    """What S3 knows."""

    def key_of_bucket(self, bucket: str) -> str | None:
        """The customer's KMS key of a bucket."""

    def has_object(self, bucket: str, key: str) -> bool:
        """Whether there is an object."""


class Enforcement:
    """For the server of the AWS APIs: `refuse` sees each request before its service does."""

    def __init__(self, permissions: Permissions, buckets: Buckets) -> None:
        self._permissions = permissions
        self._buckets = buckets

    def refuse(self, environ: Environ) -> Answer | None:
        """The service's answer to a call that is not allowed; None lets it pass."""
        found = signed(environ)
        principal = self._permissions.principal(found.key) if found else None
        if found is None or principal is None:
            return None
        call = asked(found.service, environ)
        source = environ.get(f"HTTP_{SOURCE.upper().replace('-', '_')}", "")
        try:
            self._permissions.check_call(principal, found.service, call.operation, call.parameters, source)
            if found.service == "s3":
                for access in self._key_accesses(principal, call):
                    self._permissions.check(principal, access, source)
                for access in self._when_missing(call):
                    self._permissions.check_quietly(principal, access, source)
        except Denied as denied:
            return denial(found.service, denied.message, environ)
        return None

    def _key_accesses(self, principal: Principal, call: Asked) -> Iterator[Access]:
        """What S3 asks KMS for in the caller's name, where the bucket has a customer's key.

        docs: AmazonS3/latest/userguide/UsingKMSEncryption.html; Personalize looks at the key too:
        personalize/latest/dg/granting-personalize-key-access.html
        """
        action = _KEY_ACTIONS.get(call.operation)
        key = self._buckets.key_of_bucket(str(call.parameters.get("Bucket") or "")) if action else None
        if action and key:
            more = ("kms:DescribeKey", "kms:ListGrants") if principal.arn.endswith("/personalize") else ()
            for each in (action, *more):
                yield Access(each, key, {"kms:ViaService": f"s3.{self._permissions.caller.region}.amazonaws.com"})

    def _when_missing(self, call: Asked) -> Iterator[Access]:
        """Only who may list a bucket learns that an object is not there. docs: AmazonS3/latest/API/API_GetObject.html"""
        bucket, key = str(call.parameters.get("Bucket") or ""), str(call.parameters.get("Key") or "")
        if call.operation in ("GetObject", "HeadObject") and not self._buckets.has_object(bucket, key):
            yield Access("s3:ListBucket", f"arn:aws:s3:::{bucket}")


_KEY_ACTIONS = {
    **dict.fromkeys(("GetObject", "HeadObject"), "kms:Decrypt"),
    **dict.fromkeys(("PutObject", "CopyObject", "CreateMultipartUpload"), "kms:GenerateDataKey"),
    **dict.fromkeys(("UploadPart", "UploadPartCopy", "CompleteMultipartUpload"), "kms:Decrypt"),
}

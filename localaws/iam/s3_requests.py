"""Which call of S3 a request is. docs: AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html

By hand: botocore's description of S3 has no whole paths once a client of S3 was made from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import unescape

from personalize_emulator.http_server import Environ

_OBJECT = re.compile(r"<Object>(.*?)</Object>", re.DOTALL)
_MEMBER = re.compile(r"<(Key|VersionId)>(.*?)</", re.DOTALL)
#: What a name in the query makes of a request for a bucket, or for an object: the part of the operation's name after the verb.
_OF_BUCKETS = {
    "acl": "BucketAcl",
    "cors": "BucketCors",
    "encryption": "BucketEncryption",
    "lifecycle": "BucketLifecycleConfiguration",
    "location": "BucketLocation",
    "logging": "BucketLogging",
    "notification": "BucketNotificationConfiguration",
    "policy": "BucketPolicy",
    "publicAccessBlock": "PublicAccessBlock",
    "tagging": "BucketTagging",
    "versioning": "BucketVersioning",
}
_OF_OBJECTS = {"acl": "ObjectAcl", "attributes": "ObjectAttributes", "tagging": "ObjectTagging"}
_PLAIN = {"GET": "ListObjectsV2", "HEAD": "HeadBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket"}
_PARAMETERS = {"Prefix": "prefix", "Delimiter": "delimiter", "VersionId": "versionId"}


def operation_and_parameters(environ: Environ, body: Callable[[], bytes]) -> tuple[str, dict[str, Any]]:
    """The operation and what permissions are about; `body` reads the body, which only DeleteObjects needs."""
    path = str(environ.get("RAW_URI") or environ["PATH_INFO"]).partition("?")[0]
    bucket, _, key = path.lstrip("/").partition("/")
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    parameters: dict[str, Any] = {name: query[given] for name, given in _PARAMETERS.items() if given in query}
    parameters |= {"Bucket": unquote(bucket), "Key": unquote(key)}
    if "HTTP_X_AMZ_COPY_SOURCE" in environ:
        parameters["CopySource"] = unquote(environ["HTTP_X_AMZ_COPY_SOURCE"])
    verb = environ["REQUEST_METHOD"]
    if not bucket:
        return "ListBuckets", parameters
    if key:
        return _of_object(verb, query, "CopySource" in parameters), parameters
    if verb == "POST" and "delete" in query:
        parameters["Delete"] = {"Objects": [_object(entry) for entry in _OBJECT.findall(body().decode("utf-8", "replace"))]}
        return "DeleteObjects", parameters
    return _of_bucket(verb, query), parameters


def _of_bucket(verb: str, query: Mapping[str, str]) -> str:
    if verb == "GET" and "versions" in query:
        return "ListObjectVersions"
    if verb == "GET" and "uploads" in query:
        return "ListMultipartUploads"
    named = next((name for part, name in _OF_BUCKETS.items() if part in query), None)
    return f"{verb.title()}{named}" if named else _PLAIN.get(verb, "PostObject")


def _of_object(verb: str, query: Mapping[str, str], copies: bool) -> str:
    named = next((name for part, name in _OF_OBJECTS.items() if part in query), None)
    if named:
        return f"{verb.title()}{named}"
    if "uploads" in query and verb == "POST":
        return "CreateMultipartUpload"
    if "uploadId" in query:
        part = "UploadPartCopy" if copies else "UploadPart"
        named_by_verb = {"GET": "ListParts", "PUT": part, "POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload"}
        return named_by_verb.get(verb, verb)
    if verb == "PUT" and copies:
        return "CopyObject"
    return "SelectObjectContent" if "select" in query else f"{verb.title()}Object"


def _object(entry: str) -> dict[str, str]:
    return {name: unescape(text, {"&quot;": '"', "&apos;": "'"}) for name, text in _MEMBER.findall(entry)}

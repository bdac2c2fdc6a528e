"""S3: the bytes of each object in a file of its own, its attributes in a row; and the buckets that no stack made."""

from __future__ import annotations

import hashlib
import mmap
import threading
import types
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from moto.s3.models import FakeDeleteMarker, FakeKey, s3_backends

from localaws.clients import Aws
from localaws.patching import follow, intercept, locate, replace
from localaws.persistence.codec import decode, encode
from localaws.persistence.journal import Journal

_MODELS = "moto.s3.models"
_BACKEND = f"{_MODELS}:S3Backend"
#: Larger objects are mapped into memory instead of read into it.
_LARGE = 16 << 20
_READ = 1 << 20
#: What is kept of an object, beside its bytes, metadata and tags.
_ATTRIBUTES = (
    *("name", "bucket_name", "contentsize", "last_modified", "website_redirect_location", "encryption", "kms_key_id"),
    *("bucket_key_enabled", "lock_mode", "lock_legal_status", "lock_until"),
    *("checksum_algorithm", "checksum_value", "checksum_type", "checksum_parts"),
    *("_storage_class", "_expiry", "_etag", "_version_id", "_is_versioned"),
)
_OF_A_MARKER = ("name", "last_modified", "_version_id")


class Body:
    """The bytes of an object, where moto has a temporary file. They are written once, and go with the object that owns them."""

    def __init__(self, path: Path, *, is_owned: bool = True) -> None:
        self.path = path
        self._is_owned = is_owned
        self._position = 0

    def seek(self, position: int) -> None:
        self._position = position

    def truncate(self) -> None:
        return None

    def write(self, data: bytes | memoryview) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(data)

    def read(self, size: int = -1) -> bytes:
        with self.path.open("rb") as file:
            file.seek(self._position)
            data = file.read(size)
        self._position += len(data)
        return data

    def view(self) -> memoryview:
        with self.path.open("rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    def close(self) -> None:
        """The object has gone."""
        if self._is_owned:
            self.path.unlink(missing_ok=True)


class Buckets:
    """Objects are written with the call that puts them; a bucket that is made finds those that it had."""

    def __init__(self, aws: Aws, journal: Journal, folder: Path) -> None:
        self._account = aws.account
        self._backend = s3_backends[aws.account]["aws"]
        self._journal = journal
        self._folder = folder

    def install(self) -> None:
        replace(f"{_MODELS}:tempfile", types.SimpleNamespace(SpooledTemporaryFile=lambda *_, **__: self._new_body()))
        replace(f"{_MODELS}:FakeKey.value", locate(f"{_MODELS}:FakeKey.value")[2].getter(_value))
        FakeKey.__deepcopy__ = _copied  # type: ignore[attr-defined]
        replace(f"{_MODELS}:FakeMultipart.complete", self._complete)
        intercept("moto.s3.responses:S3Response._handle_range_header", _range_as_bytes)
        intercept("moto.s3.responses:S3Response.key_response", _whole_in_parts)
        follow(f"{_MODELS}:FakeBucket.__init__", self._watching)
        for call in ("put_object_tagging", "put_object_legal_hold", "put_object_retention", "delete_object_tagging"):
            follow(f"{_BACKEND}.{call}", self._changed)
        intercept(f"{_BACKEND}.create_bucket", self._create)
        follow(f"{_BACKEND}.put_bucket_versioning", lambda _, __, name, ___: self._note_bucket(name))
        follow(f"{_BACKEND}.delete_bucket", lambda _, __, name: self._gone(name))

    def restore(self, of_stacks: set[str]) -> None:
        """Make the buckets anew that no stack will make, and delete what a killed process left of a put."""
        for name, text in self._journal.database.read("bucket", "").items():
            if name not in of_stacks:
                kept = decode(text)
                self._backend.create_bucket(name, kept["region"]).versioning_status = kept["versioning"]
        self._sweep()

    def _sweep(self) -> None:
        rows = self._journal.database.query("SELECT value FROM kept WHERE kind = 'object'")
        known = {version.get("body") for (text,) in rows for version in decode(text)}
        for path in self._folder.glob("*/*"):
            if path.name not in known:
                path.unlink()

    def _new_body(self) -> Body:
        return self._body(uuid.uuid4().hex)

    def _body(self, name: str) -> Body:
        return Body(self._folder / name[:2] / name)

    def _watching(self, _: None, bucket: Any, *__: Any, **___: Any) -> None:
        """The bucket's objects, in a store that notes what changes."""
        original = type(bucket.keys)
        note = self._note

        class Keys(original):  # type: ignore[misc, valid-type]
            def __setitem__(self, key: str, value: Any) -> None:
                super().__setitem__(key, value)
                note(bucket.name, key)

            def setlist(self, key: str, list_: Any) -> None:
                super().setlist(key, list_)
                note(bucket.name, key)

            def pop(self, key: str) -> None:
                super().pop(key)
                note(bucket.name, key)

        bucket.keys = Keys()

    def _changed(self, _: Any, __: Any, *arguments: Any, **named: Any) -> None:
        key = next((value for value in (*arguments, *named.values()) if isinstance(value, FakeKey)), None)
        if key is not None and key.bucket_name in self._backend.buckets:
            self._note(key.bucket_name, key.name)

    def _note(self, bucket: str, name: str) -> None:
        def read() -> str | None:
            there = self._backend.buckets.get(bucket)
            versions = there.keys.getlist(name) if there is not None else None
            return encode([self._row(version) for version in versions]) if versions else None

        self._journal.note(("object", bucket, name), read)

    def _row(self, version: Any) -> dict[str, Any]:
        if isinstance(version, FakeDeleteMarker):
            return {name: getattr(version, name) for name in _OF_A_MARKER}
        return {
            **{name: getattr(version, name, None) for name in _ATTRIBUTES},
            "body": version._value_buffer.path.name,
            "metadata": dict(version.metadata),
            "tags": self._backend.tagger.get_tag_dict_for_resource(version.arn),
        }

    def _create(self, create_bucket: Callable[..., Any], backend: Any, name: str, *arguments: Any, **named: Any) -> Any:
        bucket = create_bucket(backend, name, *arguments, **named)
        template = FakeKey("template", b"", self._account, bucket.region_name)
        for key, text in self._journal.database.read("object", name).items():
            versions: list[Any] = []
            for kept in decode(text):
                versions.append(self._made(kept, template) if "body" in kept else _marker(kept, versions[-1]))
            dict.__setitem__(bucket.keys, key, versions)
        self._note_bucket(name)
        return bucket

    def _made(self, kept: dict[str, Any], template: FakeKey) -> Any:
        made: Any = FakeKey.__new__(FakeKey)
        vars(made).update({**vars(template), **{name: kept[name] for name in _ATTRIBUTES}})
        vars(made).update(_value_buffer=self._body(kept["body"]), lock=threading.Lock())
        made._metadata = type(template._metadata)(kept["metadata"])
        if kept["tags"]:
            self._backend.tagger.tag_resource(made.arn, [{"Key": key, "Value": value} for key, value in kept["tags"].items()])
        return made

    def _complete(self, multipart: Any, parts: Iterator[tuple[int, str]]) -> Any:
        """As moto's own, but for the memory: the whole is written to disk part by part."""
        models = locate(f"{_MODELS}:FakeMultipart")[0]
        algorithm, kind = (multipart.metadata.get(f"x-amz-checksum-{what}") for what in ("algorithm", "type"))
        checksum, whole, etags = models.MultipartChecksumBuilder(algorithm, kind), self._new_body(), b""
        whole.write(b"")
        last = None
        with whole.path.open("ab") as file:
            for number, etag in parts:
                part = multipart.parts.get(number)
                if part is None or part.etag.strip('"') != etag.strip('"'):
                    raise models.InvalidPart()
                if last is not None and last.contentsize < models.S3_UPLOAD_PART_MIN_SIZE:
                    raise models.EntityTooSmall()
                etags += bytes.fromhex(part.etag.strip('"'))
                file.write(part.value)
                checksum.addPart(part.value)
                last = part
        if last is None:
            raise models.MalformedXML
        value = whole.view() if whole.path.stat().st_size else b""
        whole.close()  # the file goes with the last view of it
        etag = f"{hashlib.md5(etags, usedforsecurity=False).hexdigest()}-{len(etags) // 16}"
        return value, etag, checksum.build()

    def _note_bucket(self, name: str) -> None:
        def read() -> str | None:
            bucket = self._backend.buckets.get(name)
            return encode({"region": bucket.region_name, "versioning": bucket.versioning_status}) if bucket else None

        self._journal.note(("bucket", "", name), read)

    def _gone(self, name: str) -> None:
        self._journal.database.drop("object", name)
        self._note_bucket(name)


def _copied(key: Any, _: Any) -> Any:
    """What moto makes of every version that it lists: one that shares the bytes."""
    made: Any = FakeKey.__new__(FakeKey)
    vars(made).update(vars(key))
    vars(made).update(_value_buffer=Body(key._value_buffer.path, is_owned=False), lock=threading.Lock(), multipart=None)
    return made


def _value(key: Any) -> bytes | memoryview:
    """What moto reads of an object: all of it."""
    with key.lock:
        if key.contentsize >= _LARGE:
            return memoryview(key._value_buffer.view())
        key._value_buffer.seek(0)
        return bytes(key._value_buffer.read())


def _range_as_bytes(handle_range: Callable[..., Any], *arguments: Any) -> Any:
    status, headers, content = handle_range(*arguments)
    return status, headers, bytes(content) if isinstance(content, memoryview) and status == 206 else content


def _whole_in_parts(key_response: Callable[..., Any], *arguments: Any) -> Any:
    status, headers, content = key_response(*arguments)
    if isinstance(content, memoryview):
        content = [content[start : start + _READ] for start in range(0, len(content), _READ)]
    return status, headers, content


def _marker(kept: dict[str, Any], marked: Any) -> Any:
    made: Any = FakeDeleteMarker.__new__(FakeDeleteMarker)
    vars(made).update({**kept, "key": marked})
    return made

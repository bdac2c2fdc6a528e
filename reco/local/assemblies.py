"""Assemblies of earlier synths, kept by the content of all they were made from: an unchanged app is not synthesized again."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

from lambdas.config import Config

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".cache" / "assemblies"
#: What the app is made of, beside the config.
SOURCES = (
    "api_docs",
    "app.py",
    "cdk.json",
    "client/recostack.js",
    "constraints.txt",
    "docs/openapi.json",
    "glue",
    "lambdas",
    "packages/personalize-emulator/src/personalize_rules",
    "stacks",
    "statemachines",
    "storefront",
)
_PACKAGES = ("aws-cdk-lib", "cdk-nag", "constructs", "pydantic")
#: A megabyte or twenty each.
AT_MOST = 16


def key_of(config: Config, *, validated: bool, root: Path = ROOT) -> str:
    """Another one when any input of the app is another: config, code, versions of the CDK, its variables."""
    digest = hashlib.sha256(repr((config.model_dump_json(), validated)).encode())
    for package in _PACKAGES:
        digest.update(repr((package, version(package))).encode())
    digest.update(repr(sorted((k, v) for k, v in os.environ.items() if k.startswith("CDK_"))).encode())
    for file in files(root / source for source in SOURCES):
        digest.update(repr((file.relative_to(root).as_posix(), file.read_bytes())).encode())
    return digest.hexdigest()[:16]


def files(sources: Iterable[Path]) -> Iterator[Path]:
    """All files of the sources, in an order that is always the same."""
    for source in sources:
        if source.is_file():
            yield source
        for file in sorted(source.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file


def take(key: str, outdir: Path) -> bool:
    """Put the assembly of this key in `outdir`; whether there is one."""
    kept = KEPT / key
    if not kept.exists():
        return False
    kept.touch()  # the latest used are kept
    shutil.copytree(kept, outdir)
    return True


@contextlib.contextmanager
def being_made(key: str) -> Iterator[None]:
    """Let other processes that want the assembly of this key wait for it, instead of making it as well."""
    KEPT.mkdir(parents=True, exist_ok=True)
    with (KEPT / f".{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            Path(lock.name).unlink(missing_ok=True)


def keep(key: str, assembly: Path) -> None:
    """Keep a copy of an assembly, instead of the one that was not used for longest. Another process may do the same."""
    KEPT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=KEPT, prefix=".", ignore_cleanup_errors=True) as folder:
        unfinished = Path(folder) / key
        shutil.copytree(assembly, unfinished)
        with contextlib.suppress(OSError):  # it is there already
            unfinished.rename(KEPT / key)
    with contextlib.suppress(FileNotFoundError):  # another has removed it
        by_use = sorted(KEPT.glob("[!.]*"), key=lambda kept: kept.stat().st_mtime, reverse=True)
        for kept in by_use[AT_MOST:]:
            shutil.rmtree(kept, ignore_errors=True)

"""Which packages a function gets from its layers: the layer's own before this environment's, as in Lambda.

A layer is built for Lambda's platform and Python (say arm64, CPython 3.13): a package that is compiled for another than this
machine's does not load here, and this environment's stands in for it, also for packages that want exactly its version.
docs: lambda/latest/dg/python-layers.html
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import Distribution, PackageNotFoundError, distributions, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.tags import Tag, parse_tag, sys_tags
from packaging.utils import canonicalize_name

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Package:
    """A package in a layer. `here`: its version in this environment; `exactly`: the packages that it wants in one version."""

    name: str
    version: str
    here: str | None
    loads: bool
    exactly: frozenset[str]
    tops: frozenset[str]


def prefer(layer: Path, folder: Path) -> None:
    """Fill a folder with links to what comes before this environment's packages. Where all are the same, it is empty.

    `layer`: what Lambda puts into /opt/python.
    """
    folder.mkdir(parents=True)
    packages = [_package(distribution) for distribution in distributions(path=[str(layer)])]
    there = [package for package in packages if package.here]
    replaced = {package.name for package in there if not package.loads}
    while more := {package.name for package in there if package.exactly & replaced} - replaced:
        replaced |= more
    same = {package.name for package in there if package.here == package.version}
    for package in there:
        if package.name in replaced - same:
            which = f"{package.name} {package.version}"
            _LOG.warning("%s of a layer does not load on this machine: its functions get %s here.", which, package.here)
    later = {top for package in there if package.name in replaced | same for top in package.tops}
    for entry in layer.iterdir() if layer.is_dir() else ():
        if entry.name not in later and entry.suffix != ".dist-info" and _compiled_for_here(map(str, entry.rglob("*.so"))):
            (folder / entry.name).symlink_to(entry)


def _package(distribution: Distribution) -> _Package:
    name = canonicalize_name(distribution.metadata["Name"])
    wanted = [Requirement(text) for text in distribution.requires or ()]
    exactly = {canonicalize_name(one.name) for one in wanted if any(clause.operator == "==" for clause in one.specifier)}
    tops = frozenset(Path(file).parts[0] for file in distribution.files or ())
    return _Package(name, distribution.version, _here(name), _loads(distribution), frozenset(exactly), tops)


def _here(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _loads(distribution: Distribution) -> bool:
    """By the tags of its wheel; without them, by the names of its compiled modules."""
    tags = re.findall(r"^Tag: (\S+)", distribution.read_text("WHEEL") or "", re.MULTILINE)
    if tags:
        return any(tag in _supported() for text in tags for tag in parse_tag(text))
    return _compiled_for_here(map(str, distribution.files or ()))


def _compiled_for_here(files: Iterable[str]) -> bool:
    return all(file.endswith(EXTENSION_SUFFIXES[0]) for file in files if ".cpython-" in file and file.endswith(".so"))


@cache
def _supported() -> frozenset[Tag]:
    return frozenset(sys_tags())

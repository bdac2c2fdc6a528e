"""Replacing parts of moto. Each replacement names what it replaces, so that another release is refused with a sentence."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import inspect
import sys
from collections.abc import Callable
from typing import Any

from localaws.errors import LocalAwsError

PINNED_MOTO = "5.2.5"


def check_version() -> None:
    """Raises LocalAwsError unless the installed moto is the release that this package is written against."""
    installed = importlib.metadata.version("moto")
    if installed != PINNED_MOTO:
        raise LocalAwsError(
            f"localaws needs moto {PINNED_MOTO}, because it replaces parts of it, but moto {installed} is installed."
        )


def locate(path: str) -> tuple[Any, str, Any]:
    """`module:Class.attribute` -> (owner, attribute name, present value); LocalAwsError if moto has no such thing."""
    module_name, _, dotted = path.partition(":")
    try:
        owner: Any = importlib.import_module(module_name)
        *parents, name = dotted.split(".")
        for parent in parents:
            owner = getattr(owner, parent)
        return owner, name, getattr(owner, name)
    except (ImportError, AttributeError) as error:
        raise LocalAwsError(
            f"moto {importlib.metadata.version('moto')} has no {path}, which localaws replaces: install moto {PINNED_MOTO}."
        ) from error


def replace(path: str, new: Any) -> None:
    """Puts `new` in the place of moto's `path` (`module:Class.attribute`)."""
    owner, name, _ = locate(path)
    setattr(owner, name, _unbound(new))


def wrap(path: str, around: Callable[[Any], Any]) -> None:
    """Replaces moto's `path` by `around(original)`."""
    owner, name, original = locate(path)
    setattr(owner, name, _unbound(around(original)))


def intercept(path: str, new: Callable[..., Any]) -> None:
    """Lets `new(original, *arguments, **named)` be called in the place of moto's function `path`."""

    def around(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def intercepted(*arguments: Any, **named: Any) -> Any:
            return new(original, *arguments, **named)

        return intercepted

    wrap(path, around)


def follow(path: str, then: Callable[..., None]) -> None:
    """Lets `then(result, *arguments, **named)` be called after each call of moto's function `path`."""

    def new(original: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        result = original(*arguments, **named)
        then(result, *arguments, **named)
        return result

    intercept(path, new)


def replace_imported(path: str, new: Any, package: str) -> None:
    """Replaces a module-level name, and every copy of it that loaded modules of `package` have imported."""
    _, name, original = locate(path)
    for module_name, module in list(sys.modules.items()):
        if module_name.startswith(package) and getattr(module, name, None) is original:
            setattr(module, name, new)


def leave_ec2_unread() -> None:
    """To be called before moto is imported: its EC2, which CloudFormation imports and nothing here uses, reads hundreds of files
    of instance types: a quarter of what importing it takes."""
    intercept("moto.utilities.utils:load_resource", lambda read, resource: {} if resource.startswith("ec2/") else read(resource))


def _unbound(new: Any) -> Any:
    """A method of one of our objects, as a function that a class of moto's can have as its method."""
    return (lambda *arguments, **named: new(*arguments, **named)) if inspect.ismethod(new) else new

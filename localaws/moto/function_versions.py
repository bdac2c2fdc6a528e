"""Published versions of functions and their aliases, and SnapStart, which is for them alone.

A version's number is never given twice; versions and aliases have policies of their own. moto knows neither.

docs: lambda/latest/dg/configuration-versions.html, configuration-aliases.html, snapstart.html
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

from moto.awslambda.policy import Policy
from moto.core.exceptions import JsonRESTError

from localaws.patching import follow, intercept

_MODELS = "moto.awslambda.models"
_LATEST = "$LATEST"
_FUNCTION_VERSION = re.compile(r"\$LATEST|[0-9]+")
_ALIAS = re.compile(r"(?![0-9]+$)[a-zA-Z0-9_-]{1,128}")
_PUBLISHED_VERSIONS = "PublishedVersions"
#: Node.js and older Pythons have no SnapStart.
_SNAP_START_RUNTIME = re.compile(r"python3\.(1[2-9]|[2-9][0-9])")
_SNAP_START_STORAGE = 512  # MB


class LambdaError(JsonRESTError):
    """An error as Lambda answers it."""

    def __init__(self, error_type: str, message: str, status: int = 400) -> None:
        self.code = status
        super().__init__(error_type, message)


def install() -> None:
    """Puts this in the place of what moto does."""
    backend = f"{_MODELS}:LambdaBackend"
    intercept(f"{backend}.publish_version", _publish)
    intercept(f"{backend}.delete_function", _delete_function)
    for call in ("create_alias", "update_alias"):
        intercept(f"{backend}.{call}", _put_alias)
    intercept(f"{backend}.delete_alias", _delete_alias)
    intercept(f"{backend}.add_permission", _add_permission)
    intercept(f"{backend}.get_policy", lambda _, backend, name, qualifier=None: policy_of(backend, name, qualifier).wire_format())
    intercept("moto.awslambda.responses:LambdaResponse.remove_permission", _remove_permission)
    intercept(f"{backend}.create_function", _create)
    intercept(f"{_MODELS}:LambdaFunction.update_configuration", _update)
    follow(f"{_MODELS}:LambdaFunction.get_configuration", _tell_snap_start)


def policy_of(backend: Any, name_or_arn: str, qualifier: str | None = None) -> Policy:
    """The policy of a function, or of a version or an alias of it. Raises moto's error where there is none of them."""
    backend.get_function(name_or_arn, qualifier)
    name, found = _split(name_or_arn, qualifier)
    function = backend.get_function(name)
    return function.policy if found is None else _policies(function).setdefault(found, Policy(function))


def has_snap_start(function: Any) -> bool:
    """Whether a function, or one of its versions, is configured for SnapStart."""
    return getattr(function, "snap_start", None) == _PUBLISHED_VERSIONS


def _policies(function: Any) -> dict[str, Policy]:
    """By qualifier, of a function as it is unpublished."""
    found: dict[str, Policy] = vars(function).setdefault("qualified_policies", {})
    return found


def _split(name_or_arn: str, qualifier: str | None) -> tuple[str, str | None]:
    """The function's name, and the version or alias; None for what is not published."""
    name = name_or_arn.split(":function:")[-1]
    name, _, in_name = name.partition(":")
    found = in_name or qualifier
    return name, None if found in (None, "", _LATEST) else found


def _publish(_: Callable[..., Any], backend: Any, name_or_arn: str, description: str = "") -> Any:
    """A new version; the last one where nothing has changed since."""
    stored = backend._lambdas
    function = stored.get_function_by_name_or_arn_forbid_qualifier(name_or_arn)
    versions, state = stored._functions[function.function_name]["versions"], _state(function)
    last, number = vars(function).get("last_published", (None, 0))
    if state == last and versions and versions[-1].version == number:
        return versions[-1]
    published = copy.copy(function)
    published.set_version(number + 1)
    published.description = description or function.description
    versions.append(published)
    stored._arns[published.function_arn] = published
    function.last_published = (state, number + 1)
    return published


def _state(function: Any) -> tuple[Any, ...]:
    """What a version holds of a function."""
    names = ("code_sha_256", "handler", "role", "run_time", "description", "memory_size", "timeout", "logs_group_name")
    variables = sorted((function.environment_vars or {}).items())
    return (*(getattr(function, name) for name in names), variables, list(function.layers), has_snap_start(function))


def _delete_function(by_moto: Callable[..., None], backend: Any, name_or_arn: str, qualifier: str | None = None) -> None:
    name, version = _split(name_or_arn, qualifier)
    if version is None:
        by_moto(backend, name_or_arn, qualifier)
        return
    if using := [alias.name for alias in backend.list_aliases(name) if alias.function_version == version]:
        message = f"Unable to delete version because the following aliases reference it: [{', '.join(using)}]"
        raise LambdaError("ResourceConflictException", message, 409)
    by_moto(backend, name_or_arn, qualifier)
    _policies(backend.get_function(name)).pop(version, None)


def _put_alias(by_moto: Callable[..., Any], backend: Any, **named: Any) -> Any:
    for field, pattern in (("name", _ALIAS), ("function_version", _FUNCTION_VERSION)):
        if named[field] is not None and not pattern.fullmatch(named[field]):
            constraint = f"Member must satisfy regular expression pattern: {pattern.pattern}"
            message = (
                f"1 validation error detected: Value '{named[field]}' at '{field}' failed to satisfy constraint: {constraint}"
            )
            raise LambdaError("ValidationException", message)
    return by_moto(backend, **named)


def _delete_alias(by_moto: Callable[..., None], backend: Any, name: str, function_name: str) -> None:
    by_moto(backend, name, function_name)
    _policies(backend.get_function(_split(function_name, None)[0])).pop(name, None)


def _add_permission(_: Callable[..., Any], backend: Any, name_or_arn: str, qualifier: str | None, raw: str) -> Any:
    statement, _revision = policy_of(backend, name_or_arn, qualifier).add_statement(raw, _split(name_or_arn, qualifier)[1])
    return statement


def _remove_permission(_: Callable[..., Any], response: Any) -> Any:
    """moto's reads no qualifier."""
    *_path, name_or_arn, _policy, statement = response.path.split("?")[0].split("/")
    asked = response.querystring
    policy = policy_of(response.backend, name_or_arn.replace("%3A", ":"), asked.get("Qualifier", [None])[0])
    policy.del_statement(statement, asked.get("RevisionId", [""])[0])
    return 204, {"status": 204}, "{}"


def _create(by_moto: Callable[..., Any], backend: Any, spec: dict[str, Any]) -> Any:
    apply_on = (spec.get("SnapStart") or {}).get("ApplyOn")
    storage = (spec.get("EphemeralStorage") or {}).get("Size", 0)
    _check_snap_start(apply_on, spec.get("Runtime"), storage, spec.get("FileSystemConfigs"))
    function = by_moto(backend, spec)
    function.snap_start, function.file_systems = apply_on, spec.get("FileSystemConfigs")
    return function


def _update(by_moto: Callable[..., Any], function: Any, spec: dict[str, Any]) -> Any:
    apply_on = (spec.get("SnapStart") or {}).get("ApplyOn", getattr(function, "snap_start", None))
    storage = (spec.get("EphemeralStorage") or {}).get("Size", function.ephemeral_storage)
    files = spec.get("FileSystemConfigs", getattr(function, "file_systems", None))
    _check_snap_start(apply_on, spec.get("Runtime", function.run_time), storage, files)
    function.snap_start, function.file_systems = apply_on, files
    return by_moto(function, spec)


def _check_snap_start(apply_on: str | None, runtime: str | None, storage: int, file_systems: Any) -> None:
    """Raises LambdaError for what SnapStart does not go with. Which that is AWS documents, the sentences are ours."""
    if apply_on != _PUBLISHED_VERSIONS:
        return
    if not _SNAP_START_RUNTIME.fullmatch(runtime or ""):
        reason = (
            f"{runtime or 'a container image'} is not supported for SnapStart enabled functions: it takes Python 3.12 or later"
        )
    elif storage > _SNAP_START_STORAGE:
        reason = f"SnapStart takes functions with at most {_SNAP_START_STORAGE} MB of ephemeral storage, and this has {storage}"
    elif file_systems:
        reason = "SnapStart takes no functions with a file system of EFS"
    else:
        return
    raise LambdaError("InvalidParameterValueException", f"{reason}: change that, or leave SnapStart out.")


def _tell_snap_start(configuration: dict[str, Any], function: Any, *_: Any, **__: Any) -> None:
    on = has_snap_start(function)
    optimized = "On" if on and str(function.version) != _LATEST else "Off"
    configuration["SnapStart"] = {"ApplyOn": _PUBLISHED_VERSIONS if on else "None", "OptimizationStatus": optimized}

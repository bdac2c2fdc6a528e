"""Reads a config file: YAML, schemas beside it pulled in, every problem with its path."""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Mapping
from pathlib import Path as FilePath
from typing import Any

import yaml

from lambdas.config import Config, ConfigError
from lambdas.config.problems import Path, Problem
from lambdas.config.section import did_you_mean
from lambdas.config.validation import parse_config


class UniqueKeyLoader(yaml.SafeLoader):
    """YAML lets a later key replace an earlier one in silence; here that is an error."""


def _mapping(loader: UniqueKeyLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]
    for position, key in enumerate(keys):
        if key in keys[:position]:
            line = node.value[position][0].start_mark.line + 1
            raise ConfigError([f"line {line}: the key '{key}' stands twice"])
    return loader.construct_mapping(node, deep=True)


UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load_config(path: FilePath, environment: str | None = None) -> Config:
    """The deployment that `path` describes, in the environment. Raises ConfigError with a sentence for each problem.

    Without an environment it is the file without its `environments`, each of which must make a valid config all the same.
    """
    raw = _read_file(path)
    environments = raw.pop("environments", None) or {}
    if not isinstance(environments, dict) or not all(isinstance(changes, dict | None) for changes in environments.values()):
        raise ConfigError(["environments: must map each environment's name to what differs in it"])
    if environment is not None and environment not in environments:
        known = did_you_mean(environment, environments) if environments else ": the config names none"
        raise ConfigError([f"environments: there is no environment '{environment}'{known}"])
    if environment is not None:
        config, problems = _in_environment(raw, environment, environments[environment], path.parent)
    else:
        config, problems = read(raw, path.parent)
        for name, changes in environments.items():
            _, found = _in_environment(raw, name, changes, path.parent, {*problems})
            problems += found
    if config is None or problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    return config


def _in_environment(
    raw: dict[str, Any], name: str, changes: dict[str, Any] | None, folder: FilePath, known: Collection[Problem] | None = None
) -> tuple[Config | None, list[Problem]]:
    """The changes laid over the rest, under a name of its own: so environments share an account. And what is wrong with it.

    `known` are the problems of the rest by itself, which are told already.
    """
    merged = _overlay(raw, {"name": f"{raw.get('name')}-{name}", **(changes or {})})
    config, found = read(merged, folder)
    problems = []
    for problem in found:
        deepest = depth(changes, problem.path)
        if problem in (known or ()):
            continue
        if problem.path == ("name",) or deepest > depth(raw, problem.path) or deepest == len(problem.path):
            problems.append(Problem(("environments", name, *problem.path), problem.rule))
        else:
            which = "" if known is None else f" (in the environment {name})"
            problems.append(Problem(problem.path, problem.rule + which))
    return config, problems


def read(raw: dict[str, Any], folder: FilePath) -> tuple[Config | None, list[Problem]]:
    """Plain data as a config, and all that is wrong with it."""
    filled, files, unreadable = _with_schemas(raw, folder)
    try:
        return parse_config(filled, [problem.path for problem in unreadable]), []
    except ConfigError as error:
        return None, [*unreadable, *(_in_file(problem, files) for problem in error.found)]


def _in_file(problem: Problem, files: Mapping[Path, FilePath]) -> Problem:
    """A problem with a schema names the file that the schema is in."""
    file = files.get(problem.path[:3])
    return problem if file is None else Problem(problem.path, f"{problem.rule} ({file})")


def depth(at: Any, path: Path) -> int:
    """How much of a path there is in plain data."""
    for length, part in enumerate(path):
        try:
            at = at[part]
        except (KeyError, IndexError, TypeError):
            return length
    return len(path)


def _overlay(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """A deep merge: mappings key by key, all else from above; null takes a key away."""
    merged = copy.deepcopy(below)
    for key, value in above.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _overlay(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def _read_file(path: FilePath) -> dict[str, Any]:
    """The file as plain data. Raises ConfigError."""
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), UniqueKeyLoader)  # noqa: S506  a SafeLoader
    except FileNotFoundError:
        raise ConfigError([f"there is no file {path}"]) from None
    except OSError as error:
        raise ConfigError([f"{path} can't be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{path} is not UTF-8 text"]) from None
    except yaml.YAMLError as error:
        raise ConfigError([f"not YAML: {' '.join(str(error).split())}"]) from None
    if not isinstance(raw, dict):
        raise ConfigError([f"{path} must hold a mapping with the keys of a deployment"])
    return raw


def _with_schemas(raw: dict[str, Any], folder: FilePath) -> tuple[dict[str, Any], dict[Path, FilePath], list[Problem]]:
    """The data with each Avro schema instead of the path of its file; those files, and what can't be read of them."""
    filled, files, problems = copy.deepcopy(raw), dict[Path, FilePath](), list[Problem]()
    datasets = filled.get("datasets")
    for kind, dataset in (datasets if isinstance(datasets, dict) else {}).items():
        if not isinstance(dataset, dict) or not isinstance(dataset.get("schema"), str):
            continue
        path, file = ("datasets", kind, "schema"), folder / dataset["schema"]
        files[path] = file
        try:
            dataset["schema"] = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            problems.append(Problem(path, f"there is no file {file}"))
        except (OSError, ValueError, RecursionError) as error:
            problems.append(Problem(path, f"{file} is not JSON: {error}"))
    return filled, files, problems

"""Reads a config file: YAML, schemas beside it pulled in, every problem with its path."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import yaml

from lambdas.shared.config import MAX_NAME, Config, ConfigError, parse_config
from lambdas.shared.config.section import did_you_mean


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


def load_config(path: Path, environment: str | None = None) -> Config:
    """The deployment that `path` describes, in the environment. Raises ConfigError with a sentence for each problem.

    Without an environment it is the file without its `environments`, each of which must make a valid config all the same.
    """
    raw = read_file(path)
    environments = raw.pop("environments", None) or {}
    if not isinstance(environments, dict) or not all(isinstance(changes, dict | None) for changes in environments.values()):
        raise ConfigError(["environments: must map each environment's name to what differs in it"])
    if environment is not None:
        if environment not in environments:
            known = did_you_mean(environment, environments) if environments else ": the config names none"
            raise ConfigError([f"environments: there is no environment '{environment}'{known}"])
        return in_environment(raw, environment, environments[environment], path.parent)
    for name, changes in environments.items():
        try:
            in_environment(raw, name, changes, path.parent)
        except ConfigError as error:
            raise ConfigError([f"environments.{name}.{problem}" for problem in error.problems]) from None
    read_schemas(raw, path.parent)
    return parse_config(raw)


def in_environment(raw: dict[str, Any], name: str, changes: dict[str, Any] | None, folder: Path) -> Config:
    """The changes laid over the rest, under a name of its own: so environments share an account. Raises ConfigError."""
    merged = overlay(raw, {"name": f"{raw.get('name')}-{name}", **(changes or {})})
    if len(str(merged["name"])) > MAX_NAME:
        raise ConfigError([f"name: '{merged['name']}' is longer than {MAX_NAME} characters"])
    read_schemas(merged, folder)
    return parse_config(merged)


def overlay(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """A deep merge: mappings key by key, all else from above; null takes a key away."""
    merged = copy.deepcopy(below)
    for key, value in above.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = overlay(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def read_file(path: Path) -> dict[str, Any]:
    """The file as plain data. Raises ConfigError."""
    try:
        raw = yaml.load(path.read_text(), UniqueKeyLoader)  # noqa: S506  a SafeLoader
    except FileNotFoundError:
        raise ConfigError([f"there is no file {path}"]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{path} is not UTF-8 text"]) from None
    except yaml.YAMLError as error:
        raise ConfigError([f"not YAML: {' '.join(str(error).split())}"]) from None
    if not isinstance(raw, dict):
        raise ConfigError([f"{path} must hold a mapping with the keys of a deployment"])
    return raw


def read_schemas(raw: dict[str, Any], folder: Path) -> None:
    """Replace the path of each Avro schema by the schema."""
    datasets = raw.get("datasets")
    for kind, dataset in (datasets if isinstance(datasets, dict) else {}).items():
        if not isinstance(dataset, dict) or not isinstance(dataset.get("schema"), str):
            continue
        file = folder / dataset["schema"]
        try:
            dataset["schema"] = json.loads(file.read_text())
        except FileNotFoundError:
            raise ConfigError([f"datasets.{kind}.schema: there is no file {file}"]) from None
        except ValueError as error:
            raise ConfigError([f"datasets.{kind}.schema: {file} is not JSON: {error}"]) from None

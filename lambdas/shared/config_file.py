"""Reads a config file: YAML, schemas beside it pulled in, every problem with its path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from lambdas.shared.config import Config, ConfigError, parse_config


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


def load_config(path: Path) -> Config:
    """The deployment that `path` describes. Raises ConfigError with a sentence for each problem."""
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
    read_schemas(raw, path.parent)
    return parse_config(raw)


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

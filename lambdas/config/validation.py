"""Makes a config of plain data, with all that is wrong at once: its parts, what they name, and the rules of the service."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from lambdas.config import Config
from lambdas.config.problems import Broken, ConfigError, Path, validated
from lambdas.config.references import reference_problems
from lambdas.config.service_rules import filter_problems, solution_problems


def parse_config(raw: Any, unreadable: Collection[Path] = ()) -> Config:
    """Validate plain data. Raises ConfigError with all that is wrong, but for the `unreadable` paths: that is told elsewhere."""
    config, problems = validated(_config, raw, unreadable)
    if config is None or problems or unreadable:
        raise ConfigError(problems)
    return config


def _config(raw: Any, broken: Collection[Path]) -> Config:
    """Raises ValidationError for what is wrong in a part, Broken for what is wrong between parts."""
    config = Config.model_validate(raw)
    problems = reference_problems(config, broken)
    problems += solution_problems(config, broken)
    problems += filter_problems(config, broken)
    if problems:
        raise Broken(problems)
    return config


def json_schema() -> dict[str, Any]:
    """The JSON schema of a config file, for editors: there an Avro schema may be the path of its file."""
    schema = Config.model_json_schema(by_alias=True)
    avro = schema["$defs"]["Dataset"]["properties"]["schema"]
    schema["$defs"]["Dataset"]["properties"]["schema"] = {
        "anyOf": [{"type": "string", "description": "path of the Avro schema, from the config's folder"}, avro]
    }
    schema["properties"]["environments"] = {
        "type": "object",
        "description": "what differs in each environment: laid over the rest, whose `name` gets the environment's after a hyphen",
        "additionalProperties": {"type": "object"},
    }
    return schema

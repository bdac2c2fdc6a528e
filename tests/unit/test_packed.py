"""The config as it travels in the code of the functions."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lambdas.config.file import load_config
from lambdas.config.packed import pack, packed_config

CONFIGS = ("config/movielens.yaml", "config/shop.yaml")
PACK = """
import hashlib, sys
from pathlib import Path
from lambdas.config.file import load_config
from lambdas.config.packed import pack
print(hashlib.sha256(pack(load_config(Path(sys.argv[1])))).hexdigest())
"""


@pytest.mark.parametrize("file", CONFIGS)
def test_a_function_reads_what_was_packed(file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config(Path(file))
    packed = tmp_path / "config.pickle"
    packed.write_bytes(pack(config))
    monkeypatch.setenv("CONFIG_PATH", str(packed))
    packed_config.cache_clear()
    assert packed_config() == config
    assert packed_config().model_dump_json(by_alias=True) == config.model_dump_json(by_alias=True)
    assert packed_config().recent_event_types() == config.recent_event_types()


@pytest.mark.parametrize("file", CONFIGS)
def test_equal_configs_are_equal_bytes_in_every_run(file: str) -> None:
    """Else each synth would deploy all functions anew."""
    here = hashlib.sha256(pack(load_config(Path(file)))).hexdigest()
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", PACK, file],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == here

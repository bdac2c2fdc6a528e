"""Another release of moto is refused with a sentence."""

from __future__ import annotations

import importlib.metadata

import pytest

from localaws.environment import LocalAwsError
from localaws.patching import PINNED_MOTO, check_version, locate


def test_the_installed_moto_is_the_pinned_one() -> None:
    check_version()
    assert importlib.metadata.version("moto") == PINNED_MOTO


def test_another_release_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "9.9.9")
    with pytest.raises(LocalAwsError, match=f"needs moto {PINNED_MOTO}.* but moto 9.9.9 is installed"):
        check_version()


@pytest.mark.parametrize("path", ["moto.sns.models:Subscription.no_such", "moto.no_such_module:Thing"])
def test_a_part_that_is_gone_is_named(path: str) -> None:
    with pytest.raises(LocalAwsError, match=f"has no {path}, which localaws replaces"):
        locate(path)

"""Systems Manager: a row for each parameter, with all its versions."""

from __future__ import annotations

from typing import Any

from moto.ssm.models import Parameter, ssm_backends

from localaws.clients import Aws
from localaws.patching import follow
from localaws.persistence.codec import decode, encode
from localaws.persistence.journal import Journal

_BACKEND = "moto.ssm.models:SimpleSystemManagerBackend"


class Parameters:
    """Parameters are written with the call that changes them."""

    def __init__(self, aws: Aws, journal: Journal) -> None:
        self._parameters = ssm_backends[aws.account][aws.region]._parameters
        self._journal = journal

    def install(self) -> None:
        follow(f"{_BACKEND}.put_parameter", lambda parameter, *_, **__: self._note(parameter.name))
        follow(f"{_BACKEND}.delete_parameter", lambda _, __, name: self._note(name))
        follow(f"{_BACKEND}.delete_parameters", lambda _, __, names: self._note_all(names))
        follow(f"{_BACKEND}.label_parameter_version", lambda _, __, name, *___: self._note(name))

    def restore(self, of_stacks: set[str]) -> None:
        """Put back those that no stack will put."""
        known = {self._parameters.normalize_name(name) for name in of_stacks}
        for name, text in self._journal.database.read("parameter", "").items():
            if name not in known:
                self._parameters[name] = [_made(attributes) for attributes in decode(text)]

    def _note_all(self, names: list[str]) -> None:
        for name in names:
            self._note(name)

    def _note(self, name: str) -> None:
        name = self._parameters.normalize_name(name)

        def read() -> str | None:
            versions = self._parameters.get(name)
            return encode([vars(version) for version in versions]) if versions else None

        self._journal.note(("parameter", "", name), read)


def _made(attributes: dict[str, Any]) -> Any:
    made: Any = Parameter.__new__(Parameter)
    vars(made).update(attributes)
    return made

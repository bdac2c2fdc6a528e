"""The processes of this machine, as /proc has them."""

from __future__ import annotations

import os
from pathlib import Path


def command_of(pid: int) -> str:
    """Its command line; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def name_of(pid: int) -> str:
    """At most 15 characters; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().removesuffix("\n")
    except OSError:
        return ""


def environment_of(pid: int) -> dict[str, str]:
    """The variables that it was started with; none if it has ended."""
    try:
        text = Path(f"/proc/{pid}/environ").read_text(errors="replace")
    except OSError:
        return {}
    return dict(variable.split("=", 1) for variable in text.split("\0") if "=" in variable)


def children_of(pid: int) -> list[int]:
    return [child for child in all_running() if _parent_of(child) == pid]


def descendants_of(root: int) -> list[int]:
    """Its children, theirs, and so on."""
    parents = {pid: _parent_of(pid) for pid in all_running()}
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found and pid not in found}:
        found |= more
    return sorted(found - {root})


def emulators_of(environment: int) -> list[int]:
    """The processes of the Personalize emulator of a local AWS environment."""
    return [pid for pid in descendants_of(environment) if is_emulator(pid)]


def is_emulator(pid: int) -> bool:
    """Whether it is the Personalize emulator, alone or with permissions in front of it."""
    return bool({"personalize_emulator", "localaws.iam.personalize"} & {*command_of(pid).split(" ")})


def _parent_of(pid: int) -> int | None:
    """None if it has ended."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def processor_seconds(pid: int) -> float:
    """User and system time of a process, and of its children that have ended; none if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def is_running(pid: int) -> bool:
    """Not for one that has ended and whose parent has not noticed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def all_running() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if is_running(int(entry.name))]


def processes_in(folder: Path) -> list[int]:
    """Those that work in the folder, or are told of it."""
    return [pid for pid in all_running() if _in(pid, str(folder))]


def _in(pid: int, folder: str) -> bool:
    try:
        where = os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return False
    return where.startswith(folder) or folder in command_of(pid) or any(folder in told for told in environment_of(pid).values())

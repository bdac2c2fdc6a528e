"""The permission proof: `python -m tests.permissions [--calls FOLDER]`.

Runs the end-to-end tests, in which the local AWS environment refuses what a role is not allowed, and reports what each role was denied, what
it used, and which granted actions no run used; writes the calls to reco/account/calls.json, which `reco verify` asks IAM about.
Exits 1 when a call was denied, or when something is allowed that is neither used nor explained.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from localaws.iam.calls import ALL
from reco.account.simulation import FILE as CALLS
from tests.permissions.proof import Role, calls_by_role, findings, prove
from tests.permissions.reasons import reason

console = Console()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.permissions", description=__doc__)
    parser.add_argument("--calls", type=Path, help="calls that were written down before, instead of a run of the tests")
    given = parser.parse_args().calls
    with tempfile.TemporaryDirectory() as folder:
        calls = given or Path(folder)
        if given is None:
            console.print("Running the end-to-end tests, with every call of every role written down: some minutes.")
            run(calls)
        roles = prove(calls)
        write_calls(calls)
    show(roles)
    show_unused(roles)
    found = findings(roles)
    for finding in found:
        console.print(f"[red]{finding.role}[/red]: {finding.what}")
    denied = sum(len(role.denied) for role in roles.values())
    console.print(f"{len(roles)} roles, {denied} denied, {len(found) - denied} unexplained.")
    sys.exit(1 if found or not roles else 0)


def run(calls: Path) -> None:
    """Exits with pytest's code when a test fails: its calls are not the whole story."""
    done = subprocess.run([sys.executable, "-m", "pytest", "tests/e2e"], env={**os.environ, ALL: str(calls)}, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def write_calls(calls: Path) -> None:
    """The list of calls that `reco verify` asks IAM about, a call a line."""
    kept = json.loads(CALLS.read_text()) if CALLS.exists() else {}
    lines = [
        f"  {json.dumps(role)}: [\n" + ",\n".join(f"    {json.dumps(call, ensure_ascii=False)}" for call in made) + "\n  ]"
        for role, made in calls_by_role(calls, kept).items()
    ]
    CALLS.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def show(roles: dict[str, Role]) -> None:
    table = Table("Role", "Actions used", "Explained", "Denied", "Unexplained", title="What each role may do, and did")
    for name, role in sorted(roles.items()):
        idle = role.unused() | role.unreached()
        explained = [what for what in idle if reason(name, what)]
        table.add_row(name, str(len(role.used)), str(len(explained)), str(len(role.denied)), str(len(idle) - len(explained)))
    console.print(table)


def show_unused(roles: dict[str, Role]) -> None:
    """Which granted actions no run used, each with its reason; a reason is said once for all roles that it holds for."""
    granted: dict[str, dict[str, list[str]]] = {}
    for name, role in sorted(roles.items()):
        for action in sorted(role.unused()):
            granted.setdefault(reason(name, action) or "not explained", {}).setdefault(name, []).append(action)
    console.print("\nGranted actions that no run used:")
    for because, held in sorted(granted.items()):
        console.print(f"\n{because}", highlight=False)
        for name, actions in held.items():
            console.print(f"  {name}: {', '.join(actions)}", highlight=False)


if __name__ == "__main__":
    main()

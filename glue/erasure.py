"""Rewrites the archive without erased users.

    --archive s3://…/events/ --erased s3://…/erased.jsonl --staging s3://…/ [--report s3://…]

Gone are the events and exposures of an erased user, and those without a user in a session that belongs to that user (as the
other jobs see it: whoever is known next in the session, else who was known last). An anonymous event that arrives after its
session's other events are gone can't be told from anybody's, and stays. Of the lines that Spark can't read as records (too deep,
or with a number of a thousand digits), those go that have an erased user's id as any of their strings, however JSON spells it.
What is cut off inside a string stays, is counted as `undecided`, and ends the job with an error when all else is done.

Only files that hold such events are written anew, first below `staging`, where they are counted: lines read = lines kept +
lines erased, for each file, or nothing is changed. Then each takes the place of the old one under the same key, which S3 does
at once; so an end at any moment loses no event of others, and the next run does the rest.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from typing import Any

import archive
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as f


def main(argv: Sequence[str]) -> None:
    parser = archive.parser(__doc__)
    parser.add_argument("--archive", required=True)
    parser.add_argument("--erased", required=True)
    parser.add_argument("--staging", required=True)
    parser.add_argument("--report")
    given, _ = parser.parse_known_args(argv)
    spark = archive.session("erasure")
    done = {"files": 0, "lines": 0, "kept": 0, "erased": 0, "malformed": 0, "undecided": 0}
    if archive.exists(spark, given.archive):
        erased = archive.read_erased(spark, given.erased).persist()
        done |= _rewrite(spark, given.archive, erased, given.staging)
        done["undecided"] = read(spark, given.archive).where(_no_record() & _strings().isNull()).count()
    archive.report(spark, given.report, done)
    if done["undecided"]:
        sys.exit(f"{done['undecided']} lines of the archive can't be read, and may name an erased user: look at them.")


def _rewrite(spark: SparkSession, location: str, erased: DataFrame, staging: str) -> dict[str, int]:
    """Do it; returns the counts of the report. Ends the job before anything is changed if the counts don't agree."""
    archive.file_system(spark, staging).delete(archive.path(spark, staging), True)  # of a run that died
    lines = read(spark, location)
    anonymous = anonymous_events(lines, erased).persist()
    found = marked(lines, erased, anonymous).where("gone").select("file").distinct()
    files = [row["file"] for row in found.toLocalIterator()]
    if not files:
        return {}
    if other := [file for file in files if not file.endswith(".gz")]:
        sys.exit(f"{other[0]} is not a .gz file, as those of the archive are; nothing was changed.")
    affected = marked(read(spark, *(str(_path_of(spark, file)) for file in files)), erased, anonymous)
    stage(affected.where("NOT gone"), staging)
    counts = count(spark, affected, staging)
    for file in files:
        replace(spark, file, staging)
    archive.file_system(spark, staging).delete(archive.path(spark, staging), True)
    return {"files": len(files), **counts}


def read(spark: SparkSession, *locations: str) -> DataFrame:
    """The lines as events, with their `file`, its `name` in the staging folder, and a `position` that grows within a file."""
    lines = spark.read.text(list(locations), lineSep="\n").select("value", f.col("_metadata.file_path").alias("file"))
    lines = lines.withColumns({"name": f.md5("file"), "position": f.monotonically_increasing_id()})
    return archive.as_events(lines, "file", "name", "position")


def anonymous_events(lines: DataFrame, erased: DataFrame) -> DataFrame:
    """identity and session_id of the anonymous events that belong to erased users."""
    events = lines.where("session_id IS NOT NULL AND identity IS NOT NULL")
    sessions = events.join(f.broadcast(erased), "user_id", "left_semi").select("session_id").distinct()
    near = events.join(f.broadcast(sessions), "session_id", "left_semi")
    near = near.select("identity", "session_id", "user_id", "time", f.col("user_id").isNull().alias("anonymous"))
    owned = archive.with_session_users(near).where("anonymous")
    return owned.join(f.broadcast(erased), "user_id", "left_semi").select("identity", "session_id").distinct()


def marked(lines: DataFrame, erased: DataFrame, anonymous: DataFrame) -> DataFrame:
    """The lines, with `gone` for those to erase."""
    own = lines.join(f.broadcast(erased.withColumn("own", f.lit(True))), "user_id", "left")
    both = own.join(f.broadcast(anonymous.withColumn("shared", f.lit(True))), ["identity", "session_id"], "left")
    both = both.crossJoin(f.broadcast(erased.agg(f.collect_list("user_id").alias("all_erased"))))
    named = f.when(_no_record(), f.arrays_overlap(_strings(), "all_erased"))
    gone = f.coalesce("own", f.when(f.col("shared") & f.col("user_id").isNull(), True), named, f.lit(False))
    return both.select("value", "file", "name", "position", "reason", gone.alias("gone"))


def _no_record() -> Column:
    """Whether a line is neither an event nor an exposure."""
    return f.col("reason").isNotNull() & (f.col("reason") != archive.EXPOSURE) & (f.trim("value") != "")


def _strings() -> Column:
    """All strings in a line of JSON, keys too, as they are read; null where one does not end or can't be read.

    What is escaped is set aside, for a regular expression that looks for it would go as deep as it is long.
    """
    plain = f.replace(f.replace("value", f.lit("\\\\"), f.lit("\1")), f.lit('\\"'), f.lit("\2"))
    found = f.concat_ws(",", f.regexp_extract_all(plain, f.lit('"[^"]*"'), f.lit(0)))
    whole = f.replace(f.replace(found, f.lit("\2"), f.lit('\\"')), f.lit("\1"), f.lit("\\\\"))
    ends = ~f.regexp_replace(plain, '"[^"]*"', "").contains('"')
    return f.when(ends, f.from_json(f.concat(f.lit("["), whole, f.lit("]")), "array<string>"))


def stage(kept: DataFrame, staging: str) -> None:
    """Write one file for each file of the archive, in the order of its lines, into a folder of its name."""
    ordered = kept.repartition("name").sortWithinPartitions("name", "position").select("value", "name")
    ordered.write.mode("overwrite").partitionBy("name").text(staging, compression="gzip")


def count(spark: SparkSession, affected: DataFrame, staging: str) -> dict[str, int]:
    """Compare what was read with what was written, file by file; returns the sums."""
    malformed = f.count_if((f.col("reason") != archive.EXPOSURE) & ~f.col("gone"))
    before = affected.groupBy("name").agg(
        f.count("*").alias("lines"), f.count_if("gone").alias("erased"), malformed.alias("malformed")
    )
    after = archive.read_lines(spark, staging)
    after = after.groupBy("name").count() if "name" in after.columns else archive.empty(spark, name="string", count="bigint")
    files = before.join(after, "name", "left").withColumn("kept", f.coalesce("count", f.lit(0)))
    names = ("lines", "kept", "erased", "malformed")
    wrong = f.count_if(f.col("lines") != f.col("kept") + f.col("erased")).alias("wrong")
    sums = files.agg(*(f.sum(name).alias(name) for name in names), wrong).collect()[0]
    if sums["wrong"]:
        sys.exit(f"{sums['wrong']} files have not as many lines kept and erased as were read; nothing was changed.")
    return {name: sums[name] for name in names}


def replace(spark: SparkSession, file: str, staging: str) -> None:
    """Put the staged file in the place of the old one; with no line left, there is none."""
    old, staging_system = _path_of(spark, file), archive.file_system(spark, staging)
    name = hashlib.md5(file.encode(), usedforsecurity=False).hexdigest()
    staged = staging_system.globStatus(archive.path(spark, f"{staging.rstrip('/')}/name={name}/part-*"))
    settings = archive.configuration(spark)
    system = old.getFileSystem(settings)
    if not staged:
        system.delete(old, False)
        return
    (new,) = staged
    archive.java(spark).org.apache.hadoop.fs.FileUtil.copy(staging_system, new.getPath(), system, old, False, True, settings)


def _path_of(spark: SparkSession, file: str) -> Any:
    """The path of a file by the address that Spark gives, in which characters may be encoded."""
    return archive.java(spark).org.apache.hadoop.fs.Path(archive.java(spark).java.net.URI(file))


if __name__ == "__main__":
    main(sys.argv[1:])

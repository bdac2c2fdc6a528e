"""Glue jobs: the job's own script, run by Spark on this machine."""

"""Benchmarks of the parts: each is a module with `--json FILE`."""

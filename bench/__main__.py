"""All benchmarks as one page.

    python -m bench [--full] [--from-cache] [NAME ...]

Runs those that are named (or all), one after the other, and writes `docs/benchmarks.md` and the table of peers in `README.md`
from the newest figures of each; they are kept in `.cache/bench/`.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

from bench import page, peers
from bench.benchmarks import BENCHMARKS, Size
from bench.running import machine, read_back, run_all
from reco.console import results, say


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(one.name for one in BENCHMARKS)}; none: all")
    parser.add_argument("--full", action="store_true", help="all sizes: hours, unattended")
    parser.add_argument("--from-cache", action="store_true", help="run nothing: write the page from the last figures")
    parser.add_argument("--cache", type=Path, default=Path(".cache/bench"), help="where figures are kept")
    parser.add_argument("--page", type=Path, default=Path("docs/benchmarks.md"), help="the page; plots go to images/ beside it")
    parser.add_argument("--readme", type=Path, default=Path("README.md"), help="where the table of peers stands")
    options = parser.parse_args()
    if unknown := set(options.names) - {one.name for one in BENCHMARKS}:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the benchmark at work ends too
    size: Size = "full" if options.full else "small"
    folder = options.cache / size
    if not options.from_cache:
        run_all([one for one in BENCHMARKS if not options.names or one.name in options.names], size, folder)
    found = read_back(BENCHMARKS, folder)
    if not found:
        sys.exit(f"There are no figures in {folder}: run without --from-cache first.")
    kept = folder / "machine.json"
    page.write(BENCHMARKS, found, json.loads(kept.read_text()) if kept.exists() else machine(), size, options.page)
    peers.write(options.readme, found)
    failed = [name for name, (outcome, _) in found.items() if outcome.problem]
    if failed:
        say(f"Failed: {', '.join(failed)}.")
    results.print(f"Written: {options.page}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

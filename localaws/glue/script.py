"""The process of a job run: `python -m localaws.glue.script ERROR_FILE SCRIPT arguments...` runs the script as the main module.

Why it failed goes to ERROR_FILE as Glue words it: `ValueError: the message`.
"""

from __future__ import annotations

import runpy
import sys
import traceback
from pathlib import Path


def main() -> int:
    error_file, script = Path(sys.argv[1]), sys.argv[2]
    sys.argv = sys.argv[2:]
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        if end.code in (None, 0):
            return 0
        print(end.code, file=sys.stderr)
        error_file.write_text(f"SystemExit: {end.code}")
        return 1
    except BaseException as error:
        traceback.print_exc()
        error_file.write_text(f"{type(error).__name__}: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

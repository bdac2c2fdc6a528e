"""The child process of one job: its specification on the first line of standard input, its answer on output."""

import json
import os
import sys
import threading

from localaws.personalize.jobs.work import run


def main() -> None:
    spec = json.loads(sys.stdin.buffer.readline())
    # The parent holds the other end: when it dies, however, this process must not go on.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever is printed by a library must not mix with the answer
    json.dump(run(spec), answer)
    answer.close()


def _end_with_parent() -> None:
    # Not through sys.stdin: its lock would be held at the end of the interpreter.
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()

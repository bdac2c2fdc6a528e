"""`python -m localaws`: see localaws.command."""

import gc
import os
import signal

from localaws.interruption import interrupt


def main() -> None:
    """Installs the signal handlers before anything slow is imported, so that Ctrl-C is quiet at any moment."""
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
    gc.set_threshold(50_000, 20, 20)  # a fifth of a start went into looking for garbage among what is being imported
    try:
        from localaws import command

        command.main()
    except KeyboardInterrupt:
        os._exit(0)


if __name__ == "__main__":
    main()

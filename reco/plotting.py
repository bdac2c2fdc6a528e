"""What every `--plot` asks for before anything is paid for."""

from __future__ import annotations

from pathlib import Path

from reco.errors import RecoError

_FORMATS = (".svg", ".png")


def require_plotting(file: Path) -> None:
    """Raises RecoError when the file's format or the library for it is not to be had."""
    if file.suffix not in _FORMATS:
        raise RecoError(f"--plot {file}: name a file that ends in {' or '.join(_FORMATS)}.")
    if not file.absolute().parent.is_dir():
        raise RecoError(f"--plot {file}: there is no folder {file.absolute().parent}.")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise RecoError("A picture needs matplotlib: `make setup` installs it.") from None

"""Draws the architecture from the synthesized templates, for light and dark pages.

python -m tools.architecture [--config config/shop.yaml] [--output docs/images]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from lambdas.config.file import load_config
from reco.console import say
from reco.errors import RecoError
from reco.local.synth import synthesize
from tools.architecture_parts import Assembly, bands
from tools.architecture_svg import PALETTES, draw


def pictures(assembly: Assembly) -> dict[str, str]:
    """The picture by the name of its file."""
    alarms = len(list(assembly.of_type("AWS::CloudWatch::Alarm")))
    dashboards = len(list(assembly.of_type("AWS::CloudWatch::Dashboard")))
    watched = f"Watched by {alarms} alarms, which mail" + (", and a dashboard." if dashboards else ".")
    found = bands(assembly)
    return {f"architecture-{palette}.svg": draw(found, watched, palette) for palette in PALETTES}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.architecture", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, default=Path("config/shop.yaml"))
    parser.add_argument("--output", type=Path, default=Path("docs/images"), help="the folder of the pictures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            assembly = Assembly(synthesize(options.config, Path(folder) / "cdk.out"), load_config(options.config).name)
        except RecoError as error:
            sys.exit(str(error))
        for name, text in pictures(assembly).items():
            (options.output / name).write_text(text)
            say(f"  {options.output / name}")


if __name__ == "__main__":
    main()

"""The options that every bench takes; ``prelim bench NAME`` hands them on."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.rig.peers import default_folder

QUICK_S = 0.25
"""Of one measurement with ``--quick``: enough for an answer, and that is all it is for."""
RESULTS = Path(__file__).parent.parent / "results"


def make_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser with the options of all benches."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of JSON and SVG")
    parser.add_argument("--peers", type=Path, default=default_folder(), help="where peers are")
    parser.add_argument("--quick", action="store_true", help="short and rough: does it run?")
    return parser

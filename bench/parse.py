"""What reading a report costs: CPU time per message of our reader and of the libraries beside it.

Like for like: split the message and take the same fields out. Ours is measured doing more, too: the
whole plan decodes, finds the sections, reads exam and status, and decides.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.rig.messages import ID, SIZES, make_message  # noqa: E402 - found through the line above
from bench.rig.options import make_parser  # noqa: E402 - same
from bench.rig.peers import find_node, find_program  # noqa: E402 - same
from bench.rig.results import (  # noqa: E402 - same
    Check,
    describe_machine,
    print_table,
    save_bars,
    save_json,
)

if TYPE_CHECKING:
    import argparse

LIKE, WHOLE = "prelim, fields", "prelim, whole plan"
OURS = {"prelim, header (before the answer)": "header", LIKE: "fields", WHOLE: "plan"}
PEERS = {
    "hl7kit 0.2.0 (Rust)": ("hl7kit", "python", "hl7kit"),
    "medforge 0.2.0 (Rust)": ("medforge", "python", "medforge"),
    "hl7v2-fhir-bridge 0.1.0": ("v2fhir", "python", "v2fhir"),
    "python-hl7 0.4.5": ("python-hl7", "python", "hl7"),
    "messagefoundry 0.2.1": ("messagefoundry", "messagefoundry", "messagefoundry"),
    "hl7apy 1.3.5 (tolerant)": ("hl7apy", "python", "hl7apy"),
}
NODE_PEER = "@medplum/core 4.5.2 (node)"
READER = ROOT / "bench" / "peers" / "parse_message.py"
LIMIT_MS = 0.12
LARGE = "8.4 KB, 60 OBX"
Figures = dict[str, dict[str, float]]


def commands(options: argparse.Namespace, seconds: str) -> dict[str, list[str | Path] | None]:
    """Return how each reader is measured, by its label; None when it is not installed."""
    made: dict[str, list[str | Path] | None] = {
        label: [sys.executable, READER, reader, seconds] for label, reader in OURS.items()
    }
    for label, (reader, venv, package) in PEERS.items():
        python = find_program(options.peers, venv, "python", package)
        made[label] = python and [python, READER, reader, seconds]
    node = find_node(options.peers)
    made[NODE_PEER] = node and [node, READER.with_suffix(".mjs"), seconds]
    return made


def measure(command: list[str | Path], files: dict[str, Path], peers: Path) -> Figures:
    """Measure one reader on each file; what it fails on, and what comes after, is left out."""
    is_ours, is_node = command[0] == sys.executable, command[1] == READER.with_suffix(".mjs")
    done = subprocess.run(
        [*command, *files.values()],
        cwd=peers / "node" if is_node else ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT) if is_ours else ""},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print(f"  fails: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    lines = done.stdout.splitlines()
    return {size: json.loads(line) for size, line in zip(files, lines, strict=False)}


def rows_of(all_figures: dict[str, Figures | None]) -> list[list[str]]:
    """Return a row a reader: CPU by size, and how many times ours that is, like for like."""
    ours = all_figures[LIKE] or {}
    rows = []
    for label, figures in all_figures.items():
        row = [label]
        for size in SIZES:
            cell, base = (figures or {}).get(size), ours.get(size)
            if cell is None:
                row += ["not installed" if figures is None else "fails", ""]
            else:
                row.append(f"{cell['median_ms']:.4g} [{cell['min_ms']:.4g}]")
                row.append(f"{cell['median_ms'] / base['median_ms']:.2f}x" if base else "")
        rows.append(row)
    return rows


def make_check(all_figures: dict[str, Figures | None]) -> Check:
    """Judge what was promised, by the quietest of the batches.

    What a batch takes more than that is others' doing, on a machine that is shared with them (see
    Python's own ``timeit``); a batch is a hundred messages and more, with their share of all costs.
    """
    least_ms = (all_figures[LIKE] or {}).get(LARGE, {}).get("min_ms", float("nan"))
    promise = f"{LIKE} of a 60-OBX report in at most {LIMIT_MS} ms of CPU"
    return Check(promise, f"{least_ms:.3f} ms", least_ms <= LIMIT_MS)


def main() -> None:
    """Measure, print, write."""
    options = make_parser(__doc__ or "").parse_args()
    machine = describe_machine()
    all_figures: dict[str, Figures | None] = {}
    with tempfile.TemporaryDirectory() as folder:
        files = {size: Path(folder) / f"{n}.hl7" for n, size in enumerate(SIZES)}
        for size, path in files.items():
            path.write_bytes(make_message(SIZES[size]).replace(ID, "B1").encode())
        for label, command in commands(options, "0.05" if options.quick else "3").items():
            print(f"measuring {label}" if command else f"not installed: {label}")
            all_figures[label] = command and measure(command, files, options.peers)
    columns = ["CPU ms per message, median [least]"]
    columns += [column for size in SIZES for column in (size, "to ours")]
    print_table("parse", columns, rows_of(all_figures))
    check = str(make_check(all_figures))
    print(check)
    data = {"machine": machine, "cpu_ms": all_figures, "checks": [check]}
    save_json(options.out, "parse", data)
    series = {
        size: {label: figures[size]["median_ms"] for label, figures in all_figures.items()
               if figures and size in figures}
        for size in SIZES
    }  # fmt: skip
    save_bars(options.out / "parse.svg", "Reading one report", "ms of CPU, less is better", series)


if __name__ == "__main__":
    main()

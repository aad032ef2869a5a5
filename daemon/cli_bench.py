"""The command on the measurements: bench.

The benches are scripts of the source tree, under bench/, and each says of itself what it measures.
They run in a process of their own: what they start and load must not be loaded here.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

import daemon
from daemon.cli_options import AsJson, print_json
from daemon.errors import ConfigurationError

BENCHES = Path(daemon.__file__).parent.parent / "bench"
INSTALLER = BENCHES / "rig" / "peers.py"


def add_commands(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command(
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )(bench)


def bench(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Which one; see --list.")] = None,
    is_list: Annotated[bool, typer.Option("--list", help="Say which there are.")] = False,
    install_peers: Annotated[
        bool,
        typer.Option("--install-peers", help="Install what we are measured beside, apart from us."),
    ] = False,
    peers: Annotated[
        Path | None, typer.Option(help="Folder of the peers; by default a cache of the user.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure prelim beside other software: a table with ratios, JSON and SVG under bench/results.

    Options of a bench follow its name: prelim bench ack --quick --out DIR. A peer that is not
    installed is told as such. Nothing is judged by the exit code.
    """
    scripts = find_benches()
    folder = () if peers is None else (str(peers.absolute()),)
    if is_list:
        _list_benches(scripts, as_json=as_json)
    elif install_peers:
        _run(str(INSTALLER), *folder)
    elif name is None:
        raise ConfigurationError("say which, or --list", "NAME")
    elif name not in scripts:
        raise ConfigurationError(f"no such bench; there are {', '.join(scripts)}", "NAME")
    else:
        _run(str(scripts[name]), *(("--peers", *folder) if folder else ()), *context.args)


def find_benches() -> dict[str, Path]:
    """Return the benches by name.

    Raises:
        ConfigurationError: prelim is installed without its source tree.
    """
    scripts = {path.stem: path for path in sorted(BENCHES.glob("*.py"))}
    if not scripts:
        raise ConfigurationError("the benches are in the source tree only", str(BENCHES))
    return scripts


def _list_benches(scripts: dict[str, Path], *, as_json: bool) -> None:
    for name, path in scripts.items():
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        measures = " ".join(text.split("\n\n")[0].split())
        if as_json:
            print_json({"name": name, "measures": measures})
        else:
            sys.stdout.write(f"{name:<10} {measures}\n")


def _run(*arguments: str) -> None:
    sys.stdout.flush()
    done = subprocess.run([sys.executable, *arguments], cwd=BENCHES.parent, check=False)  # noqa: S603 - a script of ours
    if done.returncode:
        raise typer.Exit(done.returncode)

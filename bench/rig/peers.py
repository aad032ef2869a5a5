"""The software we are measured beside: installed apart from ours, run apart from ours.

messagefoundry is AGPL-3.0: it runs as a process of its own out of an environment of its own, and no
code of it is here.

    python peers.py [FOLDER]    installs them
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import platformdirs

VENVS = {
    "python": (
        "hl7==0.4.5",
        "hl7apy==1.3.5",
        "hl7kit==0.2.0",
        "hl7v2-fhir-bridge==0.1.0",
        "medforge==0.2.0",
    ),
    "messagefoundry": ("messagefoundry==0.2.1",),
}
NODE_PACKAGES = ("@medplum/core@4.5.2", "@medplum/hl7@4.5.2")


def default_folder() -> Path:
    """Return where peers are installed: a cache, never our own environment."""
    return Path(platformdirs.user_cache_dir("prelim", appauthor=False)) / "bench-peers"


def install(folder: Path) -> None:
    """Install every peer below ``folder``; one that cannot be had is told and left out."""
    for name, packages in VENVS.items():
        venv = folder / name
        print(f"installing {', '.join(packages)} into {venv}")
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        pip = [venv / "bin" / "python", "-m", "pip", "install", "--quiet"]
        pip += ["--disable-pip-version-check"]
        if subprocess.run([*pip, *packages], check=False).returncode:
            print(f"not installed: {name}")
    npm = shutil.which("npm")
    if npm is None:
        print(f"not installed: {', '.join(NODE_PACKAGES)} (no npm)")
        return
    node = folder / "node"
    node.mkdir(parents=True, exist_ok=True)
    (node / "package.json").write_text(json.dumps({"private": True, "type": "module"}))
    print(f"installing {', '.join(NODE_PACKAGES)} into {node}")
    command = [npm, "install", "--silent", "--no-audit", "--no-fund", *NODE_PACKAGES]
    if subprocess.run(command, cwd=node, check=False).returncode:
        print(f"not installed: {', '.join(NODE_PACKAGES)}")


def find_program(folder: Path, venv: str, program: str, package: str | None = None) -> Path | None:
    """Return a program of a peer's environment; None when the peer is not installed.

    Args:
        folder: Where peers are.
        venv: A key of ``VENVS``.
        program: Its name in ``bin``.
        package: An import name that must be there too.
    """
    path = folder / venv / "bin" / program
    if not path.exists():
        return None
    if package and not list((folder / venv).glob(f"lib/python*/site-packages/{package}")):
        return None
    return path


def find_node(folder: Path) -> str | None:
    """Return the node program when it and the npm peers are there."""
    if not (folder / "node" / "node_modules" / "@medplum" / "hl7").exists():
        return None
    return shutil.which("node")


if __name__ == "__main__":
    install(Path(sys.argv[1]) if len(sys.argv) > 1 else default_folder())

"""The options that several commands share, and how a command reads its settings."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from daemon.config import Settings, load_settings

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="YAML settings; without it, the embedded defaults."),
]
Data = Annotated[
    Path | None,
    typer.Option("--data", help="Folder of the journal and the embedded store (PRELIM_DATA)."),
]
Engine = Annotated[
    str | None, typer.Option(help="transformers, openai or extractive; over the settings.")
]
Listener = Annotated[
    str, typer.Option(help="The listener or topic that the messages are taken to come by.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


def read_settings(
    config: Path | None, data: Path | None = None, engine: str | None = None
) -> Settings:
    """Load the settings of a command; its options stand over file and environment."""
    overrides: dict[str, Any] = {}
    if data is not None:
        overrides["data"] = data
    if engine is not None:
        overrides["model"] = {"engine": engine}
    return load_settings(config, overrides)


def print_json(value: object) -> None:
    """Write one JSON object on a line of its own."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")

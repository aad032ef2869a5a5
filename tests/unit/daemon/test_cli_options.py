"""Shared options: --data goes over the settings, and JSON is one object a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cli_options import print_json, read_settings

if TYPE_CHECKING:
    import pytest


def test_the_options_of_a_command_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "prelim.yaml"
    file.write_text("data: /elsewhere\nmodel: {engine: transformers, threads: 1}\n")

    settings = read_settings(file, Path("/here"), "extractive")

    assert settings.data == Path("/here")
    assert (settings.model.engine, settings.model.threads) == ("extractive", 1)


def test_json_is_one_object_a_line_in_plain_letters(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"findings": "Größe\nüber 3 cm", "path": Path("/x")})

    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert "Größe" in out
    assert json.loads(out)["path"] == "/x"

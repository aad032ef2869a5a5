"""The command line as a whole: help that teaches, and exit codes that scripts may rely on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from daemon import cli
from daemon.errors import ConfigurationError
from mappings.errors import PrelimError

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = (
    *("serve", "demo", "check-config", "dry-run", "draft", "send", "messages", "show", "replay"),
    *("pause", "resume", "audit", "synth", "train", "evaluate"),
)


def test_help_names_every_command_and_the_first_steps() -> None:
    result = CliRunner().invoke(cli.app, ["--help"])

    assert result.exit_code == 0
    assert all(f" {command} " in result.output for command in COMMANDS)
    assert "First steps" in result.output


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does(command: str) -> None:
    result = CliRunner().invoke(cli.app, [command, "--help"])

    assert result.exit_code == 0
    assert "Usage:" in result.output


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ConfigurationError("too small", "fhir.timeout_s"), "prelim: fhir.timeout_s: too small\n"),
        (ConfigurationError("not a mapping"), "prelim: not a mapping\n"),
        (PrelimError("unknown_id", "show"), "prelim: show: unknown_id\n"),
    ],
)
def test_an_error_of_ours_exits_2_with_one_line(
    error: PrelimError,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)

    with pytest.raises(SystemExit) as caught:
        cli.main()

    assert caught.value.code == 2
    assert capsys.readouterr().err == message


def test_a_file_that_cannot_be_used_exits_2_with_its_path(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setattr(cli, "app", (file / "folder").mkdir)

    with pytest.raises(SystemExit) as caught:
        cli.main()

    assert caught.value.code == 2
    told = f"prelim: {file / 'folder'}: cannot_be_used (NotADirectoryError)\n"
    assert capsys.readouterr().err == told

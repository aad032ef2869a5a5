"""``prelim bench``: which measurements there are, and that each can be started."""

from __future__ import annotations

import json
import runpy
import sys
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from daemon import cli_bench
from daemon.cli import app
from daemon.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def benches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with one bench that tells what it was asked."""
    folder = tmp_path / "bench"
    folder.mkdir()
    (folder / "echo.py").write_text(
        '"""What an echo\ncosts.\n\nMore."""\nimport sys\nfrom pathlib import Path\n'
        'Path("asked").write_text(" ".join(sys.argv[1:]))\nsys.exit("--fail" in sys.argv)\n'
    )
    monkeypatch.setattr(cli_bench, "BENCHES", folder)
    return folder


def test_the_benches_of_this_tree_each_say_what_they_measure() -> None:
    done = CliRunner().invoke(app, ["bench", "--list", "--json"])

    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {"ack", "parse", "tls"} <= {row["name"] for row in rows}
    assert all(row["measures"].endswith(".") for row in rows)


def test_a_list_for_people_is_a_line_a_bench(benches: Path) -> None:
    done = CliRunner().invoke(app, ["bench", "--list"])

    assert done.stdout == "echo       What an echo costs.\n"


def test_a_bench_gets_its_own_options_and_the_folder_of_the_peers(benches: Path) -> None:
    done = CliRunner().invoke(app, ["bench", "echo", "--quick", "--peers", "/p", "--out", "x"])

    assert done.exit_code == 0, done.output
    asked = (benches.parent / "asked").read_text()
    assert sorted(asked.split()) == sorted(["--peers", "/p", "--quick", "--out", "x"])


def test_a_bench_that_fails_gives_its_exit_code(benches: Path) -> None:
    assert CliRunner().invoke(app, ["bench", "echo", "--fail"]).exit_code == 1


@pytest.mark.parametrize("arguments", [["bench"], ["bench", "no-such"]])
def test_a_bench_that_is_not_there_is_told_with_those_that_are(
    benches: Path, arguments: list[str]
) -> None:
    done = CliRunner().invoke(app, arguments)

    assert isinstance(done.exception, ConfigurationError)
    assert done.exception.where == "NAME"


def test_without_the_source_tree_there_is_no_bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_bench, "BENCHES", tmp_path / "nothing")

    with pytest.raises(ConfigurationError):
        cli_bench.find_benches()


def test_peers_are_installed_by_a_script_of_their_own(
    benches: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_bench, "INSTALLER", benches / "echo.py")

    CliRunner().invoke(app, ["bench", "--install-peers", "--peers", "/p"])

    assert (benches.parent / "asked").read_text() == "/p"


def test_the_peers_do_not_get_into_our_own_environment() -> None:
    peers = runpy.run_path(str(cli_bench.INSTALLER))

    assert not peers["default_folder"]().is_relative_to(sys.prefix)

"""A table keeps every cell whole, names left and numbers right, on a terminal of any width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.cli_tables import print_table

if TYPE_CHECKING:
    import pytest


def test_nothing_is_cut_and_numbers_stand_right(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    name = "a-long-name-of-a-base-model"

    print_table("Costs", ("base", "kind", "s"), [(name, "x", "100.5"), ("b", "y", "2")], names=2)

    lines = capsys.readouterr().out.splitlines()
    assert name in lines[2]
    assert lines[3].startswith("b ")
    assert lines[2].index("x") == lines[3].index("y")
    assert lines[2].rstrip().endswith("100.5")
    assert len(lines[2].rstrip()) == len(lines[3].rstrip())

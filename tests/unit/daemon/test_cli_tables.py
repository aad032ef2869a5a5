"""A table keeps every cell whole, names left and numbers right, on a terminal of any width."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daemon.cli_tables import print_table

if TYPE_CHECKING:
    from collections.abc import Callable

METRICS = ("rouge_1", "rouge_2", "rouge_l", "precision", "recall")
VALUE = "100.0 (100.0-100.0)"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Make the output a plain terminal of so many columns."""

    def made(columns: int) -> None:
        for name, told in (("TTY_COMPATIBLE", "1"), ("TERM", "dumb"), ("COLUMNS", str(columns))):
            monkeypatch.setenv(name, told)

    return made


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


def test_a_table_too_wide_for_the_terminal_becomes_several_with_the_names_in_each(
    capsys: pytest.CaptureFixture[str], terminal: Callable[[int], None]
) -> None:
    terminal(80)

    print_table("Words", ("on", "by", *METRICS), [("north", "model", *[VALUE] * 5)], names=2)

    shown = capsys.readouterr().out
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 80
    assert shown.count(VALUE) == 5
    assert [line.split() for line in lines if "rouge_1" in line or "recall" in line] == [
        ["on", "by", "rouge_1", "rouge_2", "rouge_l"],
        ["on", "by", "precision", "recall"],
    ]
    assert [line.split()[:2] for line in lines if VALUE in line] == [["north", "model"]] * 2
    assert [line.strip() for line in lines if "of 2" in line] == [
        "Words (1 of 2)",
        "Words (2 of 2)",
    ]


def test_a_name_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("Parts [/b]", ("part", "n"), [("site [red]x[/]", "1"), ("site :bug:", "2")])

    shown = capsys.readouterr().out
    assert "site [red]x[/]" in shown
    assert "site :bug:" in shown
    assert "Parts [/b]" in shown


def test_where_the_output_is_no_terminal_a_wide_table_becomes_several_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table("Words", ("on", *METRICS * 2), [("north", *[VALUE] * 10)])

    shown = capsys.readouterr().out
    assert shown.count(VALUE) == 10
    assert "…" not in shown


@pytest.mark.parametrize("columns", [30, 60])
def test_a_text_that_no_terminal_takes_is_folded_and_whole(
    columns: int, capsys: pytest.CaptureFixture[str], terminal: Callable[[int], None]
) -> None:
    terminal(columns)
    text = ", ".join(f"system {number}" for number in range(20))

    print_table("Institutions", ("name", "systems"), [("a-long-name-of-a-place", text)])

    lines = capsys.readouterr().out.splitlines()
    assert "a-long-name-of-a-place" in lines[2]
    folded = " ".join(line.removeprefix("a-long-name-of-a-place").strip() for line in lines[2:])
    assert folded == text

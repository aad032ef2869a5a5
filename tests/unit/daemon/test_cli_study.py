"""study design, import, analyse and power as they are called."""

from __future__ import annotations

import importlib.util
import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from daemon.cli import app
from daemon.errors import ConfigurationError
from mappings.errors import PrelimError
from model.errors import EngineUnavailableError
from tests.unit.model.study_samples import answer_at_random, fill_in, write_drafts

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


def call(*arguments: object) -> Result:
    result = CliRunner().invoke(app, ["study", *(str(one) for one in arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def refused(*arguments: object) -> PrelimError:
    with pytest.raises(PrelimError) as caught:
        call(*arguments)
    return caught.value


@pytest.fixture
def study(tmp_path: Path) -> Path:
    drafts = write_drafts(tmp_path / "drafts.jsonl", 12)
    options = ("--readers", 2, "--cases", 6, "--timed-cases", 4, "--seed", 1)
    call("design", "--drafts", drafts, "--out", tmp_path / "study", *options)
    return tmp_path / "study"


def filled(study: Path, folder: Path) -> list[Path]:
    forms = sorted((study / "forms").glob("*.csv"))
    return [fill_in(form, answer_at_random(2), folder) for form in forms]


def test_a_study_goes_from_drafts_to_its_report(study: Path, tmp_path: Path) -> None:
    taken = call("import", study, *filled(study, tmp_path)).stdout
    written = call("analyse", study).stdout.splitlines()

    assert taken.splitlines() == [
        "R01-timing: 4 of 4 rows",
        "R01: 6 of 6 rows",
        "R02-timing: 4 of 4 rows",
        "R02: 6 of 6 rows",
    ]
    assert str(study / "report" / "report.html") in written
    assert all((study / "report" / name).is_file() for name in ("report.md", "time.svg"))


def test_design_says_what_it_wrote_and_what_to_keep_from_readers(tmp_path: Path) -> None:
    drafts = write_drafts(tmp_path / "drafts.jsonl", 6)
    with drafts.open("a") as file:
        file.write('{"report_id": "x", "findings": "F", "draft": "", "reference": "R"}\n')
    options = ("--drafts", drafts, "--readers", 1, "--cases", 3, "--seed", 1)

    told = call("design", *options, "--out", tmp_path / "a").stdout
    as_json = json.loads(call("design", *options, "--out", tmp_path / "b", "--json").stdout)

    assert told.splitlines() == [
        str(tmp_path / "a" / "forms" / "R01.csv"),
        f"{tmp_path / 'a' / 'key.json'}: keep it from the readers",
        "1 cases left out: findings or a text is empty",
    ]
    assert as_json["left_out_without_text"] == 1
    assert as_json["forms"] == [str(tmp_path / "b" / "forms" / "R01.csv")]


def test_wrong_rows_end_with_two_are_all_told_and_nothing_is_kept(
    study: Path, tmp_path: Path
) -> None:
    forms = filled(study, tmp_path)
    lines = forms[1].read_text().splitlines()
    lines.append(lines[1])
    forms[1].write_text("\n".join(lines))

    result = call("import", study, *forms)
    as_json = call("import", study, *forms, "--json")

    assert (result.exit_code, as_json.exit_code) == (2, 2)
    assert result.stderr.splitlines() == [
        f"prelim: R01.csv row {row}.item: row_comes_twice" for row in (2, 8)
    ]
    assert [json.loads(line)["where"] for line in as_json.stdout.splitlines()] == [
        "R01.csv row 2.item",
        "R01.csv row 8.item",
    ]
    assert not (study / "answers").exists()


def test_what_is_printed_holds_no_text_of_a_report(study: Path, tmp_path: Path) -> None:
    call("import", study, *filled(study, tmp_path))

    told = call("analyse", study, "--json").stdout + call("analyse", study).stdout

    assert not [word for word in ("odule", "drafted", "case-") if word in told]


def test_answers_are_not_replaced_by_mistake(study: Path, tmp_path: Path) -> None:
    forms = filled(study, tmp_path)
    call("import", study, *forms)

    assert refused("import", study, *forms).reason == "answers_are_there_already"
    taken = [
        json.loads(line)
        for line in call("import", study, *forms, "--replace", "--json").stdout.splitlines()
    ]
    assert taken[1] == {"form": "R01", "rows": 6, "of": 6}


def test_analyse_prints_the_numbers_as_json(study: Path, tmp_path: Path) -> None:
    call("import", study, *filled(study, tmp_path))

    told = json.loads(call("analyse", study, "--out", tmp_path / "out", "--json").stdout)

    assert told == json.loads((tmp_path / "out" / "report.json").read_text())
    assert told["kind"] == "comparison"


@pytest.mark.parametrize(
    ("arguments", "first"),
    [
        (("difference", "--difference", 0.5, "--sd", 1), "36 cases; readers of each: 1"),
        (("margin", "--expected", 0.75, "--threshold", 0.5), "29 cases; readers of each: 1"),
    ],
)
def test_power_says_how_many_cases_and_by_which_method(
    arguments: tuple[object, ...], first: str
) -> None:
    lines = call("power", *arguments).stdout.splitlines()

    assert lines[0] == first
    assert lines[1].startswith("power reached: 0.8")
    assert lines[2].startswith("by ")


def test_power_of_a_kappa_is_simulated_from_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.study.power.SIMULATIONS", 50)
    options = ("power", "kappa", "--expected", 0.6, "--half-width", 0.15, "--readers", 3, "--json")

    told = [json.loads(call(*options, "--seed", seed).stdout) for seed in (1, 1, 2)]

    assert told[0] == told[1]
    assert told[0]["reached"] != told[2]["reached"]
    assert "seed 1" in told[0]["method"]


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (("difference", "--difference", 0, "--sd", 1), "--difference"),
        (("difference", "--difference", 1, "--sd", "nan"), "--sd"),
        (("kappa", "--expected", 0.5, "--half-width", -1), "--half-width"),
        (("kappa", "--expected", 0.5, "--half-width", 0.1, "--shares", "a,b"), "--shares"),
    ],
)
def test_a_wrong_option_of_power_is_refused_by_its_name(
    arguments: tuple[object, ...], where: str
) -> None:
    error = refused("power", *arguments)

    assert isinstance(error, ConfigurationError)
    assert error.where == where


def test_without_its_libraries_the_extra_is_named(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    error = refused("analyse", study)

    assert isinstance(error, EngineUnavailableError)
    assert "prelim[study]" in error.reason

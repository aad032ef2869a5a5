"""clean as it is called: the funnel on the screen, the files, the judgement, what is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from daemon.cli import app
from mappings.errors import PrelimError
from model.corpora.schema import CorpusRow, write_corpus_file
from model.synth.corpus import report_row

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


def call(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.jsonl"
    rows = [report_row(7, "test", number) for number in range(30)]
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, rows[0]]))
    return path


def test_the_funnel_is_printed_and_the_report_written(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    printed = call("clean", corpus, "--out", out).stdout

    assert "31 reports read, 30 kept" in printed
    assert ["duplicate", "1", "1", "30"] in [line.split() for line in printed.splitlines()]
    assert {path.name for path in out.iterdir()} == {
        "kept.jsonl",
        "removed.jsonl",
        "samples.jsonl",
        "ledger.json",
        "report.md",
        "report.html",
        "funnel.svg",
    }


def import_of(folder: Path, name: str, *impressions: str) -> Path:
    findings = "The lungs are clear. The heart is not enlarged. There is no pleural effusion."
    rows = [f"{at},{findings},{told}" for at, told in enumerate(impressions)]
    table = folder / f"{name}.csv"
    table.write_text("\n".join(["report_id,findings,impression", *rows, ""]))
    call("corpus", "import", table, "--out", folder / f"{name}.jsonl")
    return folder / f"{name}.jsonl"


def test_the_record_of_an_import_goes_through_two_cleanings_to_the_splits(tmp_path: Path) -> None:
    data = import_of(tmp_path, "a", "No acute disease.", "No acute disease.", "")
    folders = [tmp_path / name for name in ("once", "twice", "split")]
    rules = tmp_path / "rules.yaml"
    rules.write_text("duplicate: {enabled: false}\nnear_duplicate: {enabled: false}\n")

    call("clean", data, "--out", folders[0], "--config", rules)
    call("clean", folders[0] / "kept.jsonl", "--out", folders[1])
    call("corpus", "split", folders[1] / "kept.jsonl", "--out", folders[2], "--by", "patient")

    ledgers = [json.loads((folder / "ledger.json").read_text()) for folder in folders[:2]]
    assert [ledger["kept"] for ledger in ledgers] == [2, 1]
    record = json.loads((tmp_path / "a.jsonl.import.json").read_text())
    for folder in folders:
        told = json.loads((folder / "import.json").read_text())
        assert {name: told[name] for name in record} == record


def test_a_folder_cleaned_into_again_keeps_no_record_of_the_corpus_before(
    corpus: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    call("clean", import_of(tmp_path, "a", "No acute disease."), "--out", out)
    assert (out / "import.json").is_file()

    call("clean", corpus, "--out", out)

    assert not (out / "import.json").exists()


def test_a_corpus_cleaned_into_its_own_folder_keeps_its_record(tmp_path: Path) -> None:
    out = tmp_path / "out"
    call("clean", import_of(tmp_path, "a", "No acute disease.", ""), "--out", out)
    (out / "kept.jsonl").rename(out / "before.jsonl")
    once = json.loads((out / "ledger.json").read_text())["kept_sha256"]

    call("clean", out / "before.jsonl", "--out", out)

    assert json.loads((out / "import.json").read_text())["through"] == [once]


def test_a_rule_can_be_switched_off(corpus: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("duplicate: {enabled: false}\nnear_duplicate: {enabled: false}\n")

    told = json.loads(
        call("clean", corpus, "--out", tmp_path / "out", "--config", rules, "--json").stdout
    )

    assert told["kept"] == 31
    assert {one["rule"]: one["alone"] for one in told["rules"]}["duplicate"] == 1
    assert "judged" not in told


def test_the_rules_are_judged_against_a_known_truth(corpus: Path, tmp_path: Path) -> None:
    dirty, truth = tmp_path / "dirty.jsonl", tmp_path / "truth.jsonl"
    call("corpus", "dirty", corpus, "--out", dirty, "--truth", truth, "--share", 1)
    arguments = ("clean", dirty, "--out", tmp_path / "out", "--truth", truth)

    printed = call(*arguments).stdout
    told = json.loads(call(*arguments, "--json").stdout)

    judged = {one["rule"]: one for one in told["judged"]}
    assert judged["addendum"]["recall"] == 1.0
    assert "each rule by itself, against the truth" in printed


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["none.jsonl"], "cannot read"),
        (["corpus.jsonl", "--config", "none.yaml"], "cannot_read_file"),
        (["corpus.jsonl", "--truth", "none.jsonl"], "cannot_read_file"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_corpus_file(tmp_path / "corpus.jsonl", [CorpusRow("r1")])

    with pytest.raises(PrelimError, match=reason):
        call("clean", *arguments, "--out", "out")

"""corpus import, split and dirty as they are called: from every source, and what is refused."""

from __future__ import annotations

import asyncio
import hashlib
import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

import daemon
from daemon.cli import app
from daemon.clock import SystemClock
from daemon.journal_sqlite import open_journal
from mappings.domain import ReportKey, ReportStatus, Sections
from mappings.errors import PrelimError
from model.corpora.schema import CorpusRow, read_corpus, write_corpus_file
from tests.unit.daemon.journal_samples import make_new, receive

if TYPE_CHECKING:
    from click.testing import Result

SAMPLES = Path(daemon.__file__).parent / "samples"
WITH_IMPRESSION = SAMPLES / "10_xr_chest_with_impression.hl7"
CSV = (
    "report_id,patient,exam_display,date,findings,impression\n"
    'A1,77,CT CHEST,2026-03-04,"Told Dr. Lee of a nodule in the lung.",Nodule.\n'
    "A2,77,CT CHEST,2026-03-05,Lungs are clear again.,Normal.\n"
    "A2,77,CT CHEST,2026-03-05,Lungs are clear again now.,Normal.\n"
)


def call(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "reports.csv"
    path.write_text(CSV)
    return path


def test_a_table_becomes_a_corpus_in_which_the_last_version_stands(
    table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "corpus.jsonl"

    told = json.loads(call("corpus", "import", table, "--out", out, "--json").stdout)

    first, second = read_corpus(out)
    assert (told["rows"], told["passed_over"]) == (2, {"older_version": 1})
    assert second.findings == "Lungs are clear again now."
    assert first.patient_key == second.patient_key
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {
        "reports.csv",
        "corpus.jsonl",
        "corpus.jsonl.import.json",
        "corpus.jsonl.salt",
    }


def test_the_salt_is_made_once_private_and_makes_the_same_keys_again(
    table: Path, tmp_path: Path
) -> None:
    salt = tmp_path / "salt"
    one, two, other = (tmp_path / name for name in ("one.jsonl", "two.jsonl", "other.jsonl"))

    for out in (one, two):
        call("corpus", "import", table, "--out", out, "--salt-file", salt)
    call("corpus", "import", table, "--out", other)

    assert one.read_bytes() == two.read_bytes() != other.read_bytes()
    assert stat.S_IMODE(salt.stat().st_mode) == 0o600


def test_names_are_taken_out_and_counted(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus.jsonl"

    printed = call("corpus", "import", table, "--out", out, "--deidentify").stdout

    assert "taken out, NAME: 1" in printed
    assert "Lee" not in out.read_text()
    assert next(read_corpus(out)).date == "2026-03"


def test_what_was_read_passed_over_and_taken_out_is_kept_beside_the_corpus_without_a_text(
    table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "corpus.jsonl"

    shown = call("corpus", "import", table, "--out", out, "--deidentify").stdout

    record = tmp_path / "corpus.jsonl.import.json"
    text = record.read_text()
    assert json.loads(text) == {
        "version": "import/1",
        "sha256": hashlib.sha256(out.read_bytes()).hexdigest(),
        "read": 3,
        "rows": 2,
        "passed_over": {"older_version": 1},
        "is_deidentified": True,
        "deidentified": {"NAME": 1},
        "changed_rows": 1,
    }
    assert not [word for word in ("Lee", "nodule", "CHEST", "A1", "2026") if word in text]
    assert f"{out}: 2 of 3 reports read" in shown
    assert f"{record}: these counts" in shown


def test_a_corpus_whose_texts_were_left_as_they_were_says_so(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus.jsonl"

    told = json.loads(call("corpus", "import", table, "--out", out, "--json").stdout)

    assert told["record"] == f"{out}.import.json"
    assert (told["is_deidentified"], told["deidentified"], told["changed_rows"]) == (False, {}, 0)


def test_final_messages_become_rows_and_the_others_are_counted(tmp_path: Path) -> None:
    out = tmp_path / "corpus.jsonl"
    files = sorted(SAMPLES.glob("*.hl7"))

    printed = call("corpus", "import", *files, "--out", out).stdout

    rows = list(read_corpus(out))
    assert [row.impression != "" for row in rows] == [True]
    assert "passed over" in printed


def test_the_journals_final_reports_become_rows(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    spoken = Sections(findings="Nodule in the left lung.", impression="Lung nodule.")
    asked = [
        make_new(ReportStatus.FINAL, key=ReportKey("a" * 64), skip="impression_present"),
        make_new(ReportStatus.PRELIMINARY, key=ReportKey("b" * 64), skip="no_findings", group=1),
        make_new(ReportStatus.FINAL, key=ReportKey("c" * 64), skip="own_draft", group=2),
    ]
    reports = [replace(new, study=replace(new.study, sections=spoken)) for new in asked]

    async def fill() -> None:
        journal = open_journal(data / "journal.sqlite", clock=SystemClock())
        await journal.record_mapped(await receive(journal), reports)
        await journal.close()

    asyncio.run(fill())
    out = tmp_path / "corpus.jsonl"

    told = json.loads(
        call("corpus", "import", "--journal", "--data", data, "--out", out, "--json").stdout
    )

    assert [row.impression for row in read_corpus(out)] == ["Lung nodule."]
    assert told["passed_over"] == {"not_final": 1, "own_draft": 1}


def write_rows(path: Path) -> Path:
    """Sixty patients at two sites, a month after another."""
    rows = (
        CorpusRow(
            f"r{number}",
            site=("north", "south")[number % 2],
            patient_key=f"p{number}",
            findings=" ".join(f"word{number}x{at}" for at in range(20)),
            impression="Nothing.",
            date=f"2026-{1 + number // 6:02d}-01",
        )
        for number in range(60)
    )
    write_corpus_file(path, rows)
    return path


@pytest.mark.parametrize(
    ("options", "counts"),
    [
        (["--by", "patient"], {"train": 48, "dev": 6, "test": 6, "aside": 0}),
        (["--by", "site", "--test", "south"], {"train": 30, "dev": 0, "test": 30, "aside": 0}),
        (
            ["--by", "time", "--dev-from", "2026-09", "--test-from", "2026-10"],
            {"train": 48, "dev": 6, "test": 6, "aside": 0},
        ),
    ],
)
def test_a_corpus_is_split_into_files(
    tmp_path: Path, options: list[str], counts: dict[str, int]
) -> None:
    data = write_rows(tmp_path / "corpus.jsonl")
    out = tmp_path / "split"

    printed = call("corpus", "split", data, "--out", out, *options).stdout

    assert json.loads((out / "corpus.json").read_text())["counts"] == counts
    written = {name: len(list(read_corpus(out / f"{name}.jsonl"))) for name in counts}
    assert written == counts
    assert f"test: {counts['test']}" in printed


def test_the_ledger_of_its_cleaning_goes_with_a_corpus_and_another_files_does_not(
    tmp_path: Path,
) -> None:
    data = tmp_path / "corpus.jsonl"
    findings = "The lungs are clear. The heart is not enlarged. There is no pleural effusion."
    write_corpus_file(data, [CorpusRow("r", findings=findings, impression="No acute disease.")])
    call("clean", data, "--out", tmp_path / "cleaned")
    kept = tmp_path / "cleaned" / "kept.jsonl"

    call("corpus", "split", kept, "--out", tmp_path / "split", "--by", "patient")
    kept.write_bytes(kept.read_bytes() + data.read_bytes())
    call("corpus", "split", kept, "--out", tmp_path / "other", "--by", "patient")

    ledger = (tmp_path / "cleaned" / "ledger.json").read_bytes()
    assert (tmp_path / "split" / "ledger.json").read_bytes() == ledger
    assert not (tmp_path / "other" / "ledger.json").exists()
    call("corpus", "split", data, "--out", tmp_path / "split", "--by", "patient")
    assert not (tmp_path / "split" / "ledger.json").exists()


def test_the_record_of_its_import_goes_with_a_corpus_and_another_ones_does_not(
    table: Path, tmp_path: Path
) -> None:
    data = tmp_path / "corpus.jsonl"
    call("corpus", "import", table, "--out", data, "--deidentify")
    record = (tmp_path / "corpus.jsonl.import.json").read_bytes()

    call("corpus", "split", data, "--out", tmp_path / "split", "--by", "patient")
    data.write_bytes(data.read_bytes() * 2)
    call("corpus", "split", data, "--out", tmp_path / "other", "--by", "patient")

    assert (tmp_path / "split" / "import.json").read_bytes() == record
    assert not (tmp_path / "other" / "import.json").exists()


def test_the_record_of_its_import_goes_through_a_cleaning_to_the_splits(tmp_path: Path) -> None:
    table, data, cleaned = (tmp_path / name for name in ("a.csv", "corpus.jsonl", "cleaned"))
    findings = "The lungs are clear. The heart is not enlarged. There is no pleural effusion."
    rows = f"r1,{findings},No acute disease.\nr2,{findings},\n"
    table.write_text(f"report_id,findings,impression\n{rows}")
    call("corpus", "import", table, "--out", data)
    call("clean", data, "--out", cleaned)
    kept = cleaned / "kept.jsonl"

    call("corpus", "split", kept, "--out", tmp_path / "split", "--by", "patient")
    kept.write_bytes(kept.read_bytes() * 2)
    call("corpus", "split", kept, "--out", tmp_path / "other", "--by", "patient")

    record = json.loads((tmp_path / "corpus.jsonl.import.json").read_text())
    ledger = json.loads((cleaned / "ledger.json").read_text())
    assert (record["rows"], ledger["kept"]) == (2, 1)
    told = json.loads((tmp_path / "split" / "import.json").read_text())
    assert told == record | {"through": [ledger["kept_sha256"]]}
    assert not (tmp_path / "other" / "import.json").exists()


def test_a_record_that_cannot_be_written_is_told(table: Path, tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl.import.json").mkdir()

    with pytest.raises(PrelimError, match="cannot write") as caught:
        call("corpus", "import", table, "--out", tmp_path / "corpus.jsonl")

    assert caught.value.where.endswith("corpus.jsonl: its record")


def test_a_dirtied_corpus_has_its_truth_beside_it(tmp_path: Path) -> None:
    data = write_rows(tmp_path / "corpus.jsonl")
    out, truth = tmp_path / "dirty.jsonl", tmp_path / "truth.jsonl"

    call("corpus", "dirty", data, "--out", out, "--truth", truth, "--share", 0.5)

    told = [json.loads(line) for line in truth.read_text().splitlines()]
    assert [one["report_id"] for one in told] == [row.report_id for row in read_corpus(out)]
    assert {one["rule"] for one in told} > {"clean", "addendum"}


@pytest.mark.parametrize("text", ["[1]", "{}", "no", '{"kept_sha256": [], "source_sha256": null}'])
def test_a_ledger_that_is_not_ours_stays_where_it_is(tmp_path: Path, text: str) -> None:
    data = write_rows(tmp_path / "corpus.jsonl")
    (tmp_path / "ledger.json").write_text(text)

    call("corpus", "split", data, "--out", tmp_path / "out", "--by", "patient")

    assert not (tmp_path / "out" / "ledger.json").exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["import", "--out", "x.jsonl"], "nothing to read"),
        (["split", "none.jsonl", "--out", "x", "--by", "patient"], "cannot_read_file"),
        (["import", "none.hl7", "--out", "x.jsonl"], "cannot read"),
        (["import", "none.csv", "--out", "gone/x.jsonl"], "cannot write"),
        (["import", "--journal", "--data", "nowhere", "--out", "x.jsonl"], "no journal"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], reason: str
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(PrelimError, match=reason):
        call("corpus", *arguments)


@pytest.mark.parametrize(
    "by", [("patient",), ("time", "--dev-from", "2026-01", "--test-from", "2026-02")]
)
def test_a_corpus_without_reports_is_not_split_and_nothing_is_written(
    by: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    asked = ("corpus", "split", tmp_path / "empty.jsonl", "--out", tmp_path / "out", "--by", *by)

    with pytest.raises(PrelimError, match="no_reports") as caught:
        call(*asked)

    assert caught.value.where == str(tmp_path / "empty.jsonl")
    assert not (tmp_path / "out").exists()

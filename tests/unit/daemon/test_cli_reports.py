"""dry-run and draft on files: what is printed, and how they exit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from daemon.cli import app
from daemon.errors import ConfigurationError

SAMPLES = Path(__file__).parents[3] / "daemon" / "samples"
CONTRACT = {
    *("source", "index", "group", "ok", "error", "standard", "message_control_id", "message_type"),
    *("sending_application", "sending_facility", "patient_id", "accession_number"),
    *("placer_order_number", "filler_order_number", "exam", "report_status", "observed_at"),
    *("site", "language", "findings", "impression", "indication", "decision", "reason"),
}


def run(*arguments: str, stdin: bytes = b"") -> tuple[int, list[dict[str, object]]]:
    result = CliRunner().invoke(app, [*arguments], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    lines = [line for line in result.stdout.splitlines() if line.startswith("{")]
    return result.exit_code, [json.loads(line) for line in lines]


def test_dry_run_prints_the_contract_for_each_message_and_exits_1_when_one_is_bad() -> None:
    files = sorted(str(file) for file in SAMPLES.glob("*.hl7"))

    code, records = run("dry-run", "--json", *files)

    assert code == 1
    assert len(records) >= 12
    assert all(record.keys() >= CONTRACT for record in records)  # names are added, never renamed
    decisions = {str(record["source"])[-30:-4]: record["decision"] for record in records}
    assert list(decisions.values()).count("draft") == 9


def test_dry_run_of_good_messages_exits_0() -> None:
    code, [record] = run("dry-run", "--json", str(SAMPLES / "01_ct_chest_nodule.hl7"))

    assert code == 0
    assert record["ok"] is True
    assert str(record["findings"]).startswith("There is a 9 mm solid nodule")


def test_a_file_of_many_messages_and_stdin_are_read() -> None:
    many = b"".join(sorted(file.read_bytes() for file in SAMPLES.glob("0*.hl7")))

    _, records = run("dry-run", "--json", "-", stdin=many)

    assert [record["index"] for record in records] == list(range(9))
    assert {record["source"] for record in records} == {"-"}


@pytest.mark.parametrize("command", [("dry-run",), ("draft", "--engine", "extractive")])
def test_the_listener_that_messages_are_taken_to_come_by_chooses_the_site(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "sites" / "anna").mkdir(parents=True)
    (tmp_path / "sites" / "anna" / "site.yaml").write_text("match: {listener: ct}", "utf-8")
    (tmp_path / "prelim.yaml").write_text(f"sites: {tmp_path / 'sites'}", "utf-8")
    sample = str(SAMPLES / "01_ct_chest_nodule.hl7")
    asked = (*command, "--json", "--config", str(tmp_path / "prelim.yaml"), sample)

    _, [by_listener] = run(*asked, "--listener", "ct")
    _, [by_none] = run(*asked)

    assert (by_listener["site"], by_none["site"]) == ("anna", "default")


def test_people_are_told_the_decision_first() -> None:
    result = CliRunner().invoke(app, ["dry-run", str(SAMPLES / "11_laboratory_blood_count.hl7")])

    assert "[0.0] skip (not_radiology)" in result.stdout


def test_people_are_not_told_of_what_is_not_known(tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    file.write_text("{}")

    result = CliRunner().invoke(app, ["dry-run", str(file)])

    first, *rest = result.stdout.splitlines()
    assert first.endswith("reject (not_a_resource)")
    assert rest == ["  error: not_a_resource at resourceType"]


def test_draft_adds_the_impression_and_the_checks() -> None:
    code, [record] = run(
        "draft", "--json", "--engine", "extractive", str(SAMPLES / "01_ct_chest_nodule.hl7")
    )

    assert code == 0
    assert "9 mm" in str(record["draft"])
    assert {check["check"] for check in record["checks"]} >= {"empty", "side_not_in_findings"}  # type: ignore[attr-defined]
    assert record["engine"]["is_demo"] is True  # type: ignore[index]


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (["dry-run", "/nowhere.hl7"], "/nowhere.hl7"),
        (["send", str(SAMPLES / "01_ct_chest_nodule.hl7"), "--to", "nowhere"], "--to"),
        (["send", str(SAMPLES / "01_ct_chest_nodule.hl7"), "--to", "127.0.0.1:65536"], "--to"),
    ],
)
def test_a_wrong_call_names_what_is_wrong(arguments: list[str], where: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        run(*arguments)

    assert caught.value.where == where


def test_send_to_a_url_posts_fhir(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text('{"resourceType": "DiagnosticReport"}')

    result = CliRunner().invoke(app, ["send", "--to", "http://127.0.0.1:1/fhir", str(report)])

    assert result.exit_code == 1
    assert "no answer (" in result.stdout


def test_each_line_of_an_ndjson_file_is_a_resource(tmp_path: Path) -> None:
    file = tmp_path / "reports.ndjson"
    report = (SAMPLES.parents[1] / "tests/vectors/fhir/reports/uk_core.json").read_text()
    file.write_text(" ".join(report.split()) + "\n\n" + '{"resourceType": "Patient"}\n')

    code, records = run("dry-run", "--json", str(file))

    assert [(one["index"], one["decision"]) for one in records] == [(0, "draft"), (1, "reject")]
    assert code == 1

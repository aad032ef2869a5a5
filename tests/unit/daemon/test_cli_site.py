"""prelim site: folders are read as the daemon would, and proposed from messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from daemon.cli import app
from daemon.errors import ConfigurationError
from mappings.errors import SiteMappingError
from tests.unit.mappings.feed_samples import NAMES, feed

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["site", *map(str, arguments)])


@pytest.fixture
def messages(tmp_path: Path) -> Path:
    folder = tmp_path / "samples"
    folder.mkdir()
    for number, payload in enumerate(feed()):
        (folder / f"{number}.hl7").write_bytes(payload)
    return folder


@pytest.fixture
def sites(tmp_path: Path) -> Path:
    folder = tmp_path / "sites"
    for name, text in (
        ("anna", "match: {sending_application: ANNA*}\nobservation_codes: {BER: body}\n"),
        ("berta", "match: {sending_facility: ST-*}\norder: 5\n"),
    ):
        (folder / name).mkdir(parents=True)
        (folder / name / "site.yaml").write_text(text, encoding="utf-8")
    return folder


def test_the_sites_are_told_in_their_order_with_what_overlaps(sites: Path) -> None:
    result = run("check", sites)

    assert result.exit_code == 0
    assert "2 site folders" in result.stdout
    assert result.stdout.index("berta: sending_application *") < result.stdout.index("anna: ")
    assert "berta and anna can know the same sender; berta takes it" in result.stdout


def test_what_is_understood_of_messages_is_counted(sites: Path, messages: Path) -> None:
    told = json.loads(run("check", sites / "anna", "--messages", messages, "--json").stdout)

    (coverage,) = told["coverage"]
    assert [site["name"] for site in told["sites"]] == ["anna"]
    assert (coverage["site"], coverage["reports"]) == ("anna", 12)
    assert coverage["found"]["findings"] == 12
    assert coverage["unknown"]["observation_codes"] == {"HIN": 12}


def test_files_after_the_first_belong_to_the_messages_as_a_shell_writes_them(
    sites: Path, messages: Path
) -> None:
    result = run("check", sites, "--messages", *sorted(messages.iterdir()))

    assert "berta: 12 messages, 12 radiology reports" in result.stdout
    assert isinstance(run("check", sites, "a.hl7").exception, ConfigurationError)


def test_the_listener_of_the_messages_can_be_said(sites: Path, messages: Path) -> None:
    (sites / "anna" / "site.yaml").write_text("match: {listener: ct}\norder: 1\n", "utf-8")

    told = json.loads(
        run("check", sites, "--messages", messages, "--listener", "ct", "--json").stdout
    )

    assert [one["site"] for one in told["coverage"]] == ["anna"]


def test_a_folder_that_is_wrong_is_refused_with_file_and_field(sites: Path) -> None:
    (sites / "anna" / "obx3.csv").write_text("code,section\nA,findigns\n", encoding="utf-8")

    refused = run("check", sites).exception

    assert isinstance(refused, SiteMappingError)
    assert refused.where == "anna/site.yaml: observation_codes and obx3.csv"


def test_what_is_learned_is_written_and_can_be_checked(messages: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "sites"

    result = run("learn", messages, "--out", out)

    assert result.exit_code == 0
    assert "st-anna-annaris: MSH-3 ANNARIS, MSH-4 ST-ANNA; 12 radiology reports" in result.stdout
    assert "proposed accession: OBR-19" in result.stdout
    checked = json.loads(run("check", out, "--messages", messages, "--json").stdout)
    assert checked["coverage"][0]["found"]["accession"] == 12
    assert checked["coverage"][0]["site"] == "st-anna-annaris"


def test_a_folder_that_is_there_is_never_written_over(messages: Path, tmp_path: Path) -> None:
    (tmp_path / "st-anna-annaris").mkdir()

    result = run("learn", messages, "--out", tmp_path)

    assert isinstance(result.exception, ConfigurationError)
    assert list((tmp_path / "st-anna-annaris").iterdir()) == []


def test_no_patient_data_is_printed(sites: Path, messages: Path) -> None:
    printed = "".join(
        run(*command).stdout
        for command in (
            ("learn", messages),
            ("learn", messages, "--json"),
            ("check", sites, "--messages", messages),
            ("check", sites, "--messages", messages, "--json"),
        )
    )

    assert "PRELIM-DIKTIERT" in printed
    for value in (*NAMES, "A90000", "P500", "Lunge", "DOKTORIN"):
        assert value not in printed


def test_messages_without_a_report_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "a.hl7").write_bytes(feed(1)[0].replace(b"ORU^R01", b"ADT^A01"))

    result = run("learn", tmp_path / "a.hl7")

    assert (result.exit_code, result.stdout) == (1, "no radiology report in these messages\n")
    assert isinstance(run("learn", tmp_path / "none.hl7").exception, ConfigurationError)

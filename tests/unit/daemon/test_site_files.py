"""Site folders are read before the first message, and refused whole when one is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon import site_files
from daemon.site_files import load_sites
from mappings.domain import Exam, Laterality, Modality, ReportStatus
from mappings.errors import SiteMappingError


def write_site(folder: Path, name: str, text: str) -> None:
    (folder / name).mkdir()
    (folder / name / "site.yaml").write_text(text, encoding="utf-8")


def test_each_folder_is_a_site_matched_by_its_sender(tmp_path: Path) -> None:
    write_site(tmp_path, "north", "match: {sending_application: NORTH*}\nlanguage: de\n")
    write_site(tmp_path, "south", "match: {sending_application: SOUTHRIS}\n")

    sites = load_sites(tmp_path)

    assert sites.match("NORTHRIS", "ANY").language == "de"
    assert sites.match("SOUTHRIS", None).name == "south"
    assert sites.match("ELSEWHERE", None).name == "default"


def test_without_a_folder_everything_is_the_default_site() -> None:
    assert load_sites(None).match("ANY", "ANY").name == "default"


@pytest.mark.parametrize("text", ["langage: de\n", "a: [\n", "time_zone: Mars/Olympus\n"])
def test_a_wrong_site_file_is_refused(tmp_path: Path, text: str) -> None:
    write_site(tmp_path, "north", text)

    with pytest.raises(SiteMappingError):
        load_sites(tmp_path)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SiteMappingError) as caught:
        load_sites(tmp_path / "nowhere")

    assert caught.value.reason == "no_such_folder"


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "north").mkdir()
    (tmp_path / "north" / "site.yaml").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(SiteMappingError) as caught:
        load_sites(tmp_path)

    assert caught.value.reason == "cannot_read_file"


def test_a_folder_whose_file_has_another_name_is_not_ignored(tmp_path: Path) -> None:
    (tmp_path / "north").mkdir()
    (tmp_path / "north" / "site.yml").write_text("language: en", encoding="utf-8")
    (tmp_path / ".git").mkdir()

    with pytest.raises(SiteMappingError, match="cannot_read_file"):
        load_sites(tmp_path)


def test_tables_beside_the_site_file_are_read_with_it(tmp_path: Path) -> None:
    write_site(tmp_path, "north", "match: {sending_application: NORTH}\n")
    (tmp_path / "north" / "obx3.csv").write_bytes("\ufeffcode,section\nÄ1,findings\n".encode())
    (tmp_path / "north" / "README.md").write_text("What this is.", encoding="utf-8")

    site = load_sites(tmp_path).named("north")

    assert site.observation_codes == {"Ä1": "findings"}


def test_a_table_whose_name_is_not_known_is_not_ignored(tmp_path: Path) -> None:
    write_site(tmp_path, "north", "match: {sending_application: NORTH}\n")
    (tmp_path / "north" / "exam.csv").write_text("code\n", encoding="utf-8")

    with pytest.raises(SiteMappingError, match=r"unknown_file at north/exam\.csv"):
        load_sites(tmp_path)


def test_a_file_of_a_site_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_files, "FILE_BYTES_MAX", 40)
    write_site(tmp_path, "north", "match: {sending_application: NORTH}\n")
    assert load_sites(tmp_path).named("north").applications == ("NORTH",)
    (tmp_path / "north" / "loinc.csv").write_bytes(b"x" * 41)

    with pytest.raises(SiteMappingError, match=r"file_too_large at north/loinc\.csv"):
        load_sites(tmp_path)


def test_the_example_that_is_shipped_can_be_used() -> None:
    sites = load_sites(Path(__file__).parents[3] / "deploy" / "sites")

    site = sites.match("ANNAPACS2", "ST-ANNA")
    assert site.name == "st-anna"
    assert site.exams["0815"].laterality is Laterality.LEFT
    assert site.observation_codes["BEU"] == "impression"
    assert site.status_words["OBR-25", "VIDIERT"] is ReportStatus.FINAL
    assert [one.section for one in site.headings.find("Ergebnis: unauffällig")] == ["impression"]
    assert site.style_for(Exam(modality=Modality.CT)) == "Numbered list, most important first."

"""A site's files, read strictly."""

from __future__ import annotations

from pathlib import Path

import pytest

from mappings.domain import Laterality, Modality, Region, ReportStatus
from mappings.errors import SiteMappingError
from mappings.exam_codes import ExamEntry
from mappings.site_reading import OBX3_SECTIONS, TABLE_FILES, parse_site
from mappings.sites import DEFAULT_SITE, DraftingRule

MATCH = "match: {sending_application: RIS}\n"
WHOLE = """
order: 5
match: {sending_application: [RIS*, PACS], sending_facility: ANNA, listener: ct, topic: reports}
language: de
time_zone: Europe/Vienna
accession: [OBR-3, OBR-18]
patient_id: PID-2
placer_order: OBR-2
filler_order: [ORC-3]
modality_code: OBR-21
reason: OBR-13
patient_authority: ANNA
observation_codes: {4711: findings, BEUR: impression}
headings: {Befund: findings, Beurteilung: impression}
status_words: {OBR-25: {vidiert: final}, any: {Wet  Read 2: preliminary}}
exams:
  XRH: {modality: DX, region: musculoskeletal, laterality: left, display: XR Hand}
  "099^L": {region: chest}
scope: {modalities: [CT, DX], regions: [chest, musculoskeletal]}
drafting:
  - {modalities: CT, regions: [chest], adapter: ct-chest}
  - {style: Numbered list.}
undeclared_codecs: [8859/15]
validation: structure
output: {oru_target: ris}
"""


def test_every_key_is_read() -> None:
    site = parse_site("anna", WHOLE)

    assert (site.name, site.language, str(site.time_zone)) == ("anna", "de", "Europe/Vienna")
    assert (site.order, site.applications, site.facilities) == (5, ("RIS*", "PACS"), ("ANNA",))
    assert (site.listeners, site.topics) == (("ct",), ("reports",))
    assert site.accession_fields == ("OBR-3", "OBR-18")
    assert (site.patient_fields, site.placer_fields) == (("PID-2",), ("OBR-2",))
    assert (site.filler_fields, site.modality_fields) == (("ORC-3",), ("OBR-21",))
    assert site.reason_fields == ("OBR-13",)
    assert site.patient_authority == "ANNA"
    assert site.observation_codes == {"4711": "findings", "BEUR": "impression"}
    assert [one.section for one in site.headings.find("Befund: frei")] == ["findings"]
    assert [one.section for one in site.headings.find("IMPRESSION: x")] == ["impression"]
    assert site.status_words == {
        ("OBR-25", "VIDIERT"): ReportStatus.FINAL,
        ("any", "WET READ 2"): ReportStatus.PRELIMINARY,
    }
    assert site.exams["XRH"] == ExamEntry(
        Modality.DX, Region.MUSCULOSKELETAL, Laterality.LEFT, "XR Hand"
    )
    assert site.exams["099^L"] == ExamEntry(region=Region.CHEST)
    assert site.modalities == {Modality.CT, Modality.DX}
    assert site.regions == {Region.CHEST, Region.MUSCULOSKELETAL}
    assert site.drafting == (
        DraftingRule(
            frozenset({Modality.CT}), frozenset({Region.CHEST}), adapter="ct-chest", style=None
        ),
        DraftingRule(style="Numbered list."),
    )
    assert site.undeclared_codecs == ("iso8859-15",)
    assert (site.validation, site.oru_target) == ("structure", "ris")


def test_a_site_that_only_says_whom_it_takes_is_the_default_under_its_own_name() -> None:
    site = parse_site("x", MATCH)

    assert (site.language, site.facilities, site.modalities) == ("en", ("*",), None)
    assert site.accession_fields == DEFAULT_SITE.accession_fields
    assert (site.validation, site.undeclared_codecs) == ("off", ("utf-8", "cp1252"))
    assert site.headings is DEFAULT_SITE.headings


def test_a_site_must_say_whom_it_takes_unless_it_takes_all_others() -> None:
    assert parse_site("default", "language: de").language == "de"
    for name, text, reason in (
        ("anna", "language: de", "match_missing"),
        ("anna", "match: {}", "match_missing"),
        ("default", MATCH, "default_has_match"),
    ):
        with pytest.raises(SiteMappingError) as refused:
            parse_site(name, text)
        assert (refused.value.reason, refused.value.where) == (reason, f"{name}/site.yaml: match")


def test_notes_are_text_only_where_the_site_says_so() -> None:
    def read(words: str) -> bool:
        return parse_site("anna", f"match: {{sending_application: A}}\n{words}").notes_are_text

    assert read("notes: text")
    assert not read("notes: ignore")
    assert not read("")
    with pytest.raises(SiteMappingError, match="bad_value"):
        read("notes: maybe")


@pytest.mark.parametrize(
    ("text", "reason", "where"),
    [
        ("langauge: de", "unknown_key", "langauge"),
        ("scope: {modality: CT}", "unknown_key", "scope: modality"),
        ("time_zone: Mars/Base", "bad_value", "time_zone"),
        ("time_zone: ../../etc/passwd", "bad_value", "time_zone"),
        ("accession: [OBR-99]", "bad_value", "accession"),
        ("patient_id: OBR-3", "bad_value", "patient_id"),
        ("language: 7", "bad_value", "language"),
        ("language: German", "bad_value", "language"),
        ("order: first", "bad_value", "order"),
        ("scope: {modalities: []}", "bad_value", "scope: modalities"),
        ("scope: {regions: [toe]}", "bad_value", "scope: regions"),
        ("scope: X", "not_a_mapping", "scope"),
        ("observation_codes: {A: nonsense}", "bad_value", "observation_codes.A"),
        ("observation_codes: [A]", "bad_value", "observation_codes"),
        ("headings: {A: nonsense}", "bad_value", "headings.A"),
        ("status_words: {OBX-3: {A: final}}", "unknown_key", "status_words: OBX-3"),
        ("status_words: {any: {A: done}}", "bad_value", "status_words: any.A"),
        ("exams: [A]", "bad_value", "exams"),
        ("exams: {A: CT}", "not_a_mapping", "exams.A"),
        ("exams: {A: {modality: XX}}", "bad_value", "exams.A: modality"),
        ("exams: {A: {side: left}}", "unknown_key", "exams.A: side"),
        ("drafting: {adapter: x}", "bad_value", "drafting"),
        ("drafting: [{modalities: CT}]", "rule_says_nothing", "drafting[1]"),
        ("drafting: [{adapter: a, size: 1}]", "unknown_key", "drafting[1]: size"),
        ("undeclared_codecs: [utf-16]", "bad_value", "undeclared_codecs"),
        ("validation: strict", "bad_value", "validation"),
        ("output: {fhir: x}", "unknown_key", "output: fhir"),
    ],
)
def test_a_mistake_stops_the_start_and_is_named(text: str, reason: str, where: str) -> None:
    with pytest.raises(SiteMappingError) as refused:
        parse_site("anna", MATCH + text)

    assert (refused.value.reason, refused.value.where) == (reason, f"anna/site.yaml: {where}")


def test_an_unknown_key_of_match_is_named_too() -> None:
    with pytest.raises(SiteMappingError, match=r"unknown_key at anna/site.yaml: match: app"):
        parse_site("anna", "match: {sending_facility: A, app: X}")
    with pytest.raises(SiteMappingError, match=r"unknown_key at anna/site.yaml: match: app"):
        parse_site("anna", "match: {app: X}")


def test_tables_may_stand_in_files_of_their_own() -> None:
    site = parse_site(
        "anna",
        MATCH,
        {
            "obx3.csv": "code,section\nBEF,findings\n",
            "headings.csv": "heading,section\nBefund,findings\n",
            "status_words.csv": "field,word,status\n,Vidiert,final\nOBX-11,X1,preliminary\n",
            "exams.csv": "code,modality,region\nA1,CT,chest\n",
        },
    )

    assert site.observation_codes == {"BEF": "findings"}
    assert [one.section for one in site.headings.find("Befund: frei")] == ["findings"]
    assert site.status_words == {
        ("any", "VIDIERT"): ReportStatus.FINAL,
        ("OBX-11", "X1"): ReportStatus.PRELIMINARY,
    }
    assert site.exams == {"A1": ExamEntry(Modality.CT, Region.CHEST)}


@pytest.mark.parametrize(
    ("text", "files", "reason", "where"),
    [
        ("", {"exam.csv": ""}, "unknown_file", "anna/exam.csv"),
        (
            "exams: {A: {modality: CT}}",
            {"exams.csv": "code\nA\n"},
            "said_twice",
            "anna/site.yaml: exams and exams.csv",
        ),
        (
            "headings: {A: findings}",
            {"headings.csv": "heading,section\n"},
            "said_twice",
            "anna/site.yaml: headings and headings.csv",
        ),
        (
            "",
            {"obx3.csv": "code,section\nA,findings\na,body\n"},
            "given_twice",
            "anna/obx3.csv: row 3: code",
        ),
        (
            "",
            {"obx3.csv": "code,section\nA,nonsense\n"},
            "bad_value",
            "anna/obx3.csv: row 2: section",
        ),
        (
            "",
            {"status_words.csv": "field,word,status\nOBR-3,A,final\n"},
            "bad_value",
            "anna/status_words.csv: row 2: field",
        ),
    ],
)
def test_a_mistake_in_a_file_is_named_by_its_row(
    text: str, files: dict[str, str], reason: str, where: str
) -> None:
    with pytest.raises(SiteMappingError) as refused:
        parse_site("anna", MATCH + text, files)

    assert (refused.value.reason, refused.value.where) == (reason, where)


def test_the_example_of_the_documentation_can_be_read() -> None:
    text = (Path(__file__).parents[3] / "docs" / "SITES.md").read_text(encoding="utf-8")
    example = text.split("```yaml\n")[1].split("```")[0]

    site = parse_site("st-anna", example)

    assert (site.listeners, site.topics) == (("ct-ris",), ("reports.st-anna",))
    assert site.exams["4711"].modality is Modality.CT
    assert (site.validation, site.oru_target) == ("off", "ris")
    assert [one for one in sorted(OBX3_SECTIONS) if f"`{one}`" not in text] == []
    assert {name for name in TABLE_FILES if f"| `{name}` |" in text} == TABLE_FILES

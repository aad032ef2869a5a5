"""Sites: read strictly, matched by sender."""

from __future__ import annotations

import pytest

from mappings.domain import Laterality, Modality, Region
from mappings.errors import SiteMappingError
from mappings.exam_codes import ExamEntry
from mappings.sites import DEFAULT_SITE, Site, SiteSet, parse_site

WHOLE = """
match: {sending_application: [RIS*, PACS], sending_facility: ANNA}
language: de
time_zone: Europe/Vienna
accession: [OBR-3, OBR-18]
patient_authority: ANNA
observation_codes: {4711: findings, BEUR: impression}
headings: {Befund: findings, Beurteilung: impression}
exams:
  XRH: {modality: DX, region: musculoskeletal, laterality: left}
  99: {region: chest}
scope: {modalities: [CT, DX], regions: [chest, musculoskeletal]}
"""


def test_every_key_is_read() -> None:
    site = parse_site("anna", WHOLE)

    assert (site.name, site.language, str(site.time_zone)) == ("anna", "de", "Europe/Vienna")
    assert (site.applications, site.facilities) == (("RIS*", "PACS"), ("ANNA",))
    assert site.accession_fields == ("OBR-3", "OBR-18")
    assert site.patient_authority == "ANNA"
    assert site.observation_codes == {"4711": "findings", "BEUR": "impression"}
    assert [one.section for one in site.headings.find("Befund: frei")] == ["findings"]
    assert [one.section for one in site.headings.find("IMPRESSION: x")] == ["impression"]
    assert site.exams["XRH"] == ExamEntry(Modality.DX, Region.MUSCULOSKELETAL, Laterality.LEFT)
    assert site.exams["99"] == ExamEntry(region=Region.CHEST)
    assert site.modalities == {Modality.CT, Modality.DX}
    assert site.regions == {Region.CHEST, Region.MUSCULOSKELETAL}


def test_an_empty_file_is_the_default_under_its_own_name() -> None:
    site = parse_site("x", "")

    assert (site.language, site.applications, site.modalities) == ("en", ("*",), None)
    assert site.accession_fields == DEFAULT_SITE.accession_fields


@pytest.mark.parametrize(
    ("text", "reason", "where"),
    [
        ("a: [", "not_yaml", "anna"),
        ("- a", "not_a_mapping", "anna"),
        ("langauge: de", "unknown_key", "anna: langauge"),
        ("match: {app: X}", "unknown_key", "anna: match: app"),
        ("match: X", "not_a_mapping", "anna: match"),
        ("time_zone: Mars/Base", "bad_value", "anna: time_zone"),
        ("time_zone: ../../etc/passwd", "bad_value", "anna: time_zone"),
        ("accession: [OBR-99]", "bad_value", "anna: accession"),
        ("language: 7", "bad_value", "anna: language"),
        ("language: German", "bad_value", "anna: language"),
        ("match: {sending_facility: []}", "bad_value", "anna: match: sending_facility"),
        ("scope: {modalities: []}", "bad_value", "anna: scope: modalities"),
        ("observation_codes: {A: nonsense}", "bad_value", "anna: observation_codes"),
        ("observation_codes: [A]", "bad_value", "anna: observation_codes"),
        ("headings: {A: body}", "bad_value", "anna: headings"),
        ("exams: [A]", "bad_value", "anna: exams"),
        ("exams: {A: CT}", "not_a_mapping", "anna: exams.A"),
        ("exams: {A: {modality: XX}}", "bad_value", "anna: exams.A: modality"),
        ("exams: {A: {side: left}}", "unknown_key", "anna: exams.A: side"),
        ("scope: {regions: [toe]}", "bad_value", "anna: scope: regions"),
    ],
)
def test_a_mistake_stops_the_start_and_is_named(text: str, reason: str, where: str) -> None:
    with pytest.raises(SiteMappingError) as refused:
        parse_site("anna", text)

    assert (refused.value.reason, refused.value.where) == (reason, where)


def test_the_first_site_that_knows_the_sender_is_chosen() -> None:
    sites = SiteSet(
        (
            Site("default", language="fr"),
            Site("a", applications=("RIS*",), facilities=("ANNA",)),
            Site("b", applications=("RIS1",)),
        )
    )

    assert sites.match("RIS1", "ANNA").name == "a"
    assert sites.match("RIS1", "OTHER").name == "b"
    assert sites.match("LAB", None).language == "fr"
    assert sites.named("b").name == "b"


def test_without_sites_the_default_is_chosen() -> None:
    assert SiteSet().match("RIS1", None) is DEFAULT_SITE
    assert SiteSet().named("unknown") is DEFAULT_SITE

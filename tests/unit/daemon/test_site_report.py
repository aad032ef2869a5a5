"""What prelim site prints."""

from __future__ import annotations

import io
import json

from daemon.site_report import (
    SHOWN_MAX,
    describe_coverage,
    describe_proposal,
    describe_sites,
    write_coverage,
    write_proposal,
    write_sites,
)
from mappings.site_coverage import Coverage
from mappings.site_learning import learn
from mappings.site_reading import parse_site
from mappings.sites import SiteSet
from tests.unit.mappings.feed_samples import feed

SITES = SiteSet(
    (
        parse_site("default", "language: fr"),
        parse_site(
            "anna",
            "match: {listener: ct}\ndrafting: [{modalities: CT, style: Short.}]\n"
            "exams: {A1: {modality: CT}, A2: {modality: CT, region: chest}}\n"
            "status_words: {any: {Vidiert: final}}",
        ),
    )
)


def test_a_record_of_the_sites_is_json_with_every_table_counted() -> None:
    record = json.loads(json.dumps(describe_sites(SITES)))

    anna, default = record["sites"]
    assert (anna["match"]["listener"], default["match"]) == (["ct"], None)
    assert anna["exam_codes_without_modality_or_region"] == ["A1"]
    assert anna["status_words"] == {"any VIDIERT": "final"}
    assert anna["drafting"][0]["modalities"] == ["CT"]


def test_people_read_whom_each_site_takes_and_what_it_has() -> None:
    out = io.StringIO()

    write_sites(describe_sites(SITES), out)

    text = out.getvalue()
    assert "anna: sending_application *, sending_facility *, listener ct\n" in text
    assert "drafting: modalities CT, style Short.\n" in text
    assert "exam codes without modality or region: A1\n" in text
    assert "default: whoever no other site takes\n  language fr;" in text


def test_people_read_shares_and_the_unknown_codes_but_not_all_of_many() -> None:
    coverage = Coverage("anna", messages=5, reports=4)
    coverage.found["findings"] = 3
    coverage.unknown = {"exam_codes": {f"C{n}": 1 for n in range(SHOWN_MAX + 2)}}
    unread = Coverage("", messages=1)
    unread.unreadable["not_hl7"] = 1
    out = io.StringIO()

    for one in (coverage, unread):
        write_coverage(describe_coverage(one), out)

    text = out.getvalue()
    assert "anna: 5 messages, 4 radiology reports\n" in text
    assert "  findings        3/4 (75%)\n" in text
    assert " C19 1 and 2 more\n" in text
    assert "not read: 1 messages, 0 radiology reports\n  not_hl7: 1\n" in text


def test_a_proposal_is_told_beside_the_shipped_tables() -> None:
    (proposal,) = learn(feed())
    out = io.StringIO()

    record = json.loads(json.dumps(describe_proposal(proposal)))
    write_proposal(record, out)

    text = out.getvalue()
    assert record["coverage"]["default"]["found"]["findings"] == 0
    assert record["exams"][2]["laterality"] == "left"
    assert f"  {'findings':17}{'0/12 (0%)':>18}{'12/12 (100%)':>18}\n" in text
    assert "OBR-19  present 100%  own 100%  told 100%\n" in text
    assert "proposed observation_codes: BER = body\n" in text
    assert "unknown_headings: ANFORDERUNG 12\n" in text
    assert "language de; read as utf-8 12; MSH-18 in 0\n" in text

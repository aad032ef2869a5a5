"""Tables of exam codes: invented rows in the columns of the published files."""

from __future__ import annotations

import json

import pytest

from mappings.domain import Laterality, Modality, Region
from mappings.errors import SiteMappingError
from mappings.exam_codes import ExamEntry
from mappings.exam_tables import read_exams

LOINC = """\
"LoincNumber","LongCommonName","PartNumber","PartTypeName","PartName","PartSequenceOrder","RID"
"99901-1","XR Invented knee left","LP1","Rad.Modality.Modality Type","XR","A","RID1"
"99901-1","XR Invented knee left","LP2","Rad.Anatomic Location.Region Imaged","Leg","A",""
"99901-1","XR Invented knee left","LP3","Rad.Anatomic Location.Imaging Focus","Knee","A",""
"99901-1","XR Invented knee left","LP4","Rad.Anatomic Location.Laterality","Left","A",""
"99901-1","XR Invented knee left","LP5","Rad.View.Aggregation","2 views","A",""
"99902-9","NM Invented heart","LP6","Rad.Modality.Modality Type","NM","A",""
"99902-9","NM Invented heart","LP7","Rad.Modality.Modality Subtype","SPECT","A",""
"99902-9","NM Invented heart","LP8","Rad.Anatomic Location.Region Imaged","Chest","A",""
"99902-9","NM Invented heart","LP9","Rad.Anatomic Location.Imaging Focus","Heart","A",""
"99903-7","CT Invented","LP10","Rad.Modality.Modality type","CT","A",""
"99903-7","CT Invented","LP11","Rad.Anatomic Location.Region Imaged","Abdomen","A",""
"99903-7","CT Invented","LP12","Rad.Anatomic Location.Region Imaged","Pelvis","B",""
"""
RADLEX = """\
RPID,LONG_NAME,MODALITY,BODY_REGION,LATERALITY
RPID1,CT Invented chest right,RID1,RID2,RID3
RPID2,Invented,MR,Spine,
RPID3,US Invented breast,0,,Left
"""
CONCEPT_MAP = {
    "resourceType": "ConceptMap",
    "group": [
        {
            "source": "urn:local",
            "element": [
                {"code": "K1", "target": [{"code": "99901-1", "equivalence": "equivalent"}]},
                {
                    "code": "K2",
                    "display": "Invented",
                    "target": [
                        {"code": "CT", "equivalence": "wider"},
                        {"code": "1", "display": "Head structure", "equivalence": "wider"},
                        {"code": "2", "display": "Left side", "equivalence": "unmatched"},
                    ],
                },
            ],
        },
        {"element": [{"code": "K3", "target": [{"code": "x", "display": "MRI knee right"}]}]},
    ],
}


def read(**files: str) -> dict[str, ExamEntry]:
    named = {name.replace("_", "."): text for name, text in files.items()}
    return read_exams("anna/", named, {})


def test_the_published_loinc_table_is_read_part_by_part() -> None:
    exams = read(loinc_csv=LOINC)

    assert exams["99901-1"] == ExamEntry(
        Modality.DX, Region.MUSCULOSKELETAL, Laterality.LEFT, "XR Invented knee left"
    )
    assert exams["99902-9"] == ExamEntry(Modality.NM, Region.HEART, None, "NM Invented heart")
    assert exams["99903-7"] == ExamEntry(Modality.CT, Region.ABDOMEN, None, "CT Invented")


def test_a_radlex_table_is_read_by_its_words_where_its_columns_hold_term_numbers() -> None:
    exams = read(radlex_csv=RADLEX)

    assert exams["RPID1"] == ExamEntry(
        Modality.CT, Region.CHEST, Laterality.RIGHT, "CT Invented chest right"
    )
    assert exams["RPID2"] == ExamEntry(Modality.MR, Region.SPINE, None, "Invented")
    assert exams["RPID3"] == ExamEntry(
        Modality.US, Region.BREAST, Laterality.LEFT, "US Invented breast"
    )


def test_a_concept_map_says_what_its_targets_say() -> None:
    exams = read(loinc_csv=LOINC, conceptmap_json=json.dumps(CONCEPT_MAP))

    assert exams["K1"] == ExamEntry(Modality.DX, Region.MUSCULOSKELETAL, Laterality.LEFT)
    assert exams["K2"] == ExamEntry(Modality.CT, Region.HEAD, None, "Invented")
    assert exams["K3"] == ExamEntry(Modality.MR, Region.MUSCULOSKELETAL, Laterality.RIGHT)


def test_the_sites_own_table_wins_and_the_others_fill_what_it_leaves_open() -> None:
    own = "code,system,region,display\n99901-1,,chest,Ours\nA1,L,head,\n"

    exams = read(exams_csv=own, loinc_csv=LOINC)

    assert exams["99901-1"] == ExamEntry(Modality.DX, Region.CHEST, Laterality.LEFT, "Ours")
    assert exams["A1^L"] == ExamEntry(region=Region.HEAD)


@pytest.mark.parametrize(
    ("file", "text", "reason", "where"),
    [
        ("exams.csv", "code,modality\nA,XX\n", "bad_value", "row 2: modality"),
        ("exams.csv", "code,side\nA,left\n", "unknown_column", "row 1: side"),
        ("exams.csv", "code\nA\nA\n", "given_twice", "row 3: code"),
        ("exams.csv", "code,region\n,chest\n", "bad_value", "row 2: code"),
        ("loinc.csv", "LoincNumber,PartName\n", "column_missing", "row 1: PartTypeName"),
        (
            "loinc.csv",
            "LoincNumber,PartTypeName,PartName\n,x,y\n",
            "bad_value",
            "row 2: LoincNumber",
        ),
        ("radlex.csv", "CODE\n1\n", "column_missing", "row 1: RPID"),
        ("conceptmap.json", "{", "not_json", None),
        ("conceptmap.json", "[" * 100_000, "not_json", None),
        ("conceptmap.json", "{}", "not_a_concept_map", None),
        (
            "conceptmap.json",
            '{"resourceType": "ConceptMap", "group": [{"element": [{"target": []}]}]}',
            "bad_value",
            "ConceptMap.group[0].element[0].code",
        ),
        (
            "conceptmap.json",
            '{"resourceType": "ConceptMap", "group": {}}',
            "bad_value",
            "ConceptMap.group",
        ),
    ],
)
def test_a_mistake_is_named_by_file_and_row(
    file: str, text: str, reason: str, where: str | None
) -> None:
    with pytest.raises(SiteMappingError) as refused:
        read_exams("anna/", {file: text}, {})

    place = f"anna/{file}" + (f": {where}" if where else "")
    assert (refused.value.reason, refused.value.where) == (reason, place)

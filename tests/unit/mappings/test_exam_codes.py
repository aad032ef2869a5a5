"""The exam of a report."""

from __future__ import annotations

import pytest

from mappings.domain import Exam, Laterality, Modality, Region
from mappings.exam_codes import (
    ExamEntry,
    ExamSource,
    is_laboratory,
    is_modality,
    read_exam,
)


def exam(
    display: str = "",
    *,
    code: str = "",
    site: str = "",
    section: str = "",
    title: str | None = None,
) -> Exam:
    return read_exam(ExamSource([code, display], site, section, title), {})


@pytest.mark.parametrize(
    ("display", "modality", "region", "laterality"),
    [
        ("CT CHEST WITHOUT CONTRAST", "CT", "chest", None),
        ("71010 Chest 1 view Frontal", "DX", "chest", None),
        ("XR KNEE 3 VIEWS RIGHT", "DX", "musculoskeletal", "right"),
        ("Single-view X-ray of the LT wrist", "DX", "musculoskeletal", "left"),
        ("X RAY HIPS BILAT", "DX", "musculoskeletal", "bilateral"),
        ("XR HAND LEFT AND RIGHT", "DX", "musculoskeletal", "bilateral"),
        ("755612 MR CARDIAC MRPH FUNC WWO", "MR", "heart", None),
        ("PET/CT FDG WHOLE BODY", "PT", None, None),
        ("CT ANGIOGRAPHY AORTA", "CT", "vascular", None),
        ("XRAY ANGIOGRAPHY", "XA", None, None),
        ("CT THORACIC SPINE", "CT", "spine", None),
        ("CT ABDOMEN AND PELVIS", "CT", "abdomen", None),
        ("US ABDOMEN LIMITED", "US", "abdomen", None),
        ("77057 Screening Mamm Bilat", "MG", "breast", "bilateral"),
        ("Radiology Event", None, None, None),
        ("GLUCOSE", None, None, None),
        ("", None, None, None),
    ],
)
def test_words_of_the_name_tell_modality_region_and_side(
    display: str, modality: str | None, region: str | None, laterality: str | None
) -> None:
    read = exam(display)

    assert (read.modality, read.region, read.laterality) == (modality, region, laterality)


def test_obr_24_wins_over_the_name_when_it_is_a_modality() -> None:
    assert exam("PET/CT FDG", section="CT").modality is Modality.CT
    assert exam("CT CHEST", section="IMG").modality is Modality.CT
    assert exam("HEAD", section="NMR").modality is Modality.MR


def test_the_code_is_read_when_the_name_is_silent() -> None:
    assert exam("ABD", code="CTABD").modality is Modality.CT
    assert exam("MR ABD", code="CTABD").modality is Modality.MR
    assert exam("x", code="CT").modality is None


def test_the_body_site_is_read_before_the_name() -> None:
    assert exam("CT CHEST", site="BREAST").region is Region.BREAST
    assert exam("CT CHEST", site="WHOLEBODY").region is Region.CHEST


def test_the_reports_own_title_is_the_last_resort() -> None:
    read = exam("Radiology Event", title="Single-view X-ray of the right ankle")

    assert (read.modality, read.region) == (Modality.DX, Region.MUSCULOSKELETAL)
    assert read.laterality is Laterality.RIGHT
    assert exam("CT CHEST", title="MRI of the brain").region is Region.CHEST


def test_obr_4_is_kept_with_its_alternate() -> None:
    source = ExamSource(["A1", "CT CHEST", "L", "B2", "CHEST CT", "CPT"], "", "", None)

    read = read_exam(source, {})

    assert (read.code, read.display, read.system) == ("A1", "CT CHEST", "L")
    assert (read.alternate_code, read.alternate_display) == ("B2", "CHEST CT")
    assert read.alternate_system == "CPT"


def test_the_sites_table_wins_and_leaves_the_rest_to_the_words() -> None:
    table = {"A1": ExamEntry(modality=Modality.MR)}
    source = ExamSource(["A1", "CT CHEST LEFT"], "", "CT", None)

    read = read_exam(source, table)

    assert (read.modality, read.region, read.laterality) == ("MR", "chest", "left")


def test_laboratory_and_modality_sections_are_told_apart() -> None:
    assert is_laboratory("HM")
    assert is_laboratory("lab")
    assert not is_laboratory("CT")
    assert is_modality("CT")
    assert not is_modality("IMG")
    assert not is_modality("")


def test_a_code_of_the_table_may_be_bound_to_its_system() -> None:
    table = {
        "A1^L": ExamEntry(modality=Modality.MR),
        "A1": ExamEntry(modality=Modality.CT, region=Region.HEAD),
        "B2": ExamEntry(laterality=Laterality.LEFT, display="Ours"),
    }

    both = read_exam(ExamSource(["A1", "", "L", "B2"], "", "", None), table)
    other = read_exam(ExamSource(["A1", "", "X"], "", "", None), table)

    assert (both.modality, both.region, both.laterality) == ("MR", "head", "left")
    assert both.display == "Ours"
    assert other.modality is Modality.CT


def test_the_modality_fields_of_the_site_are_asked_in_its_order() -> None:
    def modality(*codes: str) -> Modality | None:
        source = ExamSource(["A1", "CT CHEST"], "", "DX", None, modality_codes=codes)
        return read_exam(source, {}).modality

    assert modality("IMG", "MR", "US") is Modality.MR
    assert modality("IMG", "") is Modality.CT
    assert modality() is Modality.DX


def test_the_short_words_of_a_name_are_those_of_the_sites_language() -> None:
    source = ExamSource(["A1", "Radio de la main"], "", "", None, language="fr")

    assert read_exam(source, {}).region is Region.MUSCULOSKELETAL

"""Numbers compare by what they say; a draft's that the findings lack is found."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.checks.numbers import find_number_fault, find_numbers

if TYPE_CHECKING:
    from decimal import Decimal

SIZE = "size_not_in_findings"
NUMBER = "number_not_in_findings"
LEVEL = "level_not_in_findings"
BEFORE = "size_of_before_as_now"
SAME = [
    ("A 1.2 cm nodule.", "A 12 mm nodule."),
    ("A 12 mm nodule.", "A 1.20-cm nodule."),
    ("A .5 cm nodule.", "A 5 mm nodule."),
    ("A 0.5 centimeter nodule.", "A 5 millimetre nodule."),
    ("A 3-mm stone.", "A 3mm stone."),
    ("A 0,8 cm nodule.", "A 8 mm nodule."),
    ("2.3 x 1.1 cm cyst.", "Cyst of 23 x 11 mm."),
    ("2.3x1.1x4 cm cyst.", "23 mm \u00d7 11 mm \u00d7 40 mm"),
    ("2.3 x 1.1 cm cyst.", "Cyst up to 2.3 cm."),
    ("Nodules of 5 to 7 mm.", "5-7 mm nodules."),
    ("Nodules of 5 and 7 mm.", "Nodules up to 0.7 cm."),
    ("Nodule between 5 mm and 7 mm.", "5\u20137 mm nodule."),
    ("The 5th and sixth ribs.", "The fifth and 6th ribs."),
    ("Three lesions.", "3 lesions."),
    ("Grade IV injury.", "Grade 4 injury."),
    ("Type 2 endoleak.", "Type II endoleak."),
    ("Loss of 40 percent.", "40% loss."),
    ("35 HU.", "35HU"),
    ("20 cc of fluid.", "20 ml of fluid."),
    ("30 degrees of angulation.", "30\u00b0 of angulation."),
    ("BI-RADS 4A.", "BI-RADS 4a."),
    ("1,000 ml.", "1000 ml."),
    ("Compared with 01/02/2020.", "Since 01/02/2020."),
    ("L4-L5 stenosis.", "Stenosis at L4/5."),
    ("L3-L4, L4-L5 bulges.", "Bulges from L3 to L5."),
    ("T12 fracture.", "Th12 fracture."),
    ("A nodule. A mass.", "1. A mass.\n2. A nodule."),
    ("A nodule. A mass.", "1. A mass. 2. A nodule."),
    ("A nodule. A mass.", "1) A mass\n2) A nodule"),
    ("A nodule.", "1. A nodule. 2."),
    ("A nodule.", "1. A nodule.\n2"),
    ("One nodule.", "One of the nodules."),
    ("A 12 mm mass, previously 9 mm.", "12 mm mass."),
    ("A 12 mm mass. It was 9 mm on the prior study.", "12 mm mass, previously 9 mm."),
    ("A 12 mm mass, previously 12 mm.", "Stable 12 mm mass."),
    ("A mass was 9 mm. No prior study.", "9 mm mass."),
    ("A mass is 9 mm, unchanged from the prior study.", "9 mm mass."),
    ("The previously seen 9 mm mass is stable.", "9 mm mass."),
    ("The mass was 9 mm, and stable on the prior study.", "9 mm mass."),
    ("Previously 9 mm, the mass is now 12 mm.", "12 mm mass."),
]
DIFFERENT = [
    ("A 1.2 cm nodule.", "A 1.2 mm nodule.", SIZE, "1.2 mm"),
    ("A 1.2 cm nodule.", "A 12 cm nodule.", SIZE, "12 cm"),
    ("A 1.2 cm nodule.", "A 21 mm nodule.", SIZE, "21 mm"),
    ("Segment 5.", "A 5 mm nodule.", SIZE, "5 mm"),
    ("Segment 5 mass.", "5% of it.", NUMBER, "5%"),
    ("2.3 x 1.1 cm cyst.", "2.3 x 1.2 cm cyst.", SIZE, "1.2 cm"),
    ("2.3 x 1.1 cm cyst.", "2.4 x 1.1 cm cyst.", SIZE, "2.4"),
    ("Nodules of 5 to 7 mm.", "5-8 mm nodules.", SIZE, "8 mm"),
    ("The 5th and 6th ribs.", "The fifth and seventh ribs.", NUMBER, "seventh"),
    ("Three lesions.", "Four lesions.", NUMBER, "Four"),
    ("Grade IV injury.", "Grade V injury.", NUMBER, "V"),
    ("Loss of 40 percent.", "60 % loss.", NUMBER, "60 %"),
    ("35 HU.", "45 HU.", NUMBER, "45 HU"),
    ("BI-RADS 4A.", "BI-RADS 4B.", NUMBER, "4B"),
    ("No number.", "2 nodules.", NUMBER, "2"),
    ("1. A nodule.\n2. A mass.", "2 nodules.", NUMBER, "2"),
    ("1. A nodule.", "A nodule of 1.", NUMBER, "1"),
    ("Compared with 01/02/2020.", "Since 01/02/2021.", NUMBER, "2021"),
    ("L4-L5 stenosis.", "Stenosis at L3-L4.", LEVEL, "L3-L4"),
    ("L3-L4 and L5-S1.", "Bulge at L4-L5.", LEVEL, "L4-L5"),
    ("T11 fracture.", "T12 fracture.", LEVEL, "T12"),
    ("L5 fracture.", "T5 fracture.", LEVEL, "T5"),
    ("A 12 mm mass, previously 9 mm.", "9 mm mass.", BEFORE, "9 mm"),
    ("A 12 mm mass, previously measuring 9 mm.", "12 mm mass. 9 mm mass.", BEFORE, "9 mm"),
    ("A 12 x 8 mm mass, formerly 9 x 7 mm.", "12 x 7 mm mass.", BEFORE, "7 mm"),
    ("A 1.2 cm mass. It was 0.9 cm on the prior study.", "9 mm mass.", BEFORE, "9 mm"),
]


@pytest.mark.parametrize(("findings", "draft"), SAME)
def test_a_number_said_in_another_way_is_no_fault(findings: str, draft: str) -> None:
    assert find_number_fault(findings, draft) is None


@pytest.mark.parametrize(("findings", "draft", "reason", "shown"), DIFFERENT)
def test_a_number_that_the_findings_lack_is_found_where_it_stands(
    findings: str, draft: str, reason: str, shown: str
) -> None:
    fault = find_number_fault(findings, draft)

    assert fault is not None
    assert fault.reason == reason
    assert fault.span is not None
    assert draft[slice(*fault.span)] == shown


@given(st.decimals("0.1", "99.9", places=1))
def test_centimetres_and_millimetres_say_the_same(size_cm: Decimal) -> None:
    findings = f"A nodule of {size_cm} cm."

    assert find_number_fault(findings, f"A {size_cm * 10} mm nodule.") is None
    assert find_number_fault(f"A {size_cm * 10:.0f} mm nodule.", findings) is None


@given(st.integers(1, 300), st.integers(1, 300))
def test_every_other_length_is_a_fault(known: int, told: int) -> None:
    fault = find_number_fault(f"A nodule of {known} mm.", f"A nodule of {told} mm.")

    assert (fault is None) is (known == told)


def test_each_number_stands_at_its_place_in_the_text() -> None:
    text = "1. Two nodules of 3 x 4 mm at L4-L5, grade II, BI-RADS 4A."

    assert [text[slice(*number.span)] for number in find_numbers(text)] == [
        "Two",
        "3",
        "4 mm",
        "II",
        "4A",
    ]


@given(st.text(alphabet="0123456789.,x-LTS mci\n%()", max_size=60))
def test_a_text_lacks_no_number_of_its_own(text: str) -> None:
    assert find_number_fault(text, text) is None


@pytest.mark.parametrize("unit", ["1. ", "C5-", "1x", "1,", "(", "12 mm ", "T1 to T2 "])
def test_a_strange_text_takes_no_longer_than_its_length(unit: str) -> None:
    text = unit * (16_000 // len(unit))
    started_s = time.process_time()
    find_number_fault(text, text[:2000])

    assert time.process_time() - started_s < 2

"""Names, dates, numbers and addresses leave a text; what a radiologist measured stays."""

from __future__ import annotations

from collections import Counter

import pytest

from model.corpora.schema import CorpusRow
from model.deidentify import Changes, deidentify_row, deidentify_text

IDENTIFYING = [
    ("Discussed with Dr. Anna Smith.", "Discussed with Dr. [NAME]."),
    ("Prof. Dr. med. Hans M\u00fcller hat befundet.", "Prof. Dr. med. [NAME] hat befundet."),
    ("Patient: Maria de la Cruz, female", "Patient: [NAME], female"),
    ("Electronically signed by Jane Doe, MD", "Electronically signed by [NAME], MD"),
    ("Read by Jane Q. Doe, MD.", "Read by [NAME], MD."),
    ("Compared with 03/12/2024.", "Compared with [DATE]."),
    ("vom 3.4.2021 zum", "vom [DATE] zum"),
    ("on March 12, 2024 at", "on [DATE] at"),
    ("seen 2026-03-04T08:15:00Z", "seen [DATE]"),
    ("in May 2023.", "in [DATE]."),
    ("Call 555-123-4567 or +49 30 1234567.", "Call [PHONE] or [PHONE]."),
    ("pager 4412", "pager [PHONE]"),
    ("MRN: 00123456", "MRN: [ID]"),
    ("Accession: A2026-7711", "Accession: [ID]"),
    ("Study 20230115771", "Study [ID]"),
    ("lives at 12 Elm Street", "lives at [ADDRESS]"),
    ("Hauptstra\u00dfe 12", "[ADDRESS]"),
    ("write to jane@example.org", "write to [EMAIL]"),
    ("A 94-year-old woman", "A [AGE]-year-old woman"),
]
MEDICAL = [
    "A 1.2 x 3.4 cm mass at T12, L4/5 disc, segment 7.",
    "A 54-year-old man. Grade 1-2-3 changes. 90 mm spleen.",
    "Marked edema. May represent atelectasis. March fracture.",
    "Signal on series 4, image 112; mean 45 HU; 120/80.",
    "Murphy sign is negative. Baker cyst. Dr. is not named here.",
    "Ratio 3/5, 6.5.4 mm.",
]


@pytest.mark.parametrize(("text", "expected"), IDENTIFYING)
def test_what_tells_who_it_is_becomes_a_mark(text: str, expected: str) -> None:
    assert deidentify_text(text, Counter()) == expected


@pytest.mark.parametrize("text", MEDICAL)
def test_what_is_of_the_images_stays(text: str) -> None:
    assert deidentify_text(text, Counter()) == text


@pytest.mark.parametrize("text", [text for text, _ in IDENTIFYING] + MEDICAL)
def test_a_second_run_changes_nothing(text: str) -> None:
    once = deidentify_text(text, Counter())
    finds: Counter[str] = Counter()

    assert deidentify_text(once, finds) == once
    assert not finds


def test_a_row_is_changed_in_every_text_and_what_was_changed_is_counted() -> None:
    row = CorpusRow(
        "r1",
        findings="Told Dr. Lee on 03/12/2024.",
        impression="Mr. Lee is well.",
        indication="Fell at 12 Elm Street",
        exam_display="CT CHEST 2024-01-02",
        date="2026-03-04",
    )
    changes = Changes()

    done = deidentify_row(row, changes)
    deidentify_row(CorpusRow("r2", findings="Lungs clear."), changes)

    assert done.findings == "Told Dr. [NAME] on [DATE]."
    assert done.impression == "Mr. [NAME] is well."
    assert done.indication == "Fell at [ADDRESS]"
    assert done.exam_display == "CT CHEST [DATE]"
    assert done.date == "2026-03"
    assert changes.finds == {"NAME": 2, "DATE": 2, "ADDRESS": 1}
    assert changes.rows == 1

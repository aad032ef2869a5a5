"""A report's body system: by its region, its exam's name, or the words of its text."""

from __future__ import annotations

import pytest

from mappings.domain import Region
from model.corpora.schema import CorpusRow
from model.transfer.body_systems import body_systems, system_of


@pytest.mark.parametrize(
    ("row", "system"),
    [
        (CorpusRow("1", region=Region.SPINE), ("musculoskeletal", False)),
        (CorpusRow("1", region=Region.HEAD, exam_display="CT brain"), ("head", False)),
        (
            CorpusRow("1", region=Region.HEAD, exam_display="CT paranasal sinuses"),
            ("maxillofacial and neck", False),
        ),
        (
            CorpusRow(
                "1", language="de", exam_display="CT der Nasennebenhöhlen", region=Region.HEAD
            ),
            ("maxillofacial and neck", False),
        ),
        (
            CorpusRow("1", region=Region.HEAD, exam_display="CT brain", indication="Facial pain"),
            ("head", False),
        ),
        (CorpusRow("1", exam_display="US thyroid"), ("maxillofacial and neck", False)),
        (CorpusRow("1", exam_display="Xray chest PA"), ("chest", False)),
        (
            CorpusRow("1", exam_display="CT", findings="Both kidneys and the liver."),
            ("abdomen", True),
        ),
        (CorpusRow("1", exam_display="CT", findings="Nothing to say."), ("unknown", True)),
    ],
)
def test_the_region_decides_then_the_exam_then_the_words(
    row: CorpusRow, system: tuple[str, bool]
) -> None:
    assert system_of(row) == system


def test_the_systems_are_those_of_the_study() -> None:
    assert body_systems() == (
        "chest",
        "abdomen",
        "musculoskeletal",
        "head",
        "maxillofacial and neck",
    )

"""Our reader beside hl7apy: the same fields, from the project's vectors and from made messages.

hl7apy splits by the standard's structures; compared is what both call a segment and a field, and
its value before escapes are read (hl7apy never reads them). It knows no PRT and groups OBX wrongly
after a DG1, so the groups are compared by position.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hl7apy.parser import parse_message
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mappings.hl7_batch import split_messages
from mappings.hl7_message import read_message
from mappings.hl7_oru import parse_oru
from mappings.sites import SiteSet

if TYPE_CHECKING:
    from hl7apy.core import Message, Segment

VECTORS = Path(__file__).parents[1] / "vectors" / "hl7"
# A line end within a field, and a truncation character with a version before 2.7, are outside the
# standard: hl7apy reads neither.
WHOLE = sorted(
    path
    for path in VECTORS.glob("*.hl7")
    if path.stem not in {"carriage_return_in_field", "custom_separators"}
)
VERSIONS = [
    "2.1",
    "2.2",
    "2.3",
    "2.3.1",
    "2.4",
    "2.5",
    "2.5.1",
    "2.6",
    "2.7",
    "2.8",
    "2.8.1",
    "2.8.2",
]


def ask_oracle(text: str) -> Message:
    return parse_message(text.strip("\r"), find_groups=False)


def compare(payload: bytes) -> None:
    """Compare every field that we read with hl7apy's."""
    message = read_message(payload)
    text = "\r".join(["|".join(["MSH", *rows_of_msh(payload)]), *message.lines])
    oracle = ask_oracle(text)
    theirs = list(oracle.children[1:])
    ours = list(message.segments())

    assert [one.name for one in ours] == [one.name for one in theirs]
    for segment, other in zip(ours, theirs, strict=True):
        for number, field in fields_of(other).items():
            assert segment.raw(number).rstrip("^&~ ") == field.rstrip("^&~ "), (
                segment.name,
                number,
            )


def fields_of(segment: Segment) -> dict[int, str]:
    """Return hl7apy's fields by number; its text of a segment lacks what a version withdrew."""
    found: dict[int, list[str]] = {}
    for child in segment.children:
        number = child.name.rpartition("_")[2]
        if number.isdigit():
            found.setdefault(int(number), []).append(child.to_er7())
    return {number: "~".join(repetitions) for number, repetitions in found.items()}


def rows_of_msh(payload: bytes) -> list[str]:
    """Return MSH as hl7apy can read it: no character set of its own, a version that it knows."""
    fields = payload.split(b"\r", 1)[0].decode("latin-1").split("|")[1:12]
    return [*fields[:10], fields[10] if fields[10] in VERSIONS else "2.8.2"]


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.stem)
def test_every_field_of_every_vector_is_the_one_that_hl7apy_finds(path: Path) -> None:
    for payload in split_messages(path.read_bytes()):
        if payload[3:4] == b"|":
            compare(payload.replace(b"\r\n", b"\r").replace(b"\n", b"\r"))


WORDS = st.text(alphabet="abcXYZ 0123456789.,()-", max_size=12).map(str.strip)
COMPOSITES = st.lists(WORDS, min_size=1, max_size=2).map("^".join)  # of more, v2.2 loses some
FIELDS = st.one_of(WORDS, COMPOSITES)


def line(name: str, fields: dict[int, str]) -> str:
    return "|".join([name, *(fields.get(number, "") for number in range(1, max(fields) + 1))])


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],  # hl7apy takes a tenth of a second for each
)
@given(
    version=st.sampled_from(VERSIONS),
    patient=COMPOSITES,
    order=st.tuples(FIELDS, FIELDS),
    request=st.tuples(FIELDS, FIELDS, COMPOSITES, WORDS),
    texts=st.lists(WORDS.filter(bool), min_size=1, max_size=4),
)
def test_a_made_message_of_any_version_has_the_fields_that_hl7apy_finds(
    version: str,
    patient: str,
    order: tuple[str, str],
    request: tuple[str, str, str, str],
    texts: list[str],
) -> None:
    rows = [
        rf"MSH|^~\&|RIS|HOSP|||20260101||ORU^R01|1|P|{version}",
        line("PID", {1: "1", 3: patient}),
        line("ORC", {1: "RE", 2: order[0], 3: order[1]}),
        line("OBR", {1: "1", 2: request[0], 3: request[1], 4: request[2], 18: request[3], 25: "P"}),
        *(
            line("OBX", {1: str(number), 2: "TX", 3: "A^B", 5: text, 11: "P"})
            for number, text in enumerate(texts, 1)
        ),
    ]

    compare("\r".join(rows).encode())


@pytest.mark.parametrize("version", VERSIONS)
def test_what_we_take_from_a_report_of_any_version_is_what_hl7apy_says(version: str) -> None:
    fields = {
        2: "P1^SYS",
        3: "F1^RIS",
        4: "CTCH^CT CHEST^L",
        7: "202601010800",
        18: "A1",
        19: "RP1",
    }
    rows = [
        rf"MSH|^~\&|RIS|HOSP|||20260101||ORU^R01|1|P|{version}",
        "PID|1||4711^^^HOSP",
        line("OBR", fields | {1: "1", 20: "SPS1", 22: "202601010830", 24: "CT", 25: "P"}),
        "OBX|1|TX|59776-5^Findings^LN||The lungs are clear.",
    ]
    oracle = ask_oracle("\r".join(rows))
    pid, obr, obx = oracle.children[1:]

    (report,) = parse_oru("\r".join(rows).encode(), SiteSet()).reports

    def field(segment: Segment, number: int) -> str:
        return fields_of(segment)[number]

    assert report.patient is not None
    assert report.patient.value == field(pid, 3).split("^")[0]
    assert report.accession_number is not None
    assert report.accession_number.value == field(obr, 18)
    assert report.filler_order_number is not None
    assert report.filler_order_number.value == field(obr, 3).split("^")[0]
    assert report.placer_order_number is not None
    assert report.placer_order_number.value == field(obr, 2).split("^")[0]
    assert report.exam.display == field(obr, 4).split("^")[1]
    assert report.sections.findings == field(obx, 5)
    assert (report.report_status, field(obr, 25)) == ("preliminary", "P")
    assert (report.observed_at, report.reported_at) == (
        "2026-01-01T08:00:00",
        "2026-01-01T08:30:00",
    )


def test_an_obx_after_a_diagnosis_stays_with_its_obr_though_hl7apy_moves_it_away() -> None:
    rows = [
        r"MSH|^~\&|RIS|HOSP|||20260101||ORU^R01|1|P|2.5",
        "PID|1||4711",
        "OBR|1|P1|F1|CTCH",
        "DG1|1",
        "OBX|1|TX|59776-5^Findings^LN||The lungs are clear.",
    ]
    text = "\r".join(rows)

    (report,) = parse_oru(text.encode(), SiteSet()).reports

    assert report.sections.findings == "The lungs are clear."
    assert [one.name for one in ask_oracle(text).children[1:]] == [
        one.name for one in read_message(text.encode()).segments()
    ]

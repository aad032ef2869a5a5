"""What sample messages hold, laid out for judging a mapping: fields, codes, words, texts.

These facts hold patient data. What is told of them to a person is codes, words and counts; a code
that could be somebody's number is not told (``is_telling``).
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mappings.exam_codes import is_laboratory
from mappings.headings import DEFAULT_HEADINGS
from mappings.hl7_groups import cut_groups
from mappings.hl7_header import peek_header
from mappings.hl7_message import read_message
from mappings.hl7_observations import find_section
from mappings.sites import DEFAULT_SITE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mappings.hl7_groups import Group
    from mappings.hl7_message import Message, Segment

TEXT_TYPES = frozenset({"TX", "FT", "ST", ""})
NUMBER_FIELDS = ("OBR-18", "OBR-3", "ORC-3", "OBR-20", "OBR-19", "OBR-2", "ORC-2")
"""Where an accession number has been seen, in the order of looking."""
_PERSON_FIELDS = {"OBR": (16, 28, 32, 33, 34, 35), "ORC": (10, 11, 12), "OBX": (16,)}
_LETTERS = re.compile(r"[^\W\d_]+")
_PRIVATE_DIGITS = re.compile(r"\d{6}")
_TELLING_REPORTS_MIN = 2


@dataclass(frozen=True, slots=True)
class SampleLine:
    """One OBX. ``code`` is OBX-3.1 without what stands before ``&``; ``section`` what the shipped
    table says of it.
    """

    code: str
    name: str
    section: str | None
    is_text: bool
    text: str = field(repr=False)
    status: str


@dataclass(frozen=True, slots=True)
class SampleReport:
    """One OBR group of one message; ``numbers`` has the first components of ``NUMBER_FIELDS``."""

    sender: tuple[str | None, str | None]
    group: int
    codec: str
    is_charset_declared: bool
    patient: str | None = field(repr=False)
    numbers: dict[str, str] = field(repr=False)
    exam_code: str
    exam_display: str
    exam_system: str
    result_status: str
    lines: tuple[SampleLine, ...] = field(repr=False)
    person_words: frozenset[str] = field(repr=False)

    @property
    def text(self) -> str:
        """All its text lines."""
        return "\n".join(line.text for line in self.lines if line.is_text)


def read_samples(payload: bytes) -> Iterator[SampleReport]:
    """Read the radiology groups of one ORU^R01; other messages have none.

    Raises:
        PrelimError: It cannot be read.
    """
    header = peek_header(payload)
    if not header.is_report:
        return
    message = read_message(payload, header)
    _, groups = cut_groups(message, DEFAULT_SITE)
    persons = frozenset(_person_words(message))
    for group in groups:
        if not is_laboratory(group.request.component(24)):
            yield _read_group(message, group, persons)


def is_telling(code: str, reports: int) -> bool:
    """Say whether a code may be shown: one with many digits that comes once may be a number of
    a patient or an order.
    """
    return reports >= _TELLING_REPORTS_MIN or _PRIVATE_DIGITS.search(code) is None


def count_by_report(values: Iterable[Iterable[str]]) -> dict[str, int]:
    """Count in how many reports each value stands; empty ones are left out."""
    found: dict[str, int] = defaultdict(int)
    for of_report in values:
        for value in set(of_report):
            if value:
                found[value] += 1
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def count_seen(samples: Sequence[SampleReport]) -> dict[str, dict[str, int]]:
    """Count the codes and words of reports, by kind; what may be somebody's number is left out."""
    kinds = {
        "exam_codes": ([sample.exam_code] for sample in samples),
        "observation_codes": ([line.code for line in sample.lines] for sample in samples),
        "observation_status": ([line.status for line in sample.lines] for sample in samples),
        "result_status": ([sample.result_status] for sample in samples),
        "headings": (_headings(sample) for sample in samples),
    }
    counted = {kind: count_by_report(values) for kind, values in kinds.items()}
    return {
        kind: {value: reports for value, reports in counts.items() if is_telling(value, reports)}
        for kind, counts in counted.items()
    }


def _headings(sample: SampleReport) -> Iterator[str]:
    for line in sample.text.split("\n"):
        for heading in DEFAULT_HEADINGS.find(line):
            yield " ".join(heading.text.upper().split())


def _read_group(message: Message, group: Group, persons: frozenset[str]) -> SampleReport:
    request, header = group.request, message.header
    code = [*request.components(4), "", "", ""]
    numbers = {name: group.read(name) for name in NUMBER_FIELDS}
    return SampleReport(
        sender=(header.sending_application, header.sending_facility),
        group=group.number,
        codec=message.codec,
        is_charset_declared=bool(header.raw(18).strip()),
        patient=None if group.patient is None else group.patient.value,
        numbers={name: found.value for name, found in numbers.items() if found is not None},
        exam_code=code[0],
        exam_display=code[1],
        exam_system=code[2],
        result_status=request.component(25),
        lines=tuple(map(_read_line, group.narrated)),
        person_words=persons,
    )


def _read_line(segment: Segment) -> SampleLine:
    separators = segment.message.separators
    code = segment.raw(3).split(separators.component)[0].split(separators.subcomponent)[-1]
    is_value = bool(segment.raw(6).strip() or segment.raw(7).strip())
    is_text = segment.raw(2).strip().upper() in TEXT_TYPES and not is_value
    return SampleLine(
        code=code.strip(),
        name=segment.component(3, 2),
        section=find_section(segment.raw(3), segment.message.separators, DEFAULT_SITE),
        is_text=is_text,
        text=segment.text(5) if is_text else "",
        status=segment.component(11),
    )


def _person_words(message: Message) -> Iterator[str]:
    """Yield the words of people's names, so that none of them is taken for a heading."""
    for segment in message.segments():
        if segment.name in {"PID", "PV1", "NK1"}:
            numbers: Iterable[int] = range(1, len(segment.fields))
        else:
            numbers = _PERSON_FIELDS.get(segment.name, ())
        for number in numbers:
            yield from (word.upper() for word in _LETTERS.findall(segment.raw(number)))

"""The OBX of one OBR group: which lines are narrative, what each means, where the report stands.

TX, FT and ST (or an unnamed type that holds words) are text; their whole field is taken, with its
``^`` and ``&``. So is a coded entry that holds no code, and a document that can be read
(hl7_documents.py). Numbers, codes, pointers and a technologist's comment are never findings. A
document that cannot be read is named: its report may say more than is seen here. Where OBX-3 calls
it, or a pointer, the impression, that is said as well: a person has written one.

Standard: HL7 v2 OBX; suffixes after ``&`` in OBX-3 (GDT, IMP, ADT ...); LOINC.
LOINC codes are copyright Regenstrief Institute, used under the LOINC licence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import compress
from typing import TYPE_CHECKING

from mappings.hl7_documents import are_plain, read_document, read_text
from mappings.hl7_message import STRAY_LINES_ATTACHED, Rows, Segment
from mappings.hl7_status import choose_status, is_withdrawn, read_observation_status
from mappings.sections import read_columns
from mappings.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mappings.domain import ReportStatus, Sections
    from mappings.hl7_message import Message
    from mappings.hl7_separators import Separators
    from mappings.sites import Site

_CODES = {row["code"]: row["section"] for row in read_table("report_codes")}
_TEXT_TYPES = frozenset({"TX", "FT", "ST"})
_CODED_TYPES = frozenset({"CE", "CNE", "CWE"})
_POINTING_TYPES = frozenset({"HD", "RP", "UI"})
_STUDY_UID_CODES = frozenset({"110180", "113014"})  # DICOM: Study Instance UID, DICOM Study
_WORDS = re.compile(r"[^\W\d_]{2}\W+[^\W\d_]{2}")
_VALUE, _STATUS = 5, 11
_DISPLAYS = (2, 9, 5, 1)
"""Components of a coded entry, in the order of looking: text, original text, alternate text, code.
"""
_SENTENCE_WORDS_MIN = 3


@dataclass(slots=True)
class Observations:
    """What the OBX of a group came to.

    ``has_values``: a measured or coded value is among them. ``documents`` are the kinds of those
    that a report may stand in and that are not read, such as ``pdf``; ``has_unread_impression``:
    one of them, a picture or a pointer is the impression, and not withdrawn.
    """

    sections: Sections
    title: str | None = field(repr=False)
    status: ReportStatus | None
    observed_at: str
    study_instance_uid: str | None = field(repr=False)
    has_sections: bool
    has_values: bool
    addendum: str | None = field(default=None, repr=False)
    documents: tuple[str, ...] = ()
    has_unread_impression: bool = False


def read_observations(segments: Sequence[Segment], result_status: str, site: Site) -> Observations:
    """Read the OBX of one group.

    Args:
        segments: The OBX, in order.
        result_status: OBR-25 as sent.
        site: Its OBX-3 table and headings win over the shipped ones.

    Returns:
        The sections and the status. Withdrawn lines are left out of a report that stands.
    """
    group = _Group()
    first = segments[0] if segments else None
    if first is not None:
        if STRAY_LINES_ATTACHED in first.message.warnings:
            segments = [_with_text_whole(segment) for segment in segments]
            first = segments[0]
        if not (isinstance(segments, Rows) and group.take_texts(segments, site)):
            group.take_all(segments, site)
        group.read_texts(first.message)
    words = set(group.statuses) or {segment.raw(_STATUS) for segment in segments}
    statuses = {word: read_observation_status(word, site.status_words) for word in words}
    group.leave_out({word for word, status in statuses.items() if is_withdrawn(status)})
    narrative = read_columns(group.sections, group.texts, group.numbers, site.headings)
    sections = narrative.sections
    return Observations(
        sections=sections,
        title=narrative.title,
        status=choose_status(statuses.values(), result_status, site.status_words),
        observed_at="" if first is None else first.component(14),
        study_instance_uid=group.study_instance_uid,
        has_sections=sections.findings is not None or sections.impression is not None,
        has_values=group.has_values,
        addendum=narrative.addendum,
        documents=tuple(dict.fromkeys(group.documents)),
        has_unread_impression=not all(
            is_withdrawn(read_observation_status(word, site.status_words))
            for word in group.unread_impressions
        ),
    )


class _Group:
    """What was read of the OBX of one group so far.

    The narrative is kept in columns, as it is read and wanted: of each of the ``texts`` the section
    that OBX-3 means, the number of the OBX, and OBX-11. ``unread_impressions`` are OBX-11 of the
    impressions that cannot be read here.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.sections: list[str | None] = []
        self.numbers: list[int] = []
        self.statuses: list[str] = []
        self.documents: list[str] = []
        self.unread_impressions: list[str] = []
        self.has_values = False
        self.study_instance_uid: str | None = None
        self._are_read: set[int] = set()

    def take_texts(self, segments: Rows, site: Site) -> bool:
        """Read all at once where every OBX is text under a known code, as in most reports."""
        columns = segments.columns(2, 3, 5, _STATUS)
        if columns is None or not _TEXT_TYPES.issuperset(columns[0]):
            return False
        _, codes, texts, statuses = columns
        separators = segments.message.separators
        meanings = {code: find_section(code, separators, site) for code in set(codes)}
        if None in meanings.values():
            return False
        self.texts, self.statuses = texts, statuses
        self.sections = [meanings[code] for code in codes]
        self.numbers = list(range(len(codes)))
        return True

    def take_all(self, segments: Sequence[Segment], site: Site) -> None:
        """Read one after the other."""
        meanings: dict[str, str | None] = {}
        for number, segment in enumerate(segments):
            code = segment.raw(3)
            if code not in meanings:
                meanings[code] = find_section(code, segment.message.separators, site)
            self.take(segment, number, meanings[code])

    def take(self, segment: Segment, number: int, section: str | None) -> None:
        """Read one OBX as what OBX-2 says that it is."""
        kind = segment.raw(2).strip().upper()
        if kind in _POINTING_TYPES:
            self._take_pointer(segment, section)
        elif kind == "ED":
            self._take_document(segment, number, section)
        elif kind in _CODED_TYPES:
            self._take_coded(segment, number, section)
        elif _is_text(segment, kind, section):
            self._add(section, segment.raw(5), number, segment.raw(_STATUS))
        else:
            self._take_value(segment)

    def read_texts(self, message: Message) -> None:
        """Read the escape sequences of the texts; a document that was sent as text is taken out."""
        separators = message.separators
        if are_plain(self.texts, separators):
            return
        rows = zip(self.sections, self.texts, self.numbers, self.statuses, strict=True)
        self.sections, self.texts, self.numbers, self.statuses = [], [], [], []
        for section, raw, number, status in rows:
            is_read = number in self._are_read
            text = raw if is_read else self._read_text(raw, separators, message.codec)
            if text is not None:
                self._add(section, text, number, status)
            elif section == "impression":
                self.unread_impressions.append(status)

    def leave_out(self, withdrawn: Collection[str]) -> None:
        """Leave out the texts that do not hold; of a report that is withdrawn whole, none."""
        hold = [status not in withdrawn for status in self.statuses] if withdrawn else []
        if any(hold):
            self.sections = list(compress(self.sections, hold))
            self.texts = list(compress(self.texts, hold))
            self.numbers = list(compress(self.numbers, hold))

    def _read_text(self, raw: str, separators: Separators, codec: str) -> str | None:
        document = read_text(raw, separators, codec)
        if document.text is None:
            self.documents.append(document.kind)
        return document.text

    def _take_pointer(self, segment: Segment, section: str | None) -> None:
        """A pointer is not followed; it may name the study, or say where the impression is."""
        if segment.component(3) in _STUDY_UID_CODES:
            self.study_instance_uid = segment.component(5) or None
        elif section == "impression" and segment.raw(5).strip():
            self.unread_impressions.append(segment.raw(_STATUS))

    def _take_document(self, segment: Segment, number: int, section: str | None) -> None:
        message = segment.message
        document = read_document(segment.raw(5), message.separators, message.codec)
        if document.text is not None:
            self._add_read(section, document.text, number, segment)
            return
        if document.is_unread:
            self.documents.append(document.kind)
        if section == "impression":
            self.unread_impressions.append(segment.raw(_STATUS))

    def _take_coded(self, segment: Segment, number: int, section: str | None) -> None:
        """A coded impression is a person's impression as well; any other code is a value."""
        entries = [segment.message.components(one) for one in segment.repetitions(5)]
        if section == "impression" or (entries and all(map(_is_uncoded, entries))):
            text = "\n".join(filter(None, map(_display, entries)))
            self._add_read(section, text, number, segment)
        else:
            self._take_value(segment)

    def _take_value(self, segment: Segment) -> None:
        self.has_values = self.has_values or bool(segment.raw(5).strip())

    def _add_read(self, section: str | None, text: str, number: int, segment: Segment) -> None:
        self._add(section, text, number, segment.raw(_STATUS))
        self._are_read.add(number)

    def _add(self, section: str | None, text: str, number: int, status: str) -> None:
        self.sections.append(section)
        self.texts.append(text)
        self.numbers.append(number)
        self.statuses.append(status)


def _with_text_whole(segment: Segment) -> Segment:
    """Give lines that came after a whole OBX to its text: an impression may be among them."""
    fields, mark = segment.fields, segment.message.separators.field
    is_text = segment.raw(2).strip().upper() in _TEXT_TYPES | {""}
    last = next((at for at in range(_VALUE + 1, len(fields)) if "\n" in fields[at]), None)
    if last is None or not is_text:
        return segment
    whole, _, lines = mark.join(fields[last:]).partition("\n")  # a mark in a line is a letter of it
    text = f"{fields[_VALUE]}\n{lines}"
    return Segment([*fields[:_VALUE], text, *fields[_VALUE + 1 : last], whole], segment.message)


def _is_text(segment: Segment, kind: str, section: str | None) -> bool:
    """Say whether a value is text; an impression is, whatever OBX-2 says (CF, "TEXT")."""
    if section == "impression":
        return True
    return (kind in _TEXT_TYPES or not kind) and not _is_value(segment, kind, section)


def _is_value(segment: Segment, kind: str, section: str | None) -> bool:
    """Say whether text without a known code is measured: it has a unit, a range, or no words."""
    if section is not None:
        return False
    if segment.raw(6).strip() or segment.raw(7).strip():
        return True
    return not kind and _WORDS.search(segment.raw(5)) is None


def _is_uncoded(parts: list[str]) -> bool:
    """Say whether a coded entry is free text: no code, or a sentence in the place of one."""
    if len(parts) == 1:
        return len(parts[0].split()) >= _SENTENCE_WORDS_MIN
    return not parts[0] and not "".join(parts[3:4])


def _display(parts: list[str]) -> str:
    return next((parts[at - 1] for at in _DISPLAYS if at <= len(parts) and parts[at - 1]), "")


def find_section(raw: str, separators: Separators, site: Site) -> str | None:
    """Read OBX-3: the site's table, then the suffix after ``&``, then the code itself."""
    if raw.isdigit() and not site.observation_codes:
        return None
    if separators.escape in raw:  # an engine took the mark before the suffix for a letter
        raw = raw.replace(f"{separators.escape}T{separators.escape}", separators.subcomponent)
    identifier = raw.split(separators.component)
    for code in (identifier[0], *identifier[3:4]):
        *_, suffix = code.split(separators.subcomponent)
        for key in (code.strip(), suffix.strip()):
            section = site.observation_codes.get(key) or _CODES.get(key.upper())
            if section is not None:
                return section
    return None

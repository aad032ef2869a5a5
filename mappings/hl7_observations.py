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
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, cast

from mappings.hl7_documents import are_plain, read_document, read_text
from mappings.hl7_message import STRAY_LINES_ATTACHED, Rows, Segment
from mappings.hl7_status import choose_status, is_withdrawn, read_observation_status
from mappings.sections import CodedText, read_narrative
from mappings.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
_CODED_TEXT = cast("Callable[[tuple[object, ...]], CodedText]", partial(tuple.__new__, CodedText))
"""Makes one without a call in Python, for each line of a long report."""
_DISPLAYS = (2, 9, 5, 1)
"""Components of a coded entry, in the order of looking: text, original text, alternate text, code.
"""
_SENTENCE_WORDS_MIN = 3


@dataclass(frozen=True, slots=True)
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
    if segments and STRAY_LINES_ATTACHED in segments[0].message.warnings:
        segments = [_with_text_whole(segment) for segment in segments]
    if not (isinstance(segments, Rows) and group.take_texts(segments, site)):
        meanings: dict[str, str | None] = {}
        for index, segment in enumerate(segments):
            code = segment.raw(3)
            if code not in meanings:
                meanings[code] = find_section(segment, site)
            group.take(segment, index, meanings[code])
    if segments:
        group.read_texts(segments[0].message)
    words = set(group.statuses) or {segment.raw(_STATUS) for segment in segments}
    narrative = read_narrative(_standing(group, site), site.headings)
    sections = narrative.sections
    return Observations(
        sections=sections,
        title=narrative.title,
        status=choose_status(
            (read_observation_status(word, site.status_words) for word in words),
            result_status,
            site.status_words,
        ),
        observed_at=next((segment.component(14) for segment in segments), ""),
        study_instance_uid=group.study_instance_uid,
        has_sections=sections.findings is not None or sections.impression is not None,
        has_values=group.has_values,
        addendum=narrative.addendum,
        documents=tuple(dict.fromkeys(group.documents)),
        has_unread_impression=not _find_withdrawn(group.unread_impressions, site).issuperset(
            group.unread_impressions
        ),
    )


class _Group:
    """What was read of the OBX of one group so far; ``statuses`` are OBX-11 of the ``texts``,
    ``unread_impressions`` of the impressions that cannot be read here.
    """

    def __init__(self) -> None:
        self.texts: list[CodedText] = []
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
        _, codes, texts, self.statuses = columns
        places = dict(zip(reversed(codes), reversed(range(len(codes))), strict=True))
        meanings = {code: find_section(segments[place], site) for code, place in places.items()}
        if None in meanings.values():
            self.statuses = []
            return False
        self.texts = list(map(_CODED_TEXT, zip(map(meanings.get, codes), texts, count())))
        return True

    def take(self, segment: Segment, index: int, section: str | None) -> None:
        """Read one OBX as what OBX-2 says that it is."""
        kind = segment.raw(2).strip().upper()
        if kind in _POINTING_TYPES:
            self._take_pointer(segment, section)
        elif kind == "ED":
            self._take_document(segment, index, section)
        elif kind in _CODED_TYPES:
            self._take_coded(segment, index, section)
        elif _is_text(segment, kind, section):
            self.texts.append(CodedText(section, segment.raw(5), index))
            self.statuses.append(segment.raw(_STATUS))
        else:
            self._take_value(segment)

    def read_texts(self, message: Message) -> None:
        """Read the escape sequences of the texts; a document that was sent as text is taken out."""
        separators = message.separators
        if are_plain([one.text for one in self.texts], separators):
            return
        rows = list(zip(self.texts, self.statuses, strict=True))
        self.texts, self.statuses = [], []
        for (section, raw, index), status in rows:
            is_read = index in self._are_read
            text = raw if is_read else self._read_text(raw, separators, message.codec)
            if text is not None:
                self.texts.append(CodedText(section, text, index))
                self.statuses.append(status)
            elif section == "impression":
                self.unread_impressions.append(status)

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

    def _take_document(self, segment: Segment, index: int, section: str | None) -> None:
        message = segment.message
        document = read_document(segment.raw(5), message.separators, message.codec)
        if document.text is not None:
            self._add_read(section, document.text, index, segment)
            return
        if document.is_unread:
            self.documents.append(document.kind)
        if section == "impression":
            self.unread_impressions.append(segment.raw(_STATUS))

    def _take_coded(self, segment: Segment, index: int, section: str | None) -> None:
        """A coded impression is a person's impression as well; any other code is a value."""
        entries = [segment.message.components(one) for one in segment.repetitions(5)]
        if section == "impression" or (entries and all(map(_is_uncoded, entries))):
            text = "\n".join(filter(None, map(_display, entries)))
            self._add_read(section, text, index, segment)
        else:
            self._take_value(segment)

    def _take_value(self, segment: Segment) -> None:
        self.has_values = self.has_values or bool(segment.raw(5).strip())

    def _add_read(self, section: str | None, text: str, index: int, segment: Segment) -> None:
        self.texts.append(CodedText(section, text, index))
        self.statuses.append(segment.raw(_STATUS))
        self._are_read.add(index)


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


def _standing(group: _Group, site: Site) -> list[CodedText]:
    """Return the texts that hold; of a report that is withdrawn whole, all of them."""
    withdrawn = _find_withdrawn(group.statuses, site)
    if not withdrawn:
        return group.texts
    rows = zip(group.texts, group.statuses, strict=True)
    return [text for text, status in rows if status not in withdrawn] or group.texts


def _find_withdrawn(statuses: Sequence[str], site: Site) -> set[str]:
    """Return those OBX-11 that withdraw what they stand at."""
    return {
        word
        for word in set(statuses)
        if is_withdrawn(read_observation_status(word, site.status_words))
    }


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


def find_section(segment: Segment, site: Site) -> str | None:
    """Read OBX-3: the site's table, then the suffix after ``&``, then the code itself."""
    raw = segment.raw(3)
    if raw.isdigit() and not site.observation_codes:
        return None
    separators = segment.message.separators
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

"""The Observations that a DiagnosticReport refers to: which text each holds, and what it means.

Rules a reader must not break: a person's impression is heeded in whatever form it comes; a draft
that a machine made is none, as long as nobody has signed it; a number or a code is never findings.
What a result refers to and did not come with the message may be an impression: it is counted.

Standard: FHIR R4 and R5 Observation; v2-to-FHIR (OBX-5 text as valueString, ED as valueAttachment).
LOINC codes are copyright Regenstrief Institute, used under the LOINC licence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mappings.fhir_attachments import read_attachment
from mappings.fhir_elements import REPORT_VERSION_SYSTEM
from mappings.fhir_json import Coding, Node, codings, kind_of, name_of, part, parts, word
from mappings.html_text import read_html
from mappings.sections import CodedText
from mappings.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mappings.fhir_context import Context

MEMBERS_DEPTH_MAX = 8
MACHINE_CODES = frozenset({"AIAST", "DEVAST"})
VALUE_EXTENSION = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Observation.value"

_CODES = {row["code"]: row["section"] for row in read_table("report_codes")}
_DRAFT_STATUSES = frozenset({"registered", "preliminary"})
_WITHDRAWN = frozenset({"entered-in-error", "cancelled"})
_OUR_REFERENCE = re.compile(r"(?:.*/)?Observation/prelim-[0-9a-f]{48}(?:/_history/.*)?")


@dataclass(slots=True)
class ReportTexts:
    """What was read of a report so far.

    ``documents`` are the kinds of those that cannot be read here; ``has_unread_impression``: one of
    them is the impression; ``is_whole`` is False when a result did not come with the message.
    """

    texts: list[CodedText] = field(default_factory=list, repr=False)
    documents: list[str] = field(default_factory=list)
    has_unread_impression: bool = False
    is_whole: bool = True

    def add(self, section: str | None, name: str, text: str) -> None:
        """Add a text; what no code explains may be explained by its name, as by a heading."""
        if not text.strip():
            return
        if section is None and name:
            text = f"{' '.join(name.split())}:\n{text}"
        self.texts.append(CodedText(section, text, len(self.texts)))


def find_section(found: Sequence[Coding], own: Mapping[str, str]) -> str | None:
    """Say which section codes mean; the site's own (by OBX-3 or Observation.code) win."""
    for one in found:
        for key in (one.code, one.display):
            section = own.get(key) or _CODES.get(key.upper())
            if section is not None:
                return section
    return None


def is_machine_draft(observation: Node) -> bool:
    """Say whether a machine asserted an Observation that nobody has signed since."""
    if word(observation, "status") not in _DRAFT_STATUSES:
        return False
    labels = codings(parts(part(observation, "meta"), "security"))
    systems = {word(one, "system") for one in parts(observation, "identifier")}
    is_labelled = any(one.code in MACHINE_CODES for one in labels)
    return is_labelled or REPORT_VERSION_SYSTEM in systems


def read_results(report: Node, context: Context, own: Mapping[str, str]) -> ReportTexts:
    """Read the Observations that a report refers to, and those that it contains.

    Args:
        report: A DiagnosticReport.
        context: What came with it.
        own: The site's table of observation codes.

    Returns:
        Their texts in the order of ``result``, then of ``contained``.
    """
    reader = _Reader(report, context, own)
    for reference in parts(report, "result"):
        reader.follow(reference, report, MEMBERS_DEPTH_MAX)
    for resource in parts(report, "contained"):
        if kind_of(resource) == "Observation":
            reader.take(resource, report, MEMBERS_DEPTH_MAX)
    return reader.read


def read_stray_impressions(
    report: Node, context: Context, own: Mapping[str, str]
) -> list[CodedText]:
    """Read the impressions of a Bundle with one report that does not refer to them."""
    if len(context.of_kind("DiagnosticReport")) > 1:
        return []
    reader = _Reader(report, context, own)
    for observation in context.of_kind("Observation"):
        reader.take(observation, observation, MEMBERS_DEPTH_MAX)
    return [one for one in reader.read.texts if one.section == "impression"]


class _Reader:
    """Reads each Observation once."""

    def __init__(self, report: Node, context: Context, own: Mapping[str, str]) -> None:
        self.read = ReportTexts()
        self._context = context
        self._own = own
        self._exam = {one.code for one in codings(parts(report, "code")) if one.code}
        self._seen: set[int] = set()

    def follow(self, reference: Node, container: Node, depth: int) -> None:
        found = self._context.follow(reference, container)
        if found is not None:
            self.take(found.resource, found.container, depth)
        elif not _OUR_REFERENCE.fullmatch(word(reference, "reference")):
            self.read.is_whole = False

    def take(self, observation: Node, container: Node, depth: int) -> None:
        if id(observation) in self._seen or depth == 0:
            return
        self._seen.add(id(observation))
        if is_machine_draft(observation) or word(observation, "status") in _WITHDRAWN:
            return
        self._take_value(observation, container)
        for component in parts(observation, "component"):
            self._take_value(component, container)
        for note in parts(observation, "note"):
            self.read.add(None, "", word(note, "text"))
        for member in parts(observation, "hasMember"):
            self.follow(member, container, depth - 1)

    def _take_value(self, node: Node, container: Node) -> None:
        code = part(node, "code")
        section = find_section(codings([code]), self._own) or self._section_of_exam(code)
        attachment = _find_attachment(node)
        concept = part(node, "valueCodeableConcept")
        if word(node, "valueString"):
            self.read.add(section, name_of(code), _raw(node, "valueString"))
        elif attachment:
            self._take_document(attachment, container, section, name_of(code))
        elif concept and (section == "impression" or not parts(concept, "coding")):
            self.read.add(section, name_of(code), name_of(concept))
        elif section is not None and not concept:
            self.read.add(section, name_of(code), read_html(word(part(node, "text"), "div")))

    def _take_document(
        self, attachment: Node, container: Node, section: str | None, name: str
    ) -> None:
        document = read_attachment(attachment, self._context, container)
        if document is None:
            return
        if document.text is not None:
            self.read.add(section, name, document.text)
            return
        self.read.documents.append(document.kind)
        self.read.has_unread_impression |= section == "impression"

    def _section_of_exam(self, code: Node) -> str | None:
        """Text under the report's own code is the report."""
        is_exam = any(one.code in self._exam for one in codings([code]))
        return "body" if is_exam else None


def _find_attachment(node: Node) -> Node:
    found = part(node, "valueAttachment")
    if found:
        return found
    extensions = [one for one in parts(node, "extension") if word(one, "url") == VALUE_EXTENSION]
    return next((part(one, "valueAttachment") for one in extensions), {})


def _raw(node: Node, name: str) -> str:
    value = node.get(name)
    return value if isinstance(value, str) else ""

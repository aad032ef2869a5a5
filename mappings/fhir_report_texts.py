"""The texts of a DiagnosticReport, from wherever its profile puts them.

Findings are taken from the first place that has them: result and contained Observations, the
Composition's sections, notes with a type, ``presentedForm``, at last ``text.div``. Never from
``conclusion``: that, a ``conclusionCode`` or an impression in any of these places is a person's
impression. A narrative that a machine made of the structured data (``generated``) is believed under
headings only: what else stands in it is dates, names and codes.

Standard: FHIR R4 and R5 DiagnosticReport; shapes of IHE IMR and IDR, US Core, JP Core, HL7 EU.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mappings.domain import Sections
from mappings.fhir_attachments import read_attachment
from mappings.fhir_json import Node, codings, kind_of, name_of, part, parts, word
from mappings.fhir_report_results import (
    ReportTexts,
    find_section,
    is_machine_draft,
    read_results,
    read_stray_impressions,
)
from mappings.html_text import read_html
from mappings.sections import CodedText, read_narrative

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mappings.fhir_context import Context
    from mappings.sites import Site

SECTIONS_DEPTH_MAX = 8
_BACKPORT = "http://hl7.org/fhir/5.0/StructureDefinition/extension-DiagnosticReport."
_ANNOTATION_TYPE = "annotationtype"
_FORM_ORDER = ("text/plain", "text/html", "application/xhtml")


@dataclass(frozen=True, slots=True)
class FhirNarrative:
    """What the texts of a report came to; the fields are those of ``StudyReport``.

    ``has_unresolved_results``: what may hold an impression did not come with the message, and the
    report as a whole (``presentedForm``) did not either.
    """

    sections: Sections
    title: str | None = field(repr=False)
    documents: tuple[str, ...]
    has_unread_impression: bool
    has_unresolved_results: bool


def read_report_texts(report: Node, context: Context, site: Site) -> FhirNarrative:
    """Read every text of a report.

    Args:
        report: A DiagnosticReport.
        context: What came with it.
        site: Its observation codes and headings win over the shipped ones.

    Returns:
        Each section from the first place that has it.
    """
    results = read_results(report, context, site.observation_codes)
    forms, documents = _read_forms(report, context)
    notes, div = _read_notes(report, site), _read_div(report)
    stray = read_stray_impressions(report, context, site.observation_codes)
    places = [results.texts, _read_composition(report, context, site), *notes, *forms, div, stray]
    read = [read_narrative(texts, site.headings) for texts in places if texts]
    concluded, is_elsewhere = _read_conclusion(report, context)
    sections = _merge([one.sections for one in read], concluded)
    # The renditions of a report all say the same: one that is read speaks for those that are not.
    unread = results.documents + ([] if forms else documents)
    has_unread = is_elsewhere or results.has_unread_impression
    return FhirNarrative(
        sections=sections,
        title=next((one.title for one in read if one.title), None),
        documents=tuple(dict.fromkeys(unread)),
        # With nothing else to read, the whole report stands in the document.
        has_unread_impression=has_unread or (bool(unread) and sections.findings is None),
        has_unresolved_results=not results.is_whole and not forms,
    )


def _merge(read: list[Sections], concluded: str | None) -> Sections:
    return Sections(
        findings=_first(one.findings for one in read),
        impression=_first(one.impression for one in read) or concluded,
        indication=_first(one.indication for one in read),
        comparison=_first(one.comparison for one in read),
        technique=_first(one.technique for one in read),
        recommendation=_first(one.recommendation for one in read),
    )


def _first(texts: Iterable[str | None]) -> str | None:
    return next(filter(None, texts), None)


def _read_forms(report: Node, context: Context) -> tuple[list[list[CodedText]], list[str]]:
    """Read the renditions of the report, and name those that cannot be read."""
    texts, kinds = [], []
    for form in sorted(parts(report, "presentedForm"), key=_form_rank):
        document = read_attachment(form, context, report)
        if document is None:
            continue
        if document.text is None:
            kinds.append(document.kind)
        elif document.text.strip():
            texts.append([CodedText("body", document.text)])
    return texts, kinds


def _form_rank(form: Node) -> int:
    media = word(form, "contentType").lower()
    ranks = (rank for rank, one in enumerate(_FORM_ORDER) if media.startswith(one))
    return next(ranks, len(_FORM_ORDER))


def _read_composition(report: Node, context: Context, site: Site) -> list[CodedText]:
    """Read the sections of the report's Composition; of a document, its one Composition's."""
    references = parts(report, "composition")
    references += [part(one, "valueReference") for one in _backported(report, "composition")]
    compositions = context.follow_all(references, report)
    if not compositions and len(context.of_kind("DiagnosticReport")) == 1:
        compositions = context.of_kind("Composition")
    read = ReportTexts()
    for composition in compositions:
        _take_sections(composition, read, site, SECTIONS_DEPTH_MAX)
    return read.texts


def _take_sections(node: Node, read: ReportTexts, site: Site, depth: int) -> None:
    for section in parts(node, "section") if depth else ():
        name = word(section, "title") or name_of(part(section, "code"))
        meaning = find_section(codings(parts(section, "code")), site.observation_codes)
        read.add(meaning, name, read_html(word(part(section, "text"), "div")))
        _take_sections(section, read, site, depth - 1)


def _read_notes(report: Node, site: Site) -> list[list[CodedText]]:
    """Read the notes: those with a type are sections, in any other an impression is heeded."""
    typed, untyped = ReportTexts(), ReportTexts()
    notes = parts(report, "note")
    notes += [part(one, "valueAnnotation") for one in _backported(report, "note")]
    for note in notes:
        types = [part(one, "valueCodeableConcept") for one in _annotation_types(note)]
        section = find_section(codings(types), site.observation_codes)
        (typed if section else untyped).add(section, "", word(note, "text"))
    impression = read_narrative(untyped.texts, site.headings).sections.impression
    return [typed.texts, [CodedText("impression", impression)] if impression else []]


def _annotation_types(note: Node) -> Iterator[Node]:
    for extension in parts(note, "extension"):
        name = word(extension, "url").rpartition("/")[2].lower().replace("-", "")
        if name.endswith(_ANNOTATION_TYPE):
            yield extension


def _backported(report: Node, element: str) -> list[Node]:
    """Return the extensions by which an R4 report has an element of R5."""
    url = f"{_BACKPORT}{element}"
    return [one for one in parts(report, "extension") if word(one, "url") == url]


def _read_div(report: Node) -> list[CodedText]:
    text = part(report, "text")
    if word(text, "status") == "empty" or not word(text, "div"):
        return []
    code = "body" if word(text, "status") == "additional" else None
    return [CodedText(code, read_html(word(text, "div")))]


def _read_conclusion(report: Node, context: Context) -> tuple[str | None, bool]:
    """Return what a person has concluded, and whether there is a conclusion that is not here."""
    concluded = [word(report, "conclusion")]
    concluded += [name_of(one) for one in parts(report, "conclusionCode")]
    is_elsewhere = False
    for extension in parts(report, "extension"):
        if "impression" not in word(extension, "url").rpartition("/")[2].lower():
            continue
        found = context.follow(part(extension, "valueReference"), report)
        if found is None:
            is_elsewhere = True
        elif kind_of(found.resource) != "Observation" or not is_machine_draft(found.resource):
            concluded.append(_name_finding(found.resource))
    return "\n".join(filter(None, concluded)) or None, is_elsewhere


def _name_finding(resource: Node) -> str:
    value = part(resource, "valueCodeableConcept")
    return word(resource, "valueString") or name_of(value) or name_of(part(resource, "code"))

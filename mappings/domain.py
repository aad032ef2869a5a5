"""The frozen type of each stage, so that a function's signature names its stage.

RawReport -> StudyReport -> Findings -> Prompt -> Draft -> Impression -> DraftObservation
-> PostReceipt

Every field that can hold patient data is ``repr=False``: a log line or a traceback that shows one
of these objects shows no patient.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, NewType, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mappings.reasons import SkipReason

MessageId = NewType("MessageId", str)
"""Ours, random: what arrived once at a door."""
ReportId = NewType("ReportId", str)
"""Ours, random: one OBR group or DiagnosticReport of a message."""
ReportKey = NewType("ReportKey", str)
"""sha256 hex of site + filler order number (else accession number + exam code); orders the
versions of one report and alone makes the identity of its Observation."""


class Standard(StrEnum):
    """The family of standards a report came in."""

    HL7V2 = "hl7v2"
    FHIR = "fhir"


class ReportStatus(StrEnum):
    """Where the report stands with its human authors (FHIR DiagnosticReport.status words)."""

    REGISTERED = "registered"
    PARTIAL = "partial"
    PRELIMINARY = "preliminary"
    FINAL = "final"
    AMENDED = "amended"
    CORRECTED = "corrected"
    CANCELLED = "cancelled"
    ENTERED_IN_ERROR = "entered-in-error"


class Modality(StrEnum):
    """DICOM modality codes (CID 29) that a radiology report can be about."""

    CR = "CR"
    CT = "CT"
    DX = "DX"
    MG = "MG"
    MR = "MR"
    NM = "NM"
    PT = "PT"
    RF = "RF"
    US = "US"
    XA = "XA"


class Region(StrEnum):
    """The body region of an exam, coarse enough to choose a prompt by; neck is neck and face."""

    ABDOMEN = "abdomen"
    BREAST = "breast"
    CHEST = "chest"
    HEAD = "head"
    HEART = "heart"
    MUSCULOSKELETAL = "musculoskeletal"
    NECK = "neck"
    PELVIS = "pelvis"
    SPINE = "spine"
    VASCULAR = "vascular"


class Laterality(StrEnum):
    """The side of an exam."""

    LEFT = "left"
    RIGHT = "right"
    BILATERAL = "bilateral"


@dataclass(frozen=True, slots=True)
class Identifier:
    """A value and who assigned it (assigning authority in HL7 v2, system in FHIR)."""

    value: str = field(repr=False)
    authority: str | None = None


@dataclass(frozen=True, slots=True)
class Exam:
    """What was done: OBR-4 with its alternate, and what we read from it."""

    code: str | None = None
    system: str | None = None
    display: str | None = None
    alternate_code: str | None = None
    alternate_system: str | None = None
    alternate_display: str | None = None
    modality: Modality | None = None
    region: Region | None = None
    laterality: Laterality | None = None


@dataclass(frozen=True, slots=True)
class RawReport:
    """What arrived at a door, before anyone read past its header.

    ``digest`` is sha256 over the payload without the message's own time (MSH-7), so that a
    re-send with a new time stamp is still the same message. ``origin`` is the one place that it
    came from where a door has such places: ``kafka:TOPIC/PARTITION/OFFSET``.
    """

    standard: Standard
    door: str
    sender: str
    message_control_id: str = field(repr=False)
    message_type: str
    received_at: datetime
    digest: str
    payload: bytes = field(repr=False)
    origin: str = ""


Span: TypeAlias = tuple[int, int, int]
"""Where a text stood: in which OBX of its OBR group (from 0), from which character of that OBX's
decoded text, up to which."""


@dataclass(frozen=True, slots=True)
class Sections:
    """The narrative of a report by section; None where the report has none.

    ``spans`` are by section: a text is what its spans point at, joined by line feeds. They say
    where a text stood and not what the report says, so that they make no report another one.
    """

    findings: str | None = field(default=None, repr=False)
    impression: str | None = field(default=None, repr=False)
    indication: str | None = field(default=None, repr=False)
    comparison: str | None = field(default=None, repr=False)
    technique: str | None = field(default=None, repr=False)
    recommendation: str | None = field(default=None, repr=False)
    spans: Mapping[str, tuple[Span, ...]] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class LinkedExam:
    """Another exam that a report is about: one whose OBR had no text of its own, or held a part."""

    group: int
    accession_number: Identifier | None = field(repr=False)
    filler_order_number: Identifier | None = field(repr=False)
    exam: Exam


@dataclass(frozen=True, slots=True)
class StudyReport:
    """One OBR group (or DiagnosticReport): who, which exam, which status, which texts.

    ``observed_at`` and ``reported_at`` are ISO 8601; without an offset when neither the message
    nor the site says the time zone. ``is_radiology`` is False when the group holds laboratory
    values and no report. ``linked_exams`` are the other exams of its message that it speaks for.
    ``documents`` are the kinds of those in it that are not read, such as ``pdf``;
    ``has_unread_impression``: its impression stands in one, or behind a pointer;
    ``has_unresolved_results``: FHIR results, perhaps an impression among them, did not come along.
    ``codec`` is the Python codec that read the message, ``warnings`` say what of it was read with a
    doubt.
    """

    standard: Standard
    group: int
    site: str
    language: str
    message_control_id: str = field(repr=False)
    message_type: str
    sending_application: str | None
    sending_facility: str | None
    patient: Identifier | None = field(repr=False)
    accession_number: Identifier | None = field(repr=False)
    placer_order_number: Identifier | None = field(repr=False)
    filler_order_number: Identifier | None = field(repr=False)
    study_instance_uid: str | None = field(repr=False)
    exam: Exam
    report_status: ReportStatus | None
    observed_at: str | None
    reported_at: str | None
    sections: Sections
    is_radiology: bool = True
    linked_exams: tuple[LinkedExam, ...] = ()
    documents: tuple[str, ...] = ()
    has_unread_impression: bool = False
    has_unresolved_results: bool = False
    codec: str = ""
    warnings: tuple[str, ...] = ()
    results_interpreter: Identifier | None = field(default=None, repr=False)

    @property
    def doubts(self) -> tuple[str, ...]:
        """Stable words for what was read with a doubt, or not at all."""
        return (*self.warnings, *(f"document_not_read_{kind}" for kind in self.documents))


@dataclass(frozen=True, slots=True)
class Findings:
    """A report that is in scope: what the model is told about it."""

    text: str = field(repr=False)
    indication: str | None = field(repr=False)
    exam: Exam
    site: str
    language: str


@dataclass(frozen=True, slots=True)
class Skip:
    """A readable report that prelim leaves alone."""

    reason: SkipReason


@dataclass(frozen=True, slots=True)
class PromptPiece:
    """A part of a prompt. Only a trusted piece (our template) may hold control tokens."""

    text: str = field(repr=False)
    is_trusted: bool


@dataclass(frozen=True, slots=True)
class Prompt:
    """What an engine gets. ``findings`` repeats the report's own text for engines without a
    model; ``template_version`` such as ``impression/1``. ``redraft`` 0 asks for the most probable
    draft, n for the n-th other one, drawn by chance: the same n gives the same draft again.
    """

    pieces: tuple[PromptPiece, ...] = field(repr=False)
    findings: str = field(repr=False)
    adapter: str | None
    template_version: str
    output_tokens_max: int
    redraft: int = 0


class FinishReason(StrEnum):
    """Why an engine stopped writing."""

    STOP = "stop"
    LENGTH = "length"


@dataclass(frozen=True, slots=True)
class EngineIdentity:
    """What wrote a draft, exactly enough to repeat it; ``redraft`` as in its ``Prompt``."""

    engine: Literal["transformers", "openai", "extractive"]
    engine_version: str
    base: str | None
    base_digest: str | None
    adapter: str | None
    adapter_digest: str | None
    template_version: str
    dtype: str | None
    is_demo: bool
    redraft: int = 0


@dataclass(frozen=True, slots=True)
class Draft:
    """What the engine wrote, unchecked."""

    text: str = field(repr=False)
    finish: FinishReason
    prompt_tokens: int
    output_tokens: int
    engine: EngineIdentity


@dataclass(frozen=True, slots=True)
class CheckVerdict:
    """One draft check's answer. ``reason`` is snake_case, stable, and holds no report text;
    ``span`` is where in the draft, so that a reader with rights can be shown it.
    """

    check: str
    is_passed: bool
    reason: str | None = None
    span: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Impression:
    """A draft that passed every check."""

    draft: Draft
    verdicts: tuple[CheckVerdict, ...]


@dataclass(frozen=True, slots=True)
class Companion:
    """A further resource of a draft, made once at the server. Only a Device comes before it."""

    resource_type: Literal["Device", "Task", "AuditEvent"]
    id: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class DraftObservation:
    """The resources to post, built once and kept, so that a re-post sends the same bytes."""

    report_key: ReportKey
    observation_id: str
    identifier_system: str
    identifier_value: str
    observation: bytes = field(repr=False)
    provenance_id: str
    provenance: bytes = field(repr=False)
    companions: tuple[Companion, ...] = ()


class PostOutcome(StrEnum):
    """What the FHIR server holds after a post."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class PostReceipt:
    """The server's answer: ``Observation/ID`` as the server names it, and its version."""

    outcome: PostOutcome
    reference: str
    version_id: str | None

r"""The posted draft as HL7 v2: an ORU^R01 with the preliminary impression, for a RIS or PACS.

Rules: OBR-25 and every OBX-11 say P, and nothing here can make them say F. The first OBX says that
a machine wrote the text and that a radiologist must review it. The text is the one that was posted:
it is read from the Observation's own bytes. The control id comes from the report alone, so that the
message sent again is the same message. No byte of MLLP's frames can stand inside.

A draft that was taken back is deleted line by line: OBX-11 says D where it said P, OBX-5 is the
null value, and an NTE says why. OBR-25 says X only when the report itself was cancelled: to a
receiver it is the order that has no results then.

Standard: HL7 v2.5.1 observation reporting, ORU^R01; LOINC codes are copyright Regenstrief
Institute, used under the LOINC licence.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from mappings.charset import find_codec
from mappings.domain import Standard
from mappings.fhir_device import describe_machine
from mappings.fhir_retraction import SENTENCES
from mappings.hl7_escape import escape
from mappings.hl7_separators import DEFAULT_SEPARATORS
from mappings.reasons import RetractReason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from mappings.domain import DraftObservation, Exam, Identifier, ReportId, StudyReport
    from mappings.fhir_device import Machine

Lines: TypeAlias = Literal["segments", "repetitions", "breaks"]
"""How the lines of a text are sent: an OBX each; repetitions of one TX, as the standard has it; or
``\\.br\\`` in one FT. Every receiver reads the first; some show only the first repetition."""

UTF8 = "UNICODE UTF-8"
PRELIMINARY = "P"
DELETED = "D"
"""OBX-11 (table 0085): deletes the OBX record."""
CANCELLED = "X"
"""OBR-25 (table 0123): no results available; order cancelled."""
NULL = '""'
"""The value that is there is to be removed (HL7 v2 control chapter)."""
IMPRESSION = "19005-8^Radiology Imaging study [Impression] (narrative)^LN"
NOTICE = "8251-1^Service comment^LN"
UNKNOWN_NAME = "^^^^^^U"
"""PID-5 of name type U, unspecified (table 0200): prelim keeps no patient's name."""
CONTROL_ID_LENGTH = 20
"""MSH-10 is a string of at most 20 characters in v2.5.1."""
_CODING_SYSTEMS = {"http://loinc.org": "LN", "http://snomed.info/sct": "SCT"}
_LINE_END = re.compile(r"\r\n|\r|\n")
_OTHER_LINE_END = re.compile("[\x85\u2028\u2029]")
# Control characters (bytes of a frame among them) and halves of surrogates are no text.
_UNPRINTABLE = re.compile("[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_TIME = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(\.\d{1,4})?\d*(Z|[+-]\d\d:\d\d)?)?)?)?",
    re.ASCII,
)
_OID = re.compile(r"(?:urn:oid:)?([0-2](?:\.(?:0|[1-9][0-9]*))+)")
_URI = re.compile(r"(urn|https?):\S+")


@dataclass(frozen=True, slots=True)
class OruOptions:
    """How one receiver wants it.

    ``receiving_application`` and ``receiving_facility`` are None for the sender of the report.
    ``charset`` is a name of table 0211; a text that it cannot hold is sent as UTF-8, and says so.
    ``ack_mode`` enhanced asks for an accept acknowledgment alone (MSH-15 AL, MSH-16 NE).
    """

    sending_application: str = "PRELIM"
    sending_facility: str = ""
    receiving_application: str | None = None
    receiving_facility: str | None = None
    processing_id: Literal["P", "T", "D"] = "P"
    ack_mode: Literal["original", "enhanced"] = "original"
    charset: str = UTF8
    lines: Lines = "segments"
    patient_identifier_type: str = "MR"


def oru_control_id(report_id: ReportId, *, is_withdrawal: bool = False) -> str:
    """Return MSH-10 of the message about a report: 100 bits of its hash, always the same."""
    name = f"oru{'-withdrawal' if is_withdrawal else ''}:{report_id}"
    digest = base64.b32encode(sha256(name.encode()).digest())
    return digest[:CONTROL_ID_LENGTH].decode("ascii")


def render_oru(
    study: StudyReport,
    observation: DraftObservation,
    options: OruOptions,
    *,
    control_id: str,
    now: datetime,
    withdrawn_for: RetractReason | None = None,
) -> bytes:
    """Write the message.

    Args:
        study: The report drafted for; any field may be missing.
        observation: What was posted for it; its text, times, notes and device are taken.
        options: The receiver's.
        control_id: MSH-10.
        now: Aware; MSH-7.
        withdrawn_for: Why the draft was taken back; None when it was posted.

    Returns:
        The message without framing bytes, in ``options.charset`` or UTF-8; each segment ends in CR.
    """
    posted = json.loads(observation.observation)
    body = [
        _patient(study, options),
        _order(study),
        _request(study, posted, withdrawn_for),
        *_observations(posted, describe_machine(observation), options.lines),
    ]
    if withdrawn_for is not None:
        body[3:] = [["NTE", "1", "O", _value(SENTENCES[withdrawn_for])], *map(_deleted, body[3:])]
    for charset in (options.charset, UTF8):
        segments = [_header(study, options, charset, control_id, now), *body]
        text = "".join("|".join(segment).rstrip("|") + "\r" for segment in segments)
        try:
            return text.encode(find_codec(charset) or "utf-8")
        except UnicodeEncodeError:
            continue
    raise AssertionError("UTF-8 holds every text without surrogates")


def _header(
    study: StudyReport, options: OruOptions, charset: str, control_id: str, now: datetime
) -> list[str]:
    application, facility = options.receiving_application, options.receiving_facility
    accept, application_ack = ("AL", "NE") if options.ack_mode == "enhanced" else ("", "")
    return [
        "MSH",
        "^~\\&",
        _value(options.sending_application),
        _value(options.sending_facility),
        _value(study.sending_application if application is None else application),
        _value(study.sending_facility if facility is None else facility),
        now.strftime("%Y%m%d%H%M%S%z"),
        "",
        "ORU^R01^ORU_R01",
        _value(control_id),
        options.processing_id,
        "2.5.1",
        "",
        "",
        accept,
        application_ack,
        "",
        charset,
    ]


def _patient(study: StudyReport, options: OruOptions) -> list[str]:
    """Return PID with the identifier alone; the name that v2.5.1 requires is said to be unknown."""
    patient = study.patient
    if patient is None:
        return ["PID", "1", "", "", "", UNKNOWN_NAME]
    kind = _value(options.patient_identifier_type)
    authority = "&".join(_authority(patient, study.standard))
    number = _join(_value(patient.value), "", "", authority, kind)
    return ["PID", "1", "", number, "", UNKNOWN_NAME]


def _order(study: StudyReport) -> list[str]:
    placer, filler = _numbers(study)
    return ["ORC", "RE", placer, filler]


def _request(
    study: StudyReport, posted: Mapping[str, Any], withdrawn_for: RetractReason | None
) -> list[str]:
    is_cancelled = withdrawn_for is RetractReason.REPORT_CANCELLED
    fields = {
        1: "1",
        4: _exam(study.exam),
        7: render_time(study.observed_at),
        18: _value(study.accession_number.value if study.accession_number else None),
        22: render_time(posted["issued"]),
        24: study.exam.modality.value if study.exam.modality else "",
        25: CANCELLED if is_cancelled else PRELIMINARY,
    }
    fields[2], fields[3] = _numbers(study)
    return ["OBR", *(fields.get(number, "") for number in range(1, 26))]


def _observations(posted: Mapping[str, Any], machine: Machine, lines: Lines) -> list[list[str]]:
    """Return the notice, then the impression; the machine is named with the first line of each."""
    notice = "\n".join(note["text"] for note in posted["note"])
    method = _join("", _value(machine.kind))
    versions = [(machine.model_name, "model name"), *machine.versions]
    instances = "~".join(_join(_value(value), _value(kind)) for value, kind in versions)
    issued = render_time(posted["issued"])
    found: list[list[str]] = []
    for code, text in ((NOTICE, notice), (IMPRESSION, posted["valueString"])):
        for sub_id, (kind, value) in enumerate(_lay_out(text, lines), start=1):
            first = [str(len(found) + 1), kind, code, str(sub_id), value, *[""] * 5, PRELIMINARY]
            author = [method, instances] if sub_id == 1 else []
            found.append(["OBX", *first, "", "", issued, "", "", *author])
    return found


def _deleted(observation: list[str]) -> list[str]:
    """Return an OBX that deletes the one given: the same OBX-3 and OBX-4."""
    return [*observation[:5], NULL, *observation[6:11], DELETED]


def _lay_out(text: str, lines: Lines) -> list[tuple[str, str]]:
    """Return OBX-2 and OBX-5 of each OBX that the text needs."""
    written = [_value(line) for line in _LINE_END.split(text)]
    if lines == "segments":
        return [("TX", line) for line in written]
    if lines == "repetitions":
        return [("TX", "~".join(written))]
    return [("FT", "\\.br\\".join(written))]


def render_time(value: str | None) -> str:
    """Write ISO 8601 as ``20240501103000+0200``; empty when it is no time."""
    match = _TIME.fullmatch(value or "")
    if match is None:
        return ""
    *digits, fraction, offset = match.groups(default="")
    return "".join(digits) + fraction + offset.replace("Z", "+0000").replace(":", "")


def _numbers(study: StudyReport) -> tuple[str, str]:
    placer, filler = (
        "" if number is None else _join(_value(number.value), *_authority(number, study.standard))
        for number in (study.placer_order_number, study.filler_order_number)
    )
    return placer, filler


def _authority(identifier: Identifier, standard: Standard) -> Sequence[str]:
    """Return namespace, universal id and its type; only what FHIR calls a system can be the last.

    An authority that came in HL7 v2 goes back where it stood, whatever it looks like.
    """
    name = identifier.authority or ""
    if standard is Standard.FHIR:
        if oid := _OID.fullmatch(name):
            return "", oid[1], "ISO"
        if _URI.fullmatch(name):
            return "", _value(name), "URI"
    return (_value(name),)


def _exam(exam: Exam) -> str:
    return _join(
        _value(exam.code),
        _value(exam.display),
        _coding_system(exam.system),
        _value(exam.alternate_code),
        _value(exam.alternate_display),
        _coding_system(exam.alternate_system),
    )


def _coding_system(system: str | None) -> str:
    return _value(_CODING_SYSTEMS.get(system or "", system))


def _join(*parts: str) -> str:
    return "^".join(parts).rstrip("^")


def _value(text: str | None) -> str:
    """Escape one line of text; what no receiver could show is left out."""
    shown = _UNPRINTABLE.sub("", _OTHER_LINE_END.sub(" ", text or ""))
    return escape(shown, DEFAULT_SEPARATORS)

"""What arrived as FHIR, peeked at without pydantic: is it JSON, its kind, release and identity.

All that the first answer to a sender may depend on before a class of fhir.resources is asked
(fhir_judge.py). Rules: no error holds a value or a name from the content; what a client may write
into a resource by mistake (a versionId that it read earlier) never makes other content a repeat.

Standard: FHIR JSON; RESTful API, the fhirVersion parameter of a media type; Bundle, MessageHeader.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import parse_qsl

from mappings.errors import ResourceRefusedError
from mappings.fhir_context import Context
from mappings.fhir_json import Node, kind_of, part, parts, word

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Condition: TypeAlias = tuple[tuple[str, str], ...]
"""An If-None-Exist, in its parameters."""
DEPTH_MAX = 64
REPORTS_MAX = 1000
"""In one Bundle; one with more is refused whole."""
REPORT = "DiagnosticReport"
BUNDLE_TYPES = frozenset({"message", "transaction", "batch", "collection", "document"})
WRITING_METHODS = frozenset({"", "POST", "PUT"})
CONTROL_ID_CHARACTERS_MAX = 250

_VERSION_PREFIXES = ("5.0", "4.3", "4.0")
_STU3_NAMES = frozenset({"codedDiagnosis", "context", "image", "diagnosticOrder"})
_R5_NAMES = frozenset({"composition", "note", "study", "supportingInfo"})
_R4_NAMES = frozenset({"imagingStudy"})


class FhirRelease(StrEnum):
    """A release that is read."""

    R4 = "4.0"
    R4B = "4.3"
    R5 = "5.0"


@dataclass(frozen=True, slots=True)
class FhirHeader:
    """What a resource says of itself.

    ``release`` is None where nothing tells. ``bundle_type`` is empty for a resource that stands
    alone. ``control_id`` names this very version, empty where the sender does not; ``identifiers``
    are those of the reports, as ``system|value``.
    """

    resource: Node = field(repr=False)
    bundle_type: str
    release: FhirRelease | None
    control_id: str = field(repr=False)
    application: str | None
    facility: str | None
    identifiers: tuple[str, ...] = field(repr=False)
    reports: tuple[Node, ...] = field(repr=False)

    @property
    def message_type(self) -> str:
        """Such as ``DiagnosticReport`` or ``Bundle/transaction``."""
        return f"Bundle/{self.bundle_type}" if self.bundle_type else kind_of(self.resource)

    @property
    def sender(self) -> str:
        """Application and facility, as for HL7 v2."""
        return f"{self.application or ''}|{self.facility or ''}"


def is_json(payload: bytes) -> bool:
    """Say whether bytes can only be meant as JSON; an HL7 v2 message begins with a letter."""
    return payload[:256].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")


def read_release(media_version: str) -> FhirRelease | None:
    """Read the fhirVersion parameter of a media type; None when there is none.

    Raises:
        ResourceRefusedError: Another release, such as STU3 (3.0).
    """
    version = media_version.strip().strip('"')
    if not version:
        return None
    for prefix in _VERSION_PREFIXES:
        if version == prefix or version.startswith(f"{prefix}."):
            return FhirRelease(prefix)
    raise ResourceRefusedError(415, "not-supported", "fhir_version_not_supported")


def peek_resource(payload: bytes, declared: FhirRelease | None = None) -> FhirHeader:
    """Read JSON and say what it is.

    Args:
        payload: The body as it came.
        declared: What its media type says of its release.

    Returns:
        Its header; whether it is a report at all is asked of ``judge_header``.

    Raises:
        ResourceRefusedError: No JSON object in UTF-8, or none that can be told apart from another.
    """
    resource = read_json(payload)
    context = Context(resource)
    reports = context.of_kind(REPORT)
    source = part(next(iter(context.of_kind("MessageHeader")), {}), "source")
    metas = [part(one, "meta") for one in (resource, *reports)]
    applications = [word(source, "name", "endpoint", "endpointUrl")]
    # HAPI puts the id of the request after the mark.
    applications += [word(meta, "source").partition("#")[0] for meta in metas]
    return FhirHeader(
        resource=resource,
        bundle_type=word(resource, "type") if kind_of(resource) == "Bundle" else "",
        release=declared or _guess_release(reports),
        control_id=_control_id(resource, context)[:CONTROL_ID_CHARACTERS_MAX],
        application=_first(applications),
        facility=_first(_find_facility(report, context) for report in reports),
        identifiers=tuple(_tokens(reports)),
        reports=tuple(reports),
    )


def judge_header(header: FhirHeader) -> None:
    """Refuse what is no message of ours, or of a release that is not read.

    Raises:
        ResourceRefusedError: With the status and issue type to answer.
    """
    kind = kind_of(header.resource)
    if kind not in {REPORT, "Bundle"}:
        raise ResourceRefusedError(422, "not-supported", "resource_type_not_supported")
    if kind == "Bundle":
        _judge_bundle(header)
    for report in header.reports:
        if is_stu3(report):
            raise ResourceRefusedError(422, "not-supported", "fhir_version_not_supported", REPORT)


def _judge_bundle(header: FhirHeader) -> None:
    if header.bundle_type not in BUNDLE_TYPES:
        raise ResourceRefusedError(422, "not-supported", "bundle_type_not_supported", "Bundle.type")
    for index, entry in enumerate(parts(header.resource, "entry")):
        if word(part(entry, "request"), "method") not in WRITING_METHODS:
            where = f"Bundle.entry[{index}].request.method"
            raise ResourceRefusedError(422, "not-supported", "method_not_supported", where)
    if not header.reports:
        raise ResourceRefusedError(422, "required", "no_diagnostic_report", "Bundle.entry")
    if len(header.reports) > REPORTS_MAX:
        raise ResourceRefusedError(422, "too-costly", "too_many_reports", "Bundle.entry")


def resource_digest(resource: Node) -> str:
    """Return sha256 hex of the content without the times of its transport.

    ``meta.lastUpdated`` and ``Bundle.timestamp`` are left out, as MSH-7 is of HL7 v2; and how the
    JSON was written has no part in it.
    """
    entries = [
        {**entry, "resource": _without_times(part(entry, "resource"))}
        for entry in parts(resource, "entry")
    ]
    bare = _without_times(resource) | ({"entry": entries} if entries else {})
    text = json.dumps(bare, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def read_condition(text: str, where: str | None = None) -> Condition:
    """Read the search of an If-None-Exist, with or without the type before it.

    Raises:
        ResourceRefusedError: ``if_none_exist_invalid``; it would be met by anything.
    """
    pairs = parse_qsl(text.rpartition("?")[2], keep_blank_values=True)
    if not (pairs and all(value for _, value in pairs)):
        raise ResourceRefusedError(400, "invalid", "if_none_exist_invalid", where)
    return tuple(pairs)


def read_json(payload: bytes) -> dict[str, object]:
    """Read one JSON object, strictly: a name twice, NaN and bottomless nesting are refused.

    Raises:
        ResourceRefusedError: ``not_utf8``, ``not_json``, ``name_repeated`` or ``nested_too_deep``.
    """
    try:
        text = payload.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ResourceRefusedError(400, "structure", "not_utf8") from None
    try:
        read = json.loads(
            text,
            object_pairs_hook=_unrepeated,
            parse_float=Decimal,
            parse_constant=_refuse_constant,
        )
    except RecursionError:
        raise ResourceRefusedError(400, "structure", "nested_too_deep") from None
    except ValueError:
        raise ResourceRefusedError(400, "structure", "not_json") from None
    if not isinstance(read, dict) or not word(read, "resourceType"):
        raise ResourceRefusedError(400, "structure", "not_a_resource", "resourceType")
    _check_depth(read)
    return read


def is_stu3(report: Node) -> bool:
    """Say whether a report is of FHIR STU3 or before, by elements that no later release has."""
    performers = parts(report, "performer")
    if not _STU3_NAMES.isdisjoint(report) or any(parts(one, "actor") for one in performers):
        return True
    return any("comment" in one or "related" in one for one in parts(report, "contained"))


def _guess_release(reports: Sequence[Node]) -> FhirRelease | None:
    names = {name for report in reports for name in report}
    if names & _R5_NAMES:
        return FhirRelease.R5
    return FhirRelease.R4 if names & _R4_NAMES else None


def _control_id(resource: Node, context: Context) -> str:
    if kind_of(resource) == "Bundle":
        header = next(iter(context.of_kind("MessageHeader")), {})
        identifier = part(resource, "identifier")
        named = word(header, "id") or "|".join(
            filter(None, (word(identifier, "system"), word(identifier, "value")))
        )
        return f"Bundle/{named}" if named else ""
    version = word(part(resource, "meta"), "versionId")
    id_ = word(resource, "id")
    return f"{kind_of(resource)}/{id_}/_history/{version}" if id_ and version else ""


def _find_facility(report: Node, context: Context) -> str:
    """Return who issued a report: the organization among its performers."""
    for performer in parts(report, "performer"):
        found = context.follow(performer, report)
        if found is not None and kind_of(found.resource) == "Organization":
            return _name_organization(found.resource)
        is_named = word(performer, "type") == "Organization" or word(
            performer, "reference"
        ).startswith("Organization/")
        if found is None and is_named:
            return word(part(performer, "identifier"), "value") or word(performer, "display")
    return ""


def _name_organization(organization: Node) -> str:
    return word(part(organization, "identifier"), "value") or word(organization, "name")


def _tokens(reports: Sequence[Node]) -> Iterable[str]:
    for report in reports:
        for one in parts(report, "identifier"):
            if word(one, "value"):
                yield f"{word(one, 'system')}|{word(one, 'value')}"


def _first(values: Iterable[str]) -> str | None:
    return next(filter(None, values), None)


def _without_times(node: Node) -> dict[str, object]:
    meta = {name: value for name, value in part(node, "meta").items() if name != "lastUpdated"}
    bare = {name: value for name, value in node.items() if name not in {"meta", "timestamp"}}
    return bare | ({"meta": meta} if meta else {})


def _unrepeated(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ResourceRefusedError(400, "structure", "name_repeated")
    return made


def _refuse_constant(_: str) -> object:
    raise ResourceRefusedError(400, "structure", "not_json")


def _check_depth(resource: Node) -> None:
    level: list[object] = [resource]
    for _ in range(DEPTH_MAX):
        inner = (node.values() if isinstance(node, dict) else node for node in level)
        level = [one for each in inner for one in each if isinstance(one, dict | list)]  # type: ignore[attr-defined]
        if not level:
            return
    raise ResourceRefusedError(400, "structure", "nested_too_deep")

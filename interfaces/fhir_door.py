"""The FHIR door: what a client may post, how a body is taken off the wire, what is answered.

Rules: a yes is said only when the intake has said that the report is on disk; an error is an
OperationOutcome with a stable reason and a path, and repeats nothing of what was sent. What is
taken is not served back: its Location names our message, for ``prelim show``.

Standard: FHIR R4 and R5 RESTful API (create, conditional create, update, transaction, batch;
fhirVersion of a media type), Messaging ($process-message).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

from starlette.responses import Response
from starlette.routing import Route

from interfaces.errors import RequestRefusedError
from interfaces.fhir_endpoints import JSON_TYPES, answering, base_url, outcome
from interfaces.http_auth import CLIENT
from mappings.errors import ResourceRefusedError
from mappings.fhir_elements import FHIR_JSON, canonical_json
from mappings.fhir_in_header import FhirRelease, read_condition, read_release

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from interfaces.fhir_endpoints import Endpoint

RETRY_AFTER_S = "5"
_WITH_RETRY = frozenset({429, 503})
_UTF8 = frozenset({"", "utf-8", "utf8"})
_REPORT: Final = "DiagnosticReport"
Wanted: TypeAlias = Literal["DiagnosticReport", "Bundle", "message"]


@dataclass(frozen=True, slots=True)
class FhirArrival:
    """A body at the door.

    ``wanted`` is what the address asks for: a report, any Bundle, or one of type message. ``id``
    is the one in the address of an update. ``condition`` is If-None-Exist, in its parameters.
    """

    body: bytes = field(repr=False)
    wanted: Wanted
    release: FhirRelease | None
    peer: str
    id: str = field(default="", repr=False)
    condition: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class FhirReceipt:
    """The body is on disk. ``is_known``: it, or what its condition names, was there before.

    ``entries`` are the resource types of a Bundle's entries; ``message_header`` is the request's
    ``MessageHeader.id`` and its event, as it sent them.
    """

    message_id: str
    is_known: bool
    is_condition_met: bool
    bundle_type: str = ""
    entries: tuple[str, ...] = ()
    release: FhirRelease | None = None
    message_header: tuple[str, dict[str, object]] = field(default=("", {}), repr=False)


class FhirIntake(Protocol):
    """Takes what arrives."""

    async def take(self, arrival: FhirArrival) -> FhirReceipt:
        """Store a body.

        Raises:
            ResourceRefusedError: It is none of ours.
            RequestRefusedError: 503, it could not be stored.
        """


def intake_routes(intake: FhirIntake) -> Sequence[BaseRoute]:
    """Return the routes of the door, to be mounted at ``/fhir``."""
    door = _Door(intake)
    return [
        Route("/", _answering(door.bundle), methods=["POST"]),
        Route("/Bundle", _answering(door.bundle), methods=["POST"]),
        Route("/$process-message", _answering(door.message), methods=["POST"]),
        Route("/DiagnosticReport", _answering(door.report), methods=["POST"]),
        Route("/DiagnosticReport/{id}", _answering(door.report), methods=["PUT"]),
    ]


def _answering(endpoint: Endpoint) -> Endpoint:
    """Answer refusals as outcomes, with the time to come back where that may help."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except (RequestRefusedError, ResourceRefusedError) as error:
            more = {"Retry-After": RETRY_AFTER_S} if error.status in _WITH_RETRY else None
            return outcome(error.status, error.code, error.reason, error.where, more)

    return answering(answer)


class _Door:
    """One resource, or operation, a method."""

    def __init__(self, intake: FhirIntake) -> None:
        self._intake = intake

    async def report(self, request: Request) -> Response:
        receipt = await self._intake.take(await _read(request, _REPORT))
        return _created(request, _REPORT, receipt)

    async def message(self, request: Request) -> Response:
        return _message_answer(request, await self._intake.take(await _read(request, "message")))

    async def bundle(self, request: Request) -> Response:
        receipt = await self._intake.take(await _read(request, "Bundle"))
        if receipt.bundle_type == "message":
            return _message_answer(request, receipt)
        if receipt.bundle_type in {"transaction", "batch"}:
            return _transaction_answer(request, receipt)
        return _created(request, "Bundle", receipt)


async def _read(request: Request, wanted: Wanted) -> FhirArrival:
    release = _judge_media(request)
    condition = request.headers.get("If-None-Exist")
    host = request.client.host if request.client else ""
    client = request.scope.get(CLIENT, "")
    return FhirArrival(
        body=await request.body(),
        wanted=wanted,
        release=release,
        peer=f"{client}@{host}" if client else host,
        id=str(request.path_params.get("id", "")),
        condition=() if condition is None else read_condition(condition),
    )


def _judge_media(request: Request) -> FhirRelease | None:
    """Return the release that the content type declares."""
    media, *parameters = request.headers.get("Content-Type", "").split(";")
    if media.strip().lower() not in JSON_TYPES:
        raise RequestRefusedError(415, "not-supported", "content_type")
    said = {
        name.strip().lower(): value.strip().strip('"')
        for name, _, value in (one.partition("=") for one in parameters)
    }
    if said.get("charset", "").lower() not in _UTF8:
        raise RequestRefusedError(415, "not-supported", "charset_not_supported")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise RequestRefusedError(415, "not-supported", "content_encoding_not_supported")
    return read_release(said.get("fhirversion", ""))


def _created(request: Request, kind: str, receipt: FhirReceipt) -> Response:
    is_update = request.method == "PUT"
    status = 200 if receipt.is_condition_met or (is_update and receipt.is_known) else 201
    headers = {
        "Location": f"{base_url(request).rstrip('/')}/{kind}/{receipt.message_id}/_history/1",
        "ETag": 'W/"1"',
    }
    if "return=minimal" in request.headers.get("Prefer", ""):
        return Response(b"", status, headers, FHIR_JSON)
    text = "received_before" if receipt.is_known else "received"
    return Response(canonical_json(_said(text)), status, headers, FHIR_JSON)


def _said(text: str) -> dict[str, object]:
    issue = {"severity": "information", "code": "informational", "details": {"text": text}}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def _transaction_answer(request: Request, receipt: FhirReceipt) -> Response:
    """Answer each entry: a report is kept, what came with it is taken as its context."""
    base = base_url(request).rstrip("/")
    status = "200 OK" if receipt.is_condition_met else "201 Created"
    entries: list[dict[str, object]] = []
    for number, kind in enumerate(receipt.entries):
        location = f"{base}/{kind}/{receipt.message_id}.{number}/_history/1"
        if kind == _REPORT:
            entries.append({"response": {"status": status, "location": location}})
        else:
            entries.append(
                {"response": {"status": "202 Accepted", "outcome": _said("taken_as_context")}}
            )
    bundle = {
        "resourceType": "Bundle",
        "type": f"{receipt.bundle_type}-response",
        "entry": entries,
    }
    return Response(canonical_json(bundle), 200, None, FHIR_JSON)


def _message_answer(request: Request, receipt: FhirReceipt) -> Response:
    asked, event = receipt.message_header
    is_r5 = receipt.release is FhirRelease.R5
    url = base_url(request).rstrip("/")
    header = {
        "resourceType": "MessageHeader",
        "id": receipt.message_id,
        **(event or {"eventUri": "urn:prelim:message-received"}),
        "source": {"name": "prelim", "endpointUrl" if is_r5 else "endpoint": url},
        "response": {"identifier": {"value": asked} if is_r5 else asked, "code": "ok"},
    }
    bundle = {
        "resourceType": "Bundle",
        "type": "message",
        "entry": [{"fullUrl": f"{url}/MessageHeader/{receipt.message_id}", "resource": header}],
    }
    return Response(json.dumps(bundle), 200, None, FHIR_JSON)

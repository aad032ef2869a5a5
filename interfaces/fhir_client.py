"""Post a draft so that the server holds it exactly once, and never over a human's work.

Every attempt reads first and decides by ``mappings.fhir_write.plan_write``, so a repeat after an
unclear time-out finds what was stored. If-None-Exist alone is not free of races on real servers:
the caller keeps one post in flight per report key, and ``put`` is the better mode where the server
lets a client choose the id.

Standard: FHIR R4 RESTful API: read, search, update (as create), conditional create, If-Match.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import urlencode

import structlog
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, stop_before_delay

from interfaces.errors import FinalPresentError, PostRefusedError, PostRetryError
from interfaces.fhir_http import FhirHttp, Reply
from mappings.domain import PostOutcome, PostReceipt
from mappings.fhir_provenance import PROVENANCE_TAG_SYSTEM
from mappings.fhir_write import (
    Create,
    Fate,
    LeaveAlone,
    Unchanged,
    Unsafe,
    Update,
    issue_codes,
    judge_status,
    parse_retry_after_s,
    plan_write,
    read_etag,
    read_location,
    read_matches,
    read_object,
    with_id,
    with_target,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Mapping
    from types import TracebackType

    from tenacity import RetryCallState

    from mappings.domain import DraftObservation

log = structlog.get_logger()

WriteMode = Literal["put", "conditional-create"]

ATTEMPTS_MAX = 3
CLAIM_S_MAX = 5.0
FIRST_WAIT_S = 0.2
DECISIONS_MAX = 3
_OK, _CREATED, _NOT_FOUND, _CONFLICT, _PRECONDITION_FAILED = 200, 201, 404, 409, 412
_MINIMAL = {"Prefer": "return=minimal"}


class FhirClient:
    """Writes drafts to one FHIR server; use as an async context."""

    def __init__(
        self,
        base_url: str,
        *,
        write: WriteMode,
        timeout_s: float = 10.0,
        authorization: str | None = None,
        tls: ssl.SSLContext | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Take the server and the way to write.

        Args:
            base_url: Of the FHIR service, such as ``https://host/fhir``.
            write: ``put`` with our id, or ``conditional-create`` with the server's.
            timeout_s: For one request.
            authorization: Value of the Authorization header, such as ``Bearer ...``.
            tls: To trust a private authority.
            sleep: How to wait between attempts.
        """
        self._http = FhirHttp(base_url, timeout_s=timeout_s, authorization=authorization, tls=tls)
        self._write: WriteMode = write
        self._sleep = sleep

    async def __aenter__(self) -> Self:
        """Open the connections."""
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self._http.__aexit__(kind, error, traceback)

    async def post(self, draft: DraftObservation) -> PostReceipt:
        """Bring the Observation, then its Provenance, to the server.

        Args:
            draft: The bytes as they were kept; a repeat changes nothing.

        Returns:
            What the server holds now.

        Raises:
            PostRetryError: Not now; 3 attempts or 5 s are spent, or the server asks for longer.
            PostRefusedError: The answer is permanent.
            FinalPresentError: A human has taken over.
        """
        attempts = AsyncRetrying(
            sleep=self._sleep,
            stop=stop_after_attempt(ATTEMPTS_MAX) | stop_before_delay(CLAIM_S_MAX),
            wait=_wait_s,
            retry=retry_if_exception(_is_worth_another_try),
            before_sleep=_log_retry,
            reraise=True,
        )
        return await attempts(self._post_once, draft)

    async def _post_once(self, draft: DraftObservation) -> PostReceipt:
        receipt = await self._post_observation(draft)
        if self._write == "put":
            await self._put_provenance(draft)
        else:
            await self._create_provenance(draft, receipt.reference)
        return receipt

    async def _post_observation(self, draft: DraftObservation) -> PostReceipt:
        ours = read_object(draft.observation)
        for _ in range(DECISIONS_MAX):
            plan = plan_write(await self._find(draft), ours)
            if isinstance(plan, LeaveAlone):
                raise FinalPresentError(plan.reason, "Observation")
            if isinstance(plan, Unsafe):
                raise PostRefusedError(plan.reason, "Observation")
            if isinstance(plan, Unchanged):
                return _receipt(PostOutcome.UNCHANGED, plan.server_id, plan.version_id)
            receipt = await self._carry_out(plan, draft)
            if receipt is not None:
                return receipt
        raise PostRetryError("version_conflict", "Observation")

    async def _find(self, draft: DraftObservation) -> Mapping[str, object] | None:
        if self._write == "put":
            reply = await self._http.exchange("GET", f"Observation/{draft.observation_id}")
            if reply.status == _NOT_FOUND:
                return None
            return _read_body(_accepted(reply, "Observation"), "Observation", "Observation")
        query = {"identifier": f"{draft.identifier_system}|{draft.identifier_value}", "_count": "2"}
        reply = await self._http.exchange("GET", "Observation", query=query)
        bundle = _read_body(_accepted(reply, "Observation"), "Observation", "Bundle")
        matches = read_matches(bundle)
        if len(matches) > 1:
            raise PostRefusedError("several_matches", "Observation")
        return matches[0] if matches else None

    async def _carry_out(
        self, plan: Create | Update, draft: DraftObservation
    ) -> PostReceipt | None:
        """Write, or return None when the server's state has moved on: read and decide again."""
        if isinstance(plan, Update):
            return await self._put(
                plan.server_id, draft, {"If-Match": f'W/"{plan.version_id}"'}, PostOutcome.UPDATED
            )
        if self._write == "put":
            return await self._put(
                draft.observation_id, draft, {"If-None-Match": "*"}, PostOutcome.CREATED
            )
        return await self._create(draft)

    async def _put(
        self, id_: str, draft: DraftObservation, condition: Mapping[str, str], outcome: PostOutcome
    ) -> PostReceipt | None:
        reply = await self._http.exchange(
            "PUT",
            f"Observation/{id_}",
            headers={**_MINIMAL, **condition},
            body=with_id(draft.observation, id_),
        )
        if reply.status in (_CONFLICT, _PRECONDITION_FAILED):
            return None
        return _receipt(outcome, id_, read_etag(_accepted(reply, "Observation").etag))

    async def _create(self, draft: DraftObservation) -> PostReceipt | None:
        criteria = {"identifier": f"{draft.identifier_system}|{draft.identifier_value}"}
        reply = await self._http.exchange(
            "POST",
            "Observation",
            headers={**_MINIMAL, "If-None-Exist": urlencode(criteria)},
            body=with_id(draft.observation, None),
        )
        if reply.status == _PRECONDITION_FAILED:
            raise PostRefusedError("several_matches", "Observation")
        _accepted(reply, "Observation")
        named = read_location(reply.location)
        if reply.status != _CREATED or named is None:
            return None
        return _receipt(PostOutcome.CREATED, named[0], named[1] or read_etag(reply.etag))

    async def _put_provenance(self, draft: DraftObservation) -> None:
        path = f"Provenance/{draft.provenance_id}"
        reply = await self._http.exchange("GET", path)
        if reply.status == _OK:
            return
        if reply.status != _NOT_FOUND:
            _accepted(reply, "Provenance")
        headers = {**_MINIMAL, "If-None-Match": "*"}
        reply = await self._http.exchange("PUT", path, headers=headers, body=draft.provenance)
        if reply.status != _PRECONDITION_FAILED:
            _accepted(reply, "Provenance")

    async def _create_provenance(self, draft: DraftObservation, reference: str) -> None:
        criteria = {"_tag": f"{PROVENANCE_TAG_SYSTEM}|{draft.provenance_id}"}
        reply = await self._http.exchange(
            "POST",
            "Provenance",
            headers={**_MINIMAL, "If-None-Exist": urlencode(criteria)},
            body=with_target(with_id(draft.provenance, None), reference),
        )
        if reply.status == _PRECONDITION_FAILED:
            raise PostRefusedError("several_matches", "Provenance")
        _accepted(reply, "Provenance")


def _accepted(reply: Reply, where: str) -> Reply:
    fate = judge_status(reply.status)
    if fate is Fate.DONE:
        return reply
    if fate is Fate.REFUSED:
        codes = ",".join(issue_codes(_json_or_none(reply.body)))
        raise PostRefusedError(f"http_{reply.status}", f"{where}: {codes}" if codes else where)
    retry_after_s = parse_retry_after_s(reply.retry_after, reply.date)
    reason = "unauthorised" if fate is Fate.UNAUTHORISED else f"http_{reply.status}"
    raise PostRetryError(reason, where, retry_after_s)


def _read_body(reply: Reply, where: str, kind: str) -> dict[str, object]:
    document = _json_or_none(reply.body)
    # A gateway's page or its JSON, say: the server itself may be back later.
    if document is None or document.get("resourceType") != kind:
        raise PostRetryError("reply_unreadable", where)
    return document


def _json_or_none(body: bytes) -> dict[str, object] | None:
    try:
        return read_object(body)
    except (ValueError, RecursionError):
        return None


def _receipt(outcome: PostOutcome, id_: str, version_id: str | None) -> PostReceipt:
    return PostReceipt(outcome, f"Observation/{id_}", version_id)


def _is_worth_another_try(error: BaseException) -> bool:
    # Asking again with the same wrong token only locks the account.
    return isinstance(error, PostRetryError) and error.reason != "unauthorised"


def _failure(state: RetryCallState) -> PostRetryError | None:
    error = state.outcome.exception() if state.outcome is not None else None
    return error if isinstance(error, PostRetryError) else None


def _wait_s(state: RetryCallState) -> float:
    error = _failure(state)
    if error is not None and error.retry_after_s is not None:
        return error.retry_after_s
    return FIRST_WAIT_S * 2.0 ** (state.attempt_number - 1)


def _log_retry(state: RetryCallState) -> None:
    error = _failure(state)
    if error is not None:
        log.warning(
            "fhir.post_retried",
            reason=error.reason,
            where=error.where,
            attempts=state.attempt_number,
            retry_after_s=error.retry_after_s,
        )

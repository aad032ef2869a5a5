"""Post a draft so that the server holds it exactly once, and never over a human's work.

Every attempt reads first and decides by ``mappings.fhir_write``, so a repeat after an unclear
time-out finds what was stored before anything is written again. The caller keeps one post in flight
per report key.

Standard: FHIR R4 RESTful API; see the files of the ways to write.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Protocol, Self

import structlog

from interfaces.errors import FinalPresentError, PostRefusedError, PostRetryError
from interfaces.fhir_breaker import BreakerState
from interfaces.fhir_capability import WriteMode, ask_what_it_can
from interfaces.fhir_retries import make_tries
from interfaces.fhir_single_writes import SingleWrites, receipt_of
from interfaces.fhir_transactions import TransactionWrites
from mappings.domain import PostOutcome
from mappings.fhir_audit_event import Write
from mappings.fhir_elements import canonical_json
from mappings.fhir_json import read_object
from mappings.fhir_wire import rename, with_names
from mappings.fhir_write import (
    Create,
    LeaveAlone,
    Unchanged,
    Unsafe,
    Update,
    plan_retraction,
    plan_write,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from types import TracebackType
    from typing import Literal, TypeAlias

    from interfaces.fhir_http import FhirHttp
    from interfaces.fhir_single_writes import Names, Resource
    from mappings.domain import Companion, DraftObservation, PostReceipt
    from mappings.fhir_elements import FhirVersion
    from mappings.fhir_write import WritePlan

    Audit: TypeAlias = Callable[[Write], Companion]
    """Makes the AuditEvent of a write."""

log = structlog.get_logger()

DECISIONS_MAX = 3


class Writes(Protocol):
    """A way of writing; see ``SingleWrites`` for what each does."""

    async def find(self, draft: DraftObservation) -> Resource | None:
        """Return what the server holds under the draft's identity."""

    async def name(self, draft: DraftObservation, existing: Resource | None) -> Names:
        """Return how the server calls what the Observation refers to."""

    async def write(
        self, plan: Create | Update | Unchanged, draft: DraftObservation, names: Names, id_: str
    ) -> PostReceipt | None:
        """Carry out a plan; None when the server's state has moved on."""

    async def replace(
        self, plan: Update, body: bytes, headers: Mapping[str, str]
    ) -> PostReceipt | None:
        """Write over the version that was read; None when it is no longer the latest."""

    async def add(
        self,
        kind: str,
        id_: str,
        resource: bytes,
        names: Mapping[str, str] | None = None,
        *,
        is_new: bool = False,
    ) -> str:
        """Bring a resource that is written once."""

    async def cancel_task(self, task: Companion, reason: str) -> None:
        """Cancel a Task that nobody has taken up."""


class Retracted(Protocol):
    """How a retraction is written."""

    def __call__(self, observation: bytes, *, reason: str) -> bytes:
        """Return the Observation as entered in error."""


class FhirClient:
    """Writes drafts to one FHIR server; use as an async context.

    Attributes:
        mode: The way of writing in force; None until the server has been asked.
        audit_events: How many AuditEvents were written, and not, by reason.
        refused: How many drafts were refused for good, by reason.
    """

    def __init__(
        self,
        http: FhirHttp,
        *,
        write: WriteMode | Literal["auto"],
        audit: Audit | None = None,
        retracted: Retracted | None = None,
        version: FhirVersion = "R4",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Take the server and the way to write.

        Args:
            http: The server; opened and closed with the client.
            write: ``put`` with our ids, ``conditional-create`` with the server's, ``transaction``
                for all in one; ``auto`` asks the server what it can, and again after trouble.
            audit: Makes the AuditEvent of each write; None for none.
            retracted: Writes a retraction; needed for ``retract`` alone.
            version: Of the resources that are written.
            sleep: How to wait between attempts.
        """
        self.mode: WriteMode | None = None if write == "auto" else write
        self.audit_events: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self._is_auto = write == "auto"
        self._writes: Writes | None = None
        self._http = http
        self._breaker = http.breaker
        self._audit = audit
        self._retracted = retracted
        self._version = version
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

    @property
    def may_post(self) -> bool:
        """Whether this is a time to knock at the server."""
        return self._breaker.wait_s == 0

    async def post(self, draft: DraftObservation) -> PostReceipt:
        """Bring the Observation, and what belongs to it, to the server.

        Args:
            draft: The bytes as they were kept; a repeat changes nothing.

        Returns:
            What the server holds now.

        Raises:
            PostRetryError: Not now; 3 attempts or 5 s are spent, or the server asks for longer.
            ServerAwayError: Nothing was tried: this is no time to knock.
            PostRefusedError: The answer is permanent.
            FinalPresentError: A human has taken over.
        """
        return await self._with_tries(partial(self._post_once, draft, _Tried()))

    async def retract(self, draft: DraftObservation, reason: str) -> PostReceipt:
        """Take a posted draft back: it stays at the server as entered in error.

        Args:
            draft: As it was posted.
            reason: A stable word for why.

        Returns:
            What the server holds now; UNCHANGED when it was taken back before.

        Raises:
            PostRetryError: Not now.
            ServerAwayError: Nothing was tried: this is no time to knock.
            PostRefusedError: The answer is permanent.
            FinalPresentError: A human has taken over, or removed it.
        """
        return await self._with_tries(partial(self._retract_once, draft, reason, _Tried()))

    async def _with_tries(self, once: Callable[[], Awaitable[PostReceipt]]) -> PostReceipt:
        try:
            return await make_tries(self._sleep)(once)
        except PostRefusedError as error:
            self.refused[error.reason] += 1
            self._writes = None  # it may remember a Device that the server has lost
            raise

    async def _post_once(self, draft: DraftObservation, tried: _Tried) -> PostReceipt:
        with self._breaker.trying():
            writes = await self.choose_writes()
            for _ in range(DECISIONS_MAX):
                existing = await writes.find(draft)
                names = await writes.name(draft, existing)
                ours = rename(read_object(draft.observation), names)
                plan = _doable(plan_write(existing, ours))
                receipt = await writes.write(plan, draft, names, tried.begin(plan))
                if receipt is not None:
                    await self._leave_audit_event(writes, draft, receipt, tried)
                    return receipt
            raise PostRetryError("version_conflict", "Observation")

    async def _retract_once(
        self, draft: DraftObservation, reason: str, tried: _Tried
    ) -> PostReceipt:
        assert self._retracted is not None, "the client was made to post only"
        with self._breaker.trying():
            writes = await self.choose_writes()
            for _ in range(DECISIONS_MAX):
                existing = await _find_to_retract(writes, draft)
                plan = _doable(plan_retraction(existing, read_object(draft.observation)))
                if isinstance(plan, Update):
                    assert existing is not None, "an update is of something"
                    body = self._retracted(canonical_json(existing), reason=reason)
                    headers = {"X-Request-Id": tried.begin(plan)}
                    receipt = await writes.replace(plan, body, headers)
                else:
                    assert isinstance(plan, Unchanged), "nothing is made to be taken back"
                    receipt = receipt_of(PostOutcome.UNCHANGED, plan)
                if receipt is not None:
                    await self._leave_audit_event(writes, draft, receipt, tried)
                    for task in draft.companions:
                        if task.resource_type == "Task":
                            await writes.cancel_task(task, reason)
                    return receipt
            raise PostRetryError("version_conflict", "Observation")

    async def choose_writes(self) -> Writes:
        """Return the way of writing, asking the server where it is its to say.

        Raises:
            PostRetryError: It cannot say now.
            PostRefusedError: ``no_safe_write``, or it does not say what it can.
        """
        is_after_trouble = self._breaker.state is BreakerState.HALF_OPEN
        if self.mode is None or (self._is_auto and is_after_trouble):
            chosen = (await ask_what_it_can(self._http)).safest_write
            if chosen is None:
                raise PostRefusedError("no_safe_write", "CapabilityStatement.rest")
            if chosen != self.mode:
                log.info("fhir.write_chosen", outcome=chosen)
                self.mode, self._writes = chosen, None
        if self._writes is None:
            self._writes = self._make_writes()
        return self._writes

    def _make_writes(self) -> Writes:
        if self.mode == "transaction":
            return TransactionWrites(self._http, self._version)
        return SingleWrites(self._http, "ours" if self.mode == "put" else "theirs")

    async def _leave_audit_event(
        self, writes: Writes, draft: DraftObservation, receipt: PostReceipt, tried: _Tried
    ) -> None:
        """Leave an AuditEvent; a server that takes none gets the draft all the same."""
        if self._audit is None:
            return
        write = Write(
            interaction=tried.interaction(receipt),
            reference=receipt.reference,
            version_id=receipt.version_id,
            resource=with_names(draft.observation, receipt.reference.partition("/")[2], {}),
            base_url=self._http.base_url,
            client_address=self._http.client_address,
            request_id=tried.request_id,
        )
        made = self._audit(write)
        try:
            is_new = receipt.outcome is not PostOutcome.UNCHANGED
            await writes.add("AuditEvent", made.id, made.body, is_new=is_new)
        except PostRefusedError as error:
            self._count_refused(error)
        except PostRetryError as error:
            if error.reason != "http_500":  # of a server that is up: it cannot store this type
                raise
            self._count_refused(error)
        else:
            self.audit_events["written"] += 1

    def _count_refused(self, error: PostRefusedError | PostRetryError) -> None:
        if not self.audit_events[error.reason]:
            log.warning("fhir.audit_event_refused", reason=error.reason, where=error.where)
        self.audit_events[error.reason] += 1


class _Tried:
    """The last write of a post, over all its attempts: its answer may have been lost."""

    def __init__(self) -> None:
        self.request_id = uuid.uuid4().hex
        self._is_update: bool | None = None

    def begin(self, plan: Create | Update | Unchanged) -> str:
        """Return the X-Request-Id of what a plan writes."""
        if not isinstance(plan, Unchanged):
            self.request_id = uuid.uuid4().hex
            self._is_update = isinstance(plan, Update)
        return self.request_id

    def interaction(self, receipt: PostReceipt) -> Literal["create", "update"]:
        """Say what the write did, even if a repeat found it done (by an earlier run, perhaps)."""
        is_update = receipt.version_id != "1" if self._is_update is None else self._is_update
        return "update" if is_update else "create"


async def _find_to_retract(writes: Writes, draft: DraftObservation) -> Resource | None:
    """Find what is to be taken back; what somebody deleted (410) needs that no more."""
    try:
        return await writes.find(draft)
    except PostRefusedError as error:
        if error.reason == "http_410":
            return None
        raise


def _doable(plan: WritePlan) -> Create | Update | Unchanged:
    if isinstance(plan, LeaveAlone):
        raise FinalPresentError(plan.reason, "Observation")
    if isinstance(plan, Unsafe):
        raise PostRefusedError(plan.reason, "Observation")
    return plan

"""Map: the bytes of a RECEIVED message -> its reports, each with the reason if it is left alone."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import TYPE_CHECKING

import structlog

from daemon.errors import JournalUnavailableError
from daemon.journal import NewReport
from daemon.lifecycle import Event, IllegalTransitionError
from mappings.domain import Skip
from mappings.errors import PrelimError
from mappings.exam_names import read_name
from mappings.message_plan import plan_message
from mappings.sections import CodedText, read_narrative
from mappings.sites import DEFAULT_SITE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from daemon.delivery import NewDelivery
    from daemon.journal import PendingMessage
    from daemon.journal_ports import PipelineJournal
    from daemon.metrics import Metrics
    from mappings.domain import RawReport
    from mappings.message_plan import PlannedReport
    from mappings.sites import SiteSet

log = structlog.get_logger()
INLINE_BYTES_MAX = 65_536
"""Longer messages are read on a thread, so that the answers of other senders do not wait."""


def plan_reports(raw: RawReport, sites: SiteSet) -> list[NewReport]:
    """Read a message and decide the first step of each of its reports.

    Args:
        raw: A message whose header was accepted.
        sites: The configured sites.

    Returns:
        One for each OBR group or DiagnosticReport; one, skipped with the reason, for a message
        without any.

    Raises:
        PrelimError: The content cannot be read.
    """
    planned = plan_message(raw.payload, sites, raw.door, raw.standard)
    return [_first_step(one) for one in planned]


def warm_reader(sites: SiteSet) -> None:
    """Make what the first reading would have to make: half a second in which no sender is answered.

    Args:
        sites: The configured sites; each may have headings of its own.
    """
    for site in (*sites.sites, DEFAULT_SITE):
        for text in ("Findings: clear.", "Befund: unauff\u00e4llig."):
            read_narrative([CodedText("body", text)], site.headings)
            read_name(text, site.language)


def _first_step(planned: PlannedReport) -> NewReport:
    study, decision = planned
    if isinstance(decision, Skip):
        return NewReport(study, planned.key, Event.SKIP, decision.reason.value)
    return NewReport(study, planned.key, Event.MAP)


def _read_at_once(_pending: PendingMessage) -> AbstractAsyncContextManager[None]:
    return nullcontext()


def _owe_nothing(_raw: RawReport, _error: PrelimError | None) -> Sequence[NewDelivery]:
    return ()


class MapStep:
    """The map step of the pipeline."""

    def __init__(
        self,
        journal: PipelineJournal,
        *,
        plan: Callable[[RawReport], Sequence[NewReport]],
        metrics: Metrics,
        wake_next: Callable[[], None],
        check: Callable[[PendingMessage], Awaitable[None]] | None = None,
        owed: Callable[[RawReport, PrelimError | None], Sequence[NewDelivery]] = _owe_nothing,
        guard: Callable[[PendingMessage], AbstractAsyncContextManager[None]] = _read_at_once,
    ) -> None:
        """Take the reader, which knows the sites, and what else may reject a message before it.

        ``owed`` says what the sender is to hear of a message that was read, or of the error;
        within ``guard`` a message is read.
        """
        self._guard = guard
        self._journal = journal
        self._plan = plan
        self._metrics = metrics
        self._wake_next = wake_next
        self._check = check
        self._owed = owed

    async def __call__(self, pending: PendingMessage) -> None:
        """Map one message: to its reports, or to REJECTED."""
        message_id = pending.message_id
        try:
            if self._check is not None:
                await self._check(pending)
            async with self._guard(pending):
                reports = await self._read(pending.raw)
            owed = self._owed(pending.raw, None)
            await self._journal.record_mapped(message_id, reports, deliveries=owed)
        except IllegalTransitionError:
            return  # an operator or another step was faster; the journal has the truth
        except JournalUnavailableError:
            raise  # no fault of the message: it stays RECEIVED
        except PrelimError as error:
            await self._reject(pending, error)
            return
        self._metrics.steps.labels(stage="map", outcome="mapped").inc()
        log.info("pipeline.message_mapped", message_id=message_id, count=len(reports))
        for doubt in dict.fromkeys(one for report in reports for one in report.study.doubts):
            log.warning("pipeline.message_doubted", message_id=message_id, reason=doubt)
        self._wake_next()

    async def _read(self, raw: RawReport) -> Sequence[NewReport]:
        if len(raw.payload) > INLINE_BYTES_MAX:
            return await asyncio.to_thread(self._plan, raw)
        return self._plan(raw)

    async def put_off(self, pending: PendingMessage, error_class: str) -> None:
        """Reject what our reader fell over: its bytes stay, and it can be replayed."""
        await self._reject(pending, PrelimError(f"reader_failed_{error_class}"))

    async def _reject(self, pending: PendingMessage, error: PrelimError) -> None:
        message_id, reason, where = pending.message_id, error.reason, error.where
        owed = self._owed(pending.raw, error)
        await self._journal.record_rejected(message_id, reason, where, deliveries=owed)
        self._metrics.steps.labels(stage="map", outcome="rejected").inc()
        log.warning("pipeline.message_rejected", message_id=message_id, reason=reason, where=where)
        if owed:
            self._wake_next()

"""Map: the bytes of a RECEIVED message -> its reports, each with the reason if it is left alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from mappings.report_key import report_key
from mappings.scope import plan_draft

from daemon.journal import NewReport
from daemon.lifecycle import Event, IllegalTransitionError
from mappings.domain import Skip
from mappings.errors import PrelimError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from daemon.journal import Journal, PendingMessage
    from daemon.metrics import Metrics
    from mappings.domain import RawReport, StudyReport

log = structlog.get_logger()
INLINE_BYTES_MAX = 65_536
"""Longer messages are read on a thread, so that the answers of other senders do not wait."""


def map_report(study: StudyReport) -> NewReport:
    """Decide the first step of one report's life."""
    decision = plan_draft(study)
    if isinstance(decision, Skip):
        return NewReport(study, report_key(study), Event.SKIP, decision.reason.value)
    return NewReport(study, report_key(study), Event.MAP)


class MapStep:
    """The map step of the pipeline."""

    def __init__(
        self,
        journal: Journal,
        read: Callable[[RawReport], Sequence[StudyReport]],
        metrics: Metrics,
        wake_next: Callable[[], None],
    ) -> None:
        """Take the reader with the sites' tables in it."""
        self._journal = journal
        self._read = read
        self._metrics = metrics
        self._wake_next = wake_next

    async def __call__(self, pending: PendingMessage) -> None:
        """Map one message: to its reports, or to REJECTED."""
        message_id = pending.message_id
        try:
            if len(pending.raw.payload) > INLINE_BYTES_MAX:
                studies = await asyncio.to_thread(self._read, pending.raw)
            else:
                studies = self._read(pending.raw)
            await self._journal.record_mapped(message_id, [map_report(study) for study in studies])
        except IllegalTransitionError:
            return  # an operator or another step was faster; the journal has the truth
        except PrelimError as error:
            await self._reject(pending, error.reason, error.where)
            return
        self._metrics.steps.labels(stage="map", outcome="mapped").inc()
        log.info("pipeline.message_mapped", message_id=message_id, count=len(studies))
        self._wake_next()

    async def put_off(self, pending: PendingMessage, error_class: str) -> None:
        """Reject what our reader fell over: its bytes stay, and it can be replayed."""
        await self._reject(pending, f"reader_failed_{error_class}", None)

    async def _reject(self, pending: PendingMessage, reason: str, where: str | None) -> None:
        await self._journal.record_rejected(pending.message_id, reason, where)
        self._metrics.steps.labels(stage="map", outcome="rejected").inc()
        log.warning(
            "pipeline.message_rejected", message_id=pending.message_id, reason=reason, where=where
        )

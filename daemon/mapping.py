"""Map: the bytes of a RECEIVED message -> its reports, each with the reason if it is left alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from daemon.journal import NewReport
from daemon.lifecycle import Event, IllegalTransitionError
from mappings.domain import Skip
from mappings.errors import PrelimError
from mappings.message_plan import plan_message
from mappings.report_key import report_key

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from daemon.journal import Journal, PendingMessage
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
        One for each OBR group; one, skipped with the reason, for a message without a group.

    Raises:
        PrelimError: The content cannot be read.
    """
    return [_first_step(planned) for planned in plan_message(raw.payload, sites)]


def _first_step(planned: PlannedReport) -> NewReport:
    study, decision = planned
    if isinstance(decision, Skip):
        return NewReport(study, report_key(study), Event.SKIP, decision.reason.value)
    return NewReport(study, report_key(study), Event.MAP)


class MapStep:
    """The map step of the pipeline."""

    def __init__(
        self,
        journal: Journal,
        *,
        plan: Callable[[RawReport], Sequence[NewReport]],
        metrics: Metrics,
        wake_next: Callable[[], None],
        check: Callable[[PendingMessage], Awaitable[None]] | None = None,
    ) -> None:
        """Take the reader, which knows the sites, and what else may reject a message before it."""
        self._journal = journal
        self._plan = plan
        self._metrics = metrics
        self._wake_next = wake_next
        self._check = check

    async def __call__(self, pending: PendingMessage) -> None:
        """Map one message: to its reports, or to REJECTED."""
        message_id = pending.message_id
        try:
            if self._check is not None:
                await self._check(pending)
            if len(pending.raw.payload) > INLINE_BYTES_MAX:
                reports = await asyncio.to_thread(self._plan, pending.raw)
            else:
                reports = self._plan(pending.raw)
            await self._journal.record_mapped(message_id, reports)
        except IllegalTransitionError:
            return  # an operator or another step was faster; the journal has the truth
        except PrelimError as error:
            await self._reject(pending, error.reason, error.where)
            return
        self._metrics.steps.labels(stage="map", outcome="mapped").inc()
        log.info("pipeline.message_mapped", message_id=message_id, count=len(reports))
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

"""What a step does with a report that it could not finish: another try later, or an end.

Waiting is data in the journal, never a task that sleeps: a restart keeps it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import structlog

from daemon.lifecycle import Event, IllegalTransitionError

if TYPE_CHECKING:
    from daemon.clock import Clock
    from daemon.journal import PendingReport
    from daemon.journal_ports import PipelineJournal
    from daemon.metrics import Metrics

log = structlog.get_logger()


class WaitLimits(Protocol):
    """The shortest and the longest wait, in seconds."""

    @property
    def wait_min_s(self) -> float:
        """The first wait."""

    @property
    def wait_max_s(self) -> float:
        """No wait is longer."""


def plan_wait_s(attempts: int, retry: WaitLimits, retry_after_s: float | None) -> float:
    """Choose the wait before the next claim.

    Args:
        attempts: Claims so far, 0 for the first failure.
        retry: The limits.
        retry_after_s: The server's own word; it is obeyed even beyond ``wait_max_s``.

    Returns:
        Seconds: ``wait_min_s`` doubled for each attempt, at most ``wait_max_s``.
    """
    if retry_after_s is not None:
        return max(retry_after_s, 0.0)
    doublings = min(attempts, 30)
    return min(retry.wait_min_s * 2.0**doublings, retry.wait_max_s)


class Retrying:
    """Puts off or ends the reports of one stage.

    A report whose state has moved on meanwhile is left alone: the journal has the truth.
    """

    def __init__(
        self,
        stage: str,
        journal: PipelineJournal,
        *,
        attempts_max: int,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        """Take the stage's name and how many claims a report has in it."""
        self._stage = stage
        self._journal = journal
        self._attempts_max = attempts_max
        self._clock = clock
        self._metrics = metrics

    async def end(self, report: PendingReport, event: Event, reason: str) -> None:
        """SKIP or FAIL a report."""
        try:
            await self._journal.record_exit(report.report_id, event, reason, was=report.state)
        except IllegalTransitionError:
            return
        self._metrics.steps.labels(stage=self._stage, outcome=event.value).inc()
        if event is Event.FAIL:
            log.error("pipeline.report_failed", report_id=report.report_id, reason=reason)
        else:
            log.info("pipeline.report_skipped", report_id=report.report_id, reason=reason)

    async def try_later(
        self, report: PendingReport, reason: str, wait_s: float, *, is_counted: bool = True
    ) -> None:
        """Keep a report in its state until ``wait_s`` have passed; FAIL it when tries are spent.

        ``is_counted`` is False for what was no try, or no fault of the report.
        """
        if is_counted and report.attempts + 1 >= self._attempts_max:
            await self.end(report, Event.FAIL, reason)
            return
        not_before = self._clock.now() + timedelta(seconds=wait_s)
        try:
            await self._journal.record_retry(
                report.report_id,
                reason=reason,
                not_before=not_before,
                was=report.state,
                is_counted=is_counted,
            )
        except IllegalTransitionError:
            return
        self._metrics.steps.labels(stage=self._stage, outcome="retry").inc()
        log.warning(
            "pipeline.report_put_off",
            report_id=report.report_id,
            stage=self._stage,
            reason=reason,
            attempts=report.attempts + is_counted,
            retry_after_s=wait_s,
        )

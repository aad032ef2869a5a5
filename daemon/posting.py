"""Post: a DRAFTED report's stored bytes -> the FHIR server, exactly as kept; and take it back.

Rules: what is done is what the journal says now, not what it said when the report was listed.
Short trouble is ridden out inside the client (at most 3 tries in 5 s); anything longer goes back to
the journal as data, with the server's own Retry-After when it gave one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import structlog

from daemon.lifecycle import Event, State
from daemon.retrying import Retrying, plan_wait_s
from interfaces.errors import (
    FinalPresentError,
    PostRefusedError,
    PostRetryError,
    ServerAwayError,
)
from mappings.reasons import SkipReason

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.clock import Clock
    from daemon.config_fhir import PostRetry
    from daemon.journal import PendingReport
    from daemon.journal_ports import PipelineJournal
    from daemon.metrics import Metrics
    from daemon.outbound import Receiver
    from mappings.domain import DraftObservation, PostReceipt

log = structlog.get_logger()


class Poster(Protocol):
    """What the pipeline needs of a FHIR client."""

    async def post(self, draft: DraftObservation) -> PostReceipt:
        """Write the Observation and what belongs to it so that a repeat changes nothing.

        Raises:
            PostRetryError: Not now.
            PostRefusedError: Never.
            FinalPresentError: A human has taken over.
        """

    async def retract(self, draft: DraftObservation, reason: str) -> PostReceipt:
        """Enter our draft in error so that a repeat changes nothing.

        Raises:
            PostRetryError: Not now.
            PostRefusedError: Never.
            FinalPresentError: A human has taken over, or there is nothing of ours.
        """


class PostStep:
    """The post step of the pipeline."""

    def __init__(
        self,
        journal: PipelineJournal,
        *,
        poster: Poster,
        retry: PostRetry,
        clock: Clock,
        metrics: Metrics,
        owed: Receiver,
        wake_next: Callable[[], None] = lambda: None,
    ) -> None:
        """Take the ports."""
        self._journal = journal
        self._poster = poster
        self._retry = retry
        self._clock = clock
        self._metrics = metrics
        self._owed = owed
        self._wake_next = wake_next
        self._retrying = Retrying(
            "post", journal, attempts_max=retry.attempts_max, clock=clock, metrics=metrics
        )

    async def __call__(self, report: PendingReport) -> None:
        """Post one report's draft, or take it back."""
        # It was listed while another step of its key ran: that may have changed everything.
        if await self._journal.state_of(report.report_id) is not report.state:
            return
        is_retraction = report.state is State.RETRACTING
        try:
            await (self._retract(report) if is_retraction else self._post(report))
        except ServerAwayError:
            return  # nothing was tried: it is still due, and listed again when there may be a try
        except PostRetryError as error:
            await self._try_later(report, error)
        except PostRefusedError as error:
            await self._retrying.end(report, Event.FAIL, error.reason)
        except FinalPresentError as error:
            reason = error.reason if is_retraction else SkipReason.FINAL_PRESENT.value
            await self._retrying.end(report, Event.SKIP, reason)

    async def put_off(self, report: PendingReport, error_class: str) -> None:
        """Try again later what failed for a reason of ours."""
        await self._try_later(report, PostRetryError(f"post_failed_{error_class}", None))

    async def _post(self, report: PendingReport) -> None:
        assert report.observation is not None, "DRAFTED keeps the bytes"
        started_s = self._clock.monotonic_s()
        receipt = await self._poster.post(report.observation)
        await self._journal.record_posted(
            report.report_id,
            reference=receipt.reference,
            version_id=receipt.version_id,
            outcome=receipt.outcome.value,
            deliveries=self._owed.plan_posted(report),
        )
        self._count(receipt.outcome.value, started_s)
        log.info(
            "pipeline.report_posted", report_id=report.report_id, outcome=receipt.outcome.value
        )

    async def _retract(self, report: PendingReport) -> None:
        assert report.observation is not None, "what is taken back was drafted"
        assert report.retracted_for is not None, "it is taken back for a reason"
        started_s = self._clock.monotonic_s()
        receipt = await self._poster.retract(report.observation, report.retracted_for)
        await self._journal.record_retracted(
            report.report_id,
            reference=receipt.reference,
            version_id=receipt.version_id,
            outcome=receipt.outcome.value,
            deliveries=self._owed.plan_retracted(report),
        )
        self._count("retracted", started_s)
        log.info(
            "pipeline.report_retracted", report_id=report.report_id, reason=report.retracted_for
        )

    def _count(self, outcome: str, started_s: float) -> None:
        self._wake_next()
        seconds = self._clock.monotonic_s() - started_s
        self._metrics.stage_seconds.labels(stage="post").observe(seconds)
        self._metrics.steps.labels(stage="post", outcome=outcome).inc()

    async def _try_later(self, report: PendingReport, error: PostRetryError) -> None:
        wait_s = plan_wait_s(report.attempts, self._retry, error.retry_after_s)
        await self._retrying.try_later(report, error.reason, wait_s, is_counted=error.is_counted)

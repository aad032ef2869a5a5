"""Post: a DRAFTED report's stored bytes -> the FHIR server, exactly as they were kept.

Short trouble is ridden out inside the client (at most 3 tries in 5 s); anything longer goes back to
the journal as data, with the server's own Retry-After when it gave one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import structlog

from daemon.lifecycle import Event
from daemon.retrying import Retrying, plan_wait_s
from interfaces.errors import FinalPresentError, PostRefusedError, PostRetryError
from mappings.domain import SkipReason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from daemon.clock import Clock
    from daemon.config_fhir import PostRetry
    from daemon.delivery import NewDelivery
    from daemon.journal import Journal, PendingReport
    from daemon.metrics import Metrics
    from mappings.domain import DraftObservation, PostReceipt

log = structlog.get_logger()


def _owe_nothing(_report: PendingReport) -> Sequence[NewDelivery]:
    return ()


class Poster(Protocol):
    """What the pipeline needs of a FHIR client."""

    async def post(self, observation: DraftObservation) -> PostReceipt:
        """Write the Observation and its Provenance so that a repeat changes nothing.

        Raises:
            PostRetryError: Not now.
            PostRefusedError: Never.
            FinalPresentError: A human has taken over.
        """


class PostStep:
    """The post step of the pipeline."""

    def __init__(
        self,
        journal: Journal,
        *,
        poster: Poster,
        retry: PostRetry,
        clock: Clock,
        metrics: Metrics,
        owed: Callable[[PendingReport], Sequence[NewDelivery]] = _owe_nothing,
        wake_next: Callable[[], None] = lambda: None,
    ) -> None:
        """Take the ports; ``owed`` says what is to be sent to others once a draft is posted."""
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
        """Post one report's draft."""
        try:
            await self._post(report)
        except PostRetryError as error:
            await self._try_later(report, error.reason, error.retry_after_s)
        except PostRefusedError as error:
            await self._retrying.end(report, Event.FAIL, error.reason)
        except FinalPresentError:
            await self._retrying.end(report, Event.SKIP, SkipReason.FINAL_PRESENT.value)

    async def put_off(self, report: PendingReport, error_class: str) -> None:
        """Try again later what failed for a reason of ours."""
        await self._try_later(report, f"post_failed_{error_class}", None)

    async def _post(self, report: PendingReport) -> None:
        assert report.observation is not None, "DRAFTED keeps the bytes"
        started_s = self._clock.monotonic_s()
        receipt = await self._poster.post(report.observation)
        await self._journal.record_posted(
            report.report_id,
            reference=receipt.reference,
            version_id=receipt.version_id,
            outcome=receipt.outcome.value,
            deliveries=self._owed(report),
        )
        self._wake_next()
        seconds = self._clock.monotonic_s() - started_s
        self._metrics.stage_seconds.labels(stage="post").observe(seconds)
        self._metrics.steps.labels(stage="post", outcome=receipt.outcome.value).inc()
        log.info(
            "pipeline.report_posted", report_id=report.report_id, outcome=receipt.outcome.value
        )

    async def _try_later(
        self, report: PendingReport, reason: str, retry_after_s: float | None
    ) -> None:
        wait_s = plan_wait_s(report.attempts, self._retry, retry_after_s)
        await self._retrying.try_later(report, reason, wait_s)

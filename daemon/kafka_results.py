"""Results on a topic: each Observation that was posted, and each that was withdrawn.

Rules: only what the FHIR server holds is told, in the transaction that records it. The key of a
record is the report key, so that the versions of one report are in one partition, in order, and a
compacted topic keeps the last. Key and headers say nothing of a patient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.delivery import NewDelivery
from mappings.fhir_elements import FHIR_JSON
from mappings.fhir_retraction import retracted
from mappings.kafka_envelope import Envelope, parse_envelope, render_envelope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from daemon.clock import Clock
    from daemon.config_values import SendRetry
    from daemon.delivery import PendingDelivery
    from daemon.journal import PendingReport
    from mappings.domain import DraftObservation


class KafkaResults:
    """Writes results.

    Args:
        topic: Where they go; None when there are to be none.
        clock: When a draft was taken back.
    """

    def __init__(self, topic: str | None, clock: Clock) -> None:
        self._topic = topic
        self._clock = clock

    def plan_posted(self, report: PendingReport) -> Sequence[NewDelivery]:
        """Return what is owed when a draft is posted."""
        draft = report.observation
        return () if draft is None else self._plan(report, draft, draft.observation, "posted")

    def plan_retracted(self, report: PendingReport) -> Sequence[NewDelivery]:
        """Return what is owed when a posted draft is taken back: the same, entered in error."""
        draft = report.observation
        if draft is None:
            return ()
        assert report.retracted_for is not None, "it is taken back for a reason"
        body = retracted(draft.observation, reason=report.retracted_for, now=self._clock.now())
        return self._plan(report, draft, body, "retracted")

    def _plan(
        self, report: PendingReport, draft: DraftObservation, body: bytes, event: str
    ) -> Sequence[NewDelivery]:
        if self._topic is None:
            return ()
        headers = {
            "content-type": FHIR_JSON,
            "prelim-event": event,
            "prelim-report-id": report.report_id,
            "prelim-reference": f"Observation/{draft.observation_id}",
        }
        payload = render_envelope(Envelope(draft.report_key, headers, body))
        return (NewDelivery("kafka_result", self._topic, payload, f"{report.report_id}/{event}"),)


class KafkaCarrier:
    """Brings results and dead letters to their topics.

    Args:
        send: Sends one record and says where it stands.
        retry: How long a topic is tried.
    """

    def __init__(self, send: Callable[[str, Envelope], Awaitable[str]], retry: SendRetry) -> None:
        self._send = send
        self._retry = retry

    def retry_of(self, _target: str) -> SendRetry:
        """Return how often, and how long between tries, a topic is tried."""
        return self._retry

    async def carry(self, delivery: PendingDelivery) -> str:
        """Send one record; return its partition and offset.

        Raises:
            SendRetryError: Not now.
            SendRefusedError: Never.
        """
        return await self._send(delivery.target, parse_envelope(delivery.payload))

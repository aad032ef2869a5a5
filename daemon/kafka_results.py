"""Results on a topic: each Observation that was posted, and each that was withdrawn.

Rules: only what the FHIR server holds is told, in the transaction that records it. The key of a
record is the report key, so that the versions of one report are in one partition, in order, and a
compacted topic keeps the last. Key and headers say nothing of a patient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.delivery import NewDelivery
from mappings.kafka_envelope import Envelope, parse_envelope, render_envelope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from daemon.config_mllp import SendRetry
    from daemon.delivery import PendingDelivery
    from daemon.journal import PendingReport

FHIR_JSON = "application/fhir+json"


class KafkaResults:
    """Writes results.

    Args:
        topic: Where they go; None when there are to be none.
    """

    def __init__(self, topic: str | None) -> None:
        self._topic = topic

    def plan_posted(self, report: PendingReport) -> Sequence[NewDelivery]:
        """Return what is owed when a draft is posted."""
        return self._plan(report, "posted")

    def plan_retracted(self, report: PendingReport) -> Sequence[NewDelivery]:
        """Return what is owed when a posted draft is withdrawn: ``report`` holds it as it is then,
        entered in error.
        """
        return self._plan(report, "retracted")

    def _plan(self, report: PendingReport, event: str) -> Sequence[NewDelivery]:
        observation = report.observation
        if self._topic is None or observation is None:
            return ()
        headers = {
            "content-type": FHIR_JSON,
            "prelim-event": event,
            "prelim-report-id": report.report_id,
            "prelim-reference": f"Observation/{observation.observation_id}",
        }
        envelope = Envelope(observation.report_key, headers, observation.observation)
        control_id = f"{report.report_id}/{event}"
        payload = render_envelope(envelope)
        return (NewDelivery("kafka_result", self._topic, payload, control_id),)


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

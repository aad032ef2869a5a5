"""Dead letters: a record that cannot be taken goes to a topic beside its own, with the reason.

Rule: it is owed in the transaction that keeps the record as REJECTED, so neither is without the
other; its headers say where it stood and why, and nothing of what it says.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from daemon.delivery import NewDelivery
from mappings.kafka_envelope import Envelope, render_envelope
from mappings.sites import TOPIC_DOOR

if TYPE_CHECKING:
    from mappings.domain import RawReport
    from mappings.errors import PrelimError


class DeadLetters:
    """Writes dead letters.

    Args:
        suffix: After the topic's name; None when there are to be none.
    """

    def __init__(self, suffix: str | None) -> None:
        self._suffix = suffix

    def plan(self, raw: RawReport, reason: str, where: str | None) -> tuple[NewDelivery, ...]:
        """Return what is owed for a message of a topic that is refused for ``reason``."""
        if self._suffix is None or not raw.origin.startswith(TOPIC_DOOR):
            return ()
        topic, partition, offset = raw.origin.removeprefix(TOPIC_DOOR).rsplit("/", 2)
        headers = {
            "prelim-topic": topic,
            "prelim-partition": partition,
            "prelim-offset": offset.partition("#")[0],
            "prelim-reason": reason,
            "prelim-where": where or "",
            "prelim-sha256": hashlib.sha256(raw.payload).hexdigest(),
        }
        payload = render_envelope(Envelope(raw.origin, headers, raw.payload))
        return (NewDelivery("kafka_dead_letter", topic + self._suffix, payload, raw.origin),)

    def plan_rejected(
        self, raw: RawReport, error: PrelimError | None = None
    ) -> tuple[NewDelivery, ...]:
        """Return what is owed for a message that was taken and turns out to be unreadable."""
        return () if error is None else self.plan(raw, error.reason, error.where)

"""Deliveries in a journal, and the deliver step over it with a link to each engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.config_mllp import Send
from daemon.config_values import SendRetry
from daemon.delivering import DeliverStep
from daemon.delivery import NewDelivery
from daemon.lifecycle import State
from daemon.metrics import Metrics
from daemon.mllp_carriers import AcknowledgmentCarrier, Link, MllpCarrier
from tests.unit.daemon.journal_samples import bring_to

if TYPE_CHECKING:
    from daemon.delivering import Carrier
    from daemon.delivery import DeliveryKind, DeliveryTrail, PendingDelivery
    from daemon.journal_sqlite import SqliteJournal
    from tests.unit.daemon.conftest import HandClock

RETRY = SendRetry(attempts_max=3, wait_min_s=2, wait_max_s=600)


def message(control_id: str) -> bytes:
    return f"MSH|^~\\&|PRELIM||RIS|A|20261121||ORU^R01^ORU_R01|{control_id}|P|2.5.1\r".encode()


async def queue(journal: SqliteJournal, *control_ids: str, target: str = "ris") -> None:
    for control_id in control_ids:
        report_id = await bring_to(journal, State.DRAFTED, f"{target} {control_id}")
        delivery = NewDelivery("oru", target, message(control_id), control_id)
        await journal.record_posted(
            report_id, reference="O/1", version_id="1", outcome="created", deliveries=[delivery]
        )


class Sender:
    """The step over one journal, with a link to each engine."""

    def __init__(
        self,
        journal: SqliteJournal,
        clock: HandClock,
        *,
        timeout_s: float = 5,
        acknowledged: bool = True,
        **ports: int,
    ) -> None:
        self.journal, self.clock, self.metrics = journal, clock, Metrics()
        self.links = {
            name: Link(Send(host="127.0.0.1", port=port, timeout_s=timeout_s, retry=RETRY))
            for name, port in ports.items()
        }
        self.acknowledged: list[PendingDelivery] = []

        async def acknowledge(delivery: PendingDelivery) -> bool:
            self.acknowledged.append(delivery)
            return acknowledged

        self.carriers: dict[DeliveryKind, Carrier] = {
            "oru": MllpCarrier(self.links),
            "application_ack": AcknowledgmentCarrier(acknowledge),
        }
        self.step = DeliverStep(journal, self.carriers, clock=clock, metrics=self.metrics)

    async def due(self) -> list[PendingDelivery]:
        return list(await self.journal.pending_deliveries(now=self.clock.now(), limit=9))

    async def try_all(self) -> None:
        """Try what is due now, once each, until nothing is due."""
        while found := await self.due():
            for delivery in found:
                await self.step(delivery)

    def close(self) -> None:
        for link in self.links.values():
            link.close()

    def count(self, outcome: str, target: str = "ris") -> float:
        found = self.metrics.registry.get_sample_value(
            "prelim_deliveries_total", {"kind": "oru", "target": target, "outcome": outcome}
        )
        return found or 0.0


async def trail_of(journal: SqliteJournal, control_id: str) -> DeliveryTrail:
    for row in await journal.rows():
        for delivery in (await journal.trail(row.message_id)).deliveries:
            if delivery.control_id == control_id:
                return delivery
    raise AssertionError(control_id)

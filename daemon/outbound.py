"""Everything that leaves beside the FHIR server: what is owed to whom, and the stage that sends it.

Rule: only what was posted is sent, and nothing of it while posting is paused or in shadow. An
application acknowledgment and a dead letter say what was read, not what was drafted: they go out
all the same.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from daemon.certificates import client_context
from daemon.delivering import DeliverStep
from daemon.delivery import DeliveryId
from daemon.errors import ConfigurationError
from daemon.mllp_carriers import Link, MllpCarrier, tls_of
from daemon.oru_results import OruResults
from daemon.stage import Stage, StagePlan
from interfaces.errors import SendRetryError, UnframeableError
from interfaces.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from daemon.clock import Clock
    from daemon.config import Settings
    from daemon.delivering import Carrier
    from daemon.delivery import DeliveryKind, NewDelivery, PendingDelivery
    from daemon.journal import PendingReport
    from daemon.journal_ports import OutboxJournal
    from daemon.metrics import Metrics
    from mappings.sites import SiteSet

DELIVERIES_IN_FLIGHT_MAX = 64
NEVER_HELD: tuple[DeliveryKind, ...] = ("application_ack", "kafka_dead_letter")
"""Kinds that go out while posting is paused or in shadow."""


class Receiver(Protocol):
    """Somebody who is to hear of drafts; says what it is owed, and changes nothing."""

    def plan_posted(self, report: PendingReport) -> Sequence[NewDelivery]:
        """Return what is owed when a draft is posted."""

    def plan_retracted(self, report: PendingReport) -> Sequence[NewDelivery]:
        """Return what is owed when a posted draft is withdrawn."""


class Outbound:
    """What is owed to others and what carries it; those of ``mllp.send`` are in it from the start.

    ``receivers`` are asked in their order; ``carriers`` has one for each kind that they are owed.
    Both are filled before ``start``.

    Args:
        settings: Checked settings.
        sites: Each may name the receiver of its impressions.
        clock: The time of MSH-7 and of the waits.

    Raises:
        ConfigurationError: A site names no receiver that there is, a TLS file cannot be used, or a
            demo engine's drafts would leave this machine.
    """

    def __init__(self, settings: Settings, sites: SiteSet, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        for name, entry in settings.mllp.send.items():
            if (tls := tls_of(entry)) is not None:
                client_context(tls, f"mllp.send.{name}.tls.")
        for site in sites.sites:
            _check_target(settings, site.name, site.oru_target)
        self._links = {name: Link(entry) for name, entry in settings.mllp.send.items()}
        self.receivers: list[Receiver] = [OruResults(settings.mllp.send, sites, clock)]
        self.carriers: dict[DeliveryKind, Carrier] = {"oru": MllpCarrier(self._links)}
        self._stage: Stage[PendingDelivery] | None = None
        self._task: asyncio.Task[None] | None = None

    def plan_posted(self, report: PendingReport) -> Sequence[NewDelivery]:
        """Return everything that is owed to others when a draft is posted."""
        return [owed for each in self.receivers for owed in each.plan_posted(report)]

    def plan_retracted(self, report: PendingReport) -> Sequence[NewDelivery]:
        """Return everything that is owed to others when a posted draft is withdrawn."""
        return [owed for each in self.receivers for owed in each.plan_retracted(report)]

    async def tell(self, target: str, payload: bytes) -> bool:
        """Send a message that nobody answers to an entry of ``mllp.send``.

        Returns:
            Whether it was handed to the network.
        """
        link = self._links.get(target)
        if link is None:
            return False
        try:
            await link.tell(payload)
        except (SendRetryError, UnframeableError):
            return False
        return True

    def start(self, journal: OutboxJournal, metrics: Metrics, wakened: asyncio.Event) -> None:
        """Send what is due, and what becomes due, until ``drain``; ``wakened`` says: look now."""
        step = DeliverStep(journal, self.carriers, clock=self._clock, metrics=metrics)

        async def due(limit: int, but_not: Collection[str]) -> Sequence[PendingDelivery]:
            claimed = tuple(DeliveryId(id_) for id_ in but_not)
            is_held = self._settings.fhir_write == "off" or await journal.is_paused()
            return await journal.pending_deliveries(
                now=self._clock.now(),
                limit=limit,
                but_not=claimed,
                kinds=NEVER_HELD if is_held else None,
            )

        self._stage = Stage(
            StagePlan(
                name="deliver",
                fetch=due,
                step=step,
                identity=lambda delivery: delivery.delivery_id,
                # One at a time for each receiver: it gets them in the order of their posts, and
                # one that cannot be reached holds up nobody else's.
                exclusive=lambda delivery: (
                    (delivery.kind, delivery.target) if delivery.target else None
                ),
                put_off=step.put_off,
                in_flight_max=DELIVERIES_IN_FLIGHT_MAX,
                wakened=wakened,
            )
        )
        self._task = asyncio.create_task(self._stage.run_stage())

    async def drain(self, deadline_s: float) -> None:
        """Start no more, wait for what is on its way, and close the connections.

        What is cut short is sent again after the next start.
        """
        if self._stage is not None and self._task is not None:
            await self._stage.drain(deadline_s)
            await self._task
        for link in self._links.values():
            link.close()


def _check_target(settings: Settings, site: str, target: str | None) -> None:
    if target is None:
        return
    entry = settings.mllp.send.get(target)
    if entry is None:
        raise ConfigurationError("no such entry of mllp.send", f"{site}: oru_target")
    is_demo = settings.is_demo_engine and not settings.model.allow_demo
    if is_demo and not is_loopback(entry.host):
        raise ConfigurationError(
            "a demo engine's drafts must not be sent to a real receiver", "model.allow_demo"
        )

"""Tell subscribers of drafts: what is an event, and how it, a handshake or a heartbeat goes out.

Events stand in the outbox, born in the transaction that records their post; they leave in order,
one after another for each Subscription, until the subscriber has taken each. Handshakes and
heartbeats are owed to nobody: they are sent when they are due, and not kept.

Standard: Subscriptions R5 Backport, rest-hook.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Literal

import structlog

from daemon.config_values import SendRetry
from daemon.delivery import NewDelivery
from daemon.notification_log import DraftEvent, read_event
from interfaces.errors import SendRefusedError, SendRetryError
from mappings.fhir_elements import canonical_json
from mappings.fhir_notification import NotificationType, instant_ms, notification
from mappings.fhir_subscription import SubscriptionState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.clock import Clock
    from daemon.delivery import PendingDelivery
    from daemon.journal import PendingReport
    from daemon.notification_log import NotificationLog
    from daemon.subscriptions import Held, Subscriptions
    from interfaces.subscription_channel import SubscriptionChannel

log = structlog.get_logger()
RETRY = SendRetry(attempts_max=2**31, wait_min_s=0.5, wait_max_s=60)
"""Tries are not counted: a subscriber is given up by time, and then for all of its events."""
TICK_S = 1.0


class Notifier:
    """Plans events, and carries them as the outbox's carrier of kind ``notification``.

    Args:
        subscriptions: Whom.
        events: What the outbox knows of their events.
        channel: How.
        give_up_s: A subscriber that takes nothing for this long is switched off.
        clock: For that, for heartbeats and for ends.
    """

    kind: Literal["notification"] = "notification"

    def __init__(
        self,
        subscriptions: Subscriptions,
        events: NotificationLog,
        channel: SubscriptionChannel,
        *,
        give_up_s: float,
        clock: Clock,
    ) -> None:
        self._subscriptions = subscriptions
        self._events = events
        self._channel = channel
        self._give_up_s = give_up_s
        self._clock = clock
        self._told_at_s: dict[str, float] = {}
        self._failing_since_s: dict[str, float] = {}
        self._wakened = asyncio.Event()
        self._speaking: dict[str, asyncio.Task[None]] = {}
        subscriptions.on_request = self._wakened.set

    def plan_posted(self, report: PendingReport) -> Sequence[NewDelivery]:
        """Return the events of a draft that was posted."""
        return self._plan(report, None)

    def plan_retracted(self, report: PendingReport) -> Sequence[NewDelivery]:
        """Return the events of a draft that was withdrawn."""
        return self._plan(report, "entered-in-error")

    def retry_of(self, _target: str) -> SendRetry:
        """Return how long between tries."""
        return RETRY

    async def carry(self, delivery: PendingDelivery) -> str:
        """Tell one event; return the status of its answer.

        Raises:
            SendRetryError: Not now.
            SendRefusedError: The subscriber says no, or is to be told nothing any more.
        """
        held = self._subscriptions.find(delivery.target)
        if held is None:
            raise SendRefusedError("subscription_gone")
        if held.state is SubscriptionState.REQUESTED:
            raise SendRetryError("subscription_requested", was_reached=False)
        if held.state is not SubscriptionState.ACTIVE:
            raise SendRefusedError(f"subscription_{held.state}")
        if await self._events.is_mirror_due(delivery.report_id):
            raise SendRetryError("draft_not_mirrored", was_reached=False)
        event = read_event(delivery.payload)
        number = await self._events.number(delivery.delivery_id)
        standing = await self._subscriptions.standing(held)
        told = await self._subscriptions.event(number, event.identifier, event.at)
        now = self._clock.now()
        bundle = notification("event-notification", standing, events=[told], now=now)
        return str(await self._post(held, bundle))

    async def run(self) -> None:
        """Send handshakes and heartbeats when they are due, and end what has an end; for ever."""
        while True:
            self._wakened.clear()
            try:
                await self.tick()
            except Exception as error:  # noqa: BLE001 - it must outlive a bad moment of the disk
                log.error("subscription.round_failed", error_class=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wakened.wait(), TICK_S)

    async def tick(self) -> None:
        """Start what is due now; no subscriber waits for another."""
        for held in self._subscriptions.all():
            if held.id in self._speaking:
                continue
            if held.wish.end is not None and held.wish.end <= self._clock.now():
                await self._subscriptions.move(held.id, SubscriptionState.OFF, "end_reached")
            elif held.state is SubscriptionState.REQUESTED:
                self._speak(held, "handshake")
            elif held.state is SubscriptionState.ACTIVE and self._is_heartbeat_due(held):
                self._speak(held, "heartbeat")

    async def settle(self) -> None:
        """Wait for the handshakes and heartbeats that are on their way."""
        await asyncio.gather(*self._speaking.values(), return_exceptions=True)

    def stop(self) -> None:
        """Cut off the handshakes and heartbeats that are on their way."""
        for task in self._speaking.values():
            task.cancel()

    def _plan(self, report: PendingReport, status: str | None) -> Sequence[NewDelivery]:
        draft = report.observation
        if draft is None:
            return ()
        resource = json.loads(draft.observation)
        if status is not None:
            resource["status"] = status
        identifier = f"{draft.identifier_system}|{draft.identifier_value}"
        payload = DraftEvent(identifier, instant_ms(self._clock.now())).payload
        return [
            NewDelivery("notification", id_, payload, draft.observation_id)
            for id_ in self._subscriptions.interested(resource)
        ]

    def _is_heartbeat_due(self, held: Held) -> bool:
        if held.wish.heartbeat_s is None:
            return False
        now_s = self._clock.monotonic_s()
        return now_s - self._told_at_s.setdefault(held.id, now_s) >= held.wish.heartbeat_s

    def _speak(self, held: Held, kind: NotificationType) -> None:
        task = asyncio.create_task(self._tell(held, kind))
        self._speaking[held.id] = task
        task.add_done_callback(lambda _: self._speaking.pop(held.id, None))

    async def _tell(self, held: Held, kind: NotificationType) -> None:
        standing = await self._subscriptions.standing(held)
        try:
            await self._post(held, notification(kind, standing, now=self._clock.now()))
        except SendRefusedError:
            return
        except SendRetryError as error:
            if kind == "handshake":  # the guide: any error of the handshake
                await self._subscriptions.move(held.id, SubscriptionState.ERROR, error.reason)
            else:
                self._told_at_s[held.id] = self._clock.monotonic_s()
                log.warning("subscription.heartbeat_failed", target=held.id, reason=error.reason)
            return
        if kind == "handshake":
            await self._subscriptions.move(held.id, SubscriptionState.ACTIVE)

    async def _post(self, held: Held, bundle: dict[str, object]) -> int:
        try:
            status = await self._channel.post(held.wish, canonical_json(bundle))
        except SendRefusedError as error:
            await self._subscriptions.move(held.id, SubscriptionState.ERROR, error.reason)
            raise
        except SendRetryError as error:
            await self._give_up_if_late(held, error.reason)
            raise
        now_s = self._clock.monotonic_s()
        self._told_at_s[held.id] = now_s
        self._failing_since_s.pop(held.id, None)
        return status

    async def _give_up_if_late(self, held: Held, reason: str) -> None:
        now_s = self._clock.monotonic_s()
        failing_s = now_s - self._failing_since_s.setdefault(held.id, now_s)
        if failing_s >= self._give_up_s:
            self._failing_since_s.pop(held.id, None)
            await self._subscriptions.move(held.id, SubscriptionState.OFF, reason)
            raise SendRefusedError(f"subscription_{SubscriptionState.OFF}")

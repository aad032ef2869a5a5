"""Application acknowledgments: what a sender that asked for it (MSH-16) hears once its message was
read.

Each is a message of its own, kept in the outbox in the transaction that records the reading, so no
crash loses it. It goes back on the connection that its message came by, else on the newest one of
the same sender at the same door, else it waits for that sender to come back; or to the address that
the listener's settings name, and then only there. None is ever acknowledged.

Standard: HL7 v2 control chapter, enhanced acknowledgment mode.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, TypeVar

from daemon.acknowledging import new_control_id
from daemon.delivery import NewDelivery
from mappings.ack_mode import plan_acks
from mappings.domain import Standard
from mappings.errors import MessageRefusedError
from mappings.hl7_ack import render_ack
from mappings.hl7_header import peek_header

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from daemon.acknowledging import AckRules
    from daemon.clock import Clock
    from daemon.delivery import PendingDelivery
    from interfaces.mllp_contract import Later
    from mappings.domain import MessageId, RawReport
    from mappings.errors import PrelimError
    from mappings.hl7_header import Header

CONNECTIONS_KEPT_MAX = 1_000
"""Of how many messages and of how many senders we remember the connection; the oldest is let go."""
_Key = TypeVar("_Key")
_Parties = tuple[bytes, ...]


class ApplicationAcks:
    """Writes application acknowledgments and brings them to their senders."""

    def __init__(
        self,
        rules: Mapping[str, AckRules],
        *,
        clock: Clock,
        send_to: Callable[[str, bytes], Awaitable[bool]] | None = None,
    ) -> None:
        """Take what each listener answers.

        Args:
            rules: By the listener's name.
            clock: The time of MSH-7.
            send_to: Sends a message to an entry of ``mllp.send`` without waiting for an answer to
                it; False when that was not possible.
        """
        self._rules = rules
        self._clock = clock
        self._send_to = send_to
        self._by_message: OrderedDict[MessageId, Later] = OrderedDict()
        self._by_sender: OrderedDict[tuple[str, _Parties], Later] = OrderedDict()

    def plan(self, raw: RawReport, error: PrelimError | None = None) -> tuple[NewDelivery, ...]:
        """Return what the sender of a message is owed now that it was read.

        Args:
            raw: The message.
            error: Why its content cannot be read; None when it can.

        Returns:
            One delivery, or none when the sender did not ask for it. A message that an operator
            brings back and that can be read now is acknowledged again, with the better news.
        """
        rules = self._rules.get(raw.door)
        if rules is None or raw.standard is not Standard.HL7V2:
            return ()
        try:
            header = peek_header(raw.payload)
        except MessageRefusedError:  # an operator brought back what the door had refused
            return ()
        code = plan_acks(header, rules.mode).later_code(is_read=error is None)
        if code is None or header.is_ack:
            return ()
        control_id = new_control_id()
        payload = render_ack(
            header,
            code=code,
            control_id=header.control_id_bytes,
            ack_control_id=control_id,
            now=self._clock.now(),
            error=error,
        )
        return (NewDelivery("application_ack", rules.application_ack_to, payload, control_id),)

    def remember_sender(self, header: Header, door: str, later: Later) -> None:
        """Remember the connection that a sender uses now.

        Behind another door the same name is another sender: two hospitals may use one product.
        """
        parties = _parties(header, (3, 4, 5, 6))
        if any(parties[:2]):
            _keep(self._by_sender, (door, parties), later)

    def remember_message(self, message_id: MessageId, later: Later) -> None:
        """Remember the connection that a message came by."""
        _keep(self._by_message, message_id, later)

    async def deliver(self, delivery: PendingDelivery) -> bool:
        """Send one acknowledgment.

        Returns:
            Whether it is on its way; False when nobody can be reached now.
        """
        if delivery.target:
            if self._send_to is None:
                return False
            return await self._send_to(delivery.target, delivery.payload)
        later = self._by_message.get(delivery.message_id)
        if later is not None and later(delivery.payload):
            del self._by_message[delivery.message_id]
            return True
        parties = _parties(peek_header(delivery.payload), (5, 6, 3, 4))
        later = self._by_sender.get((delivery.door, parties))
        return later is not None and later(delivery.payload)


def _parties(header: Header, numbers: tuple[int, ...]) -> _Parties:
    return tuple(header.raw(number) for number in numbers)


def _keep(kept: OrderedDict[_Key, Later], key: _Key, later: Later) -> None:
    kept[key] = later
    kept.move_to_end(key)
    if len(kept) > CONNECTIONS_KEPT_MAX:
        kept.popitem(last=False)

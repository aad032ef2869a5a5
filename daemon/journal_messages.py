"""Every change of a message: its arrival at a door, and whether its content can be read.

Rule: a state changes only through ``next_state`` and only beside ``transaction.audit``, in one
transaction. No detail of an entry is patient data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from daemon import journal_outbox
from daemon.audit import SELF, Change
from daemon.errors import UnknownIdError
from daemon.journal import Received
from daemon.journal_codec import storable, time_text
from daemon.journal_transaction import ROWS_MAX, in_powers_of_two
from daemon.lifecycle import Event, IllegalTransitionError, State, next_state
from mappings.domain import MessageId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.audit import Detail
    from daemon.delivery import NewDelivery
    from daemon.journal_transaction import Transaction
    from mappings.domain import RawReport


FRAME_REASON = "frame_"
"""Begins the reason of a message of which no more than the head of a bad frame is kept."""


class Arrival(NamedTuple):
    """A message at a door, and who sent it."""

    raw: RawReport
    peer: str


def receive_together(transaction: Transaction, arrivals: Sequence[Arrival]) -> list[Received]:
    """Store accepted messages, oldest first, with few statements for all of them."""
    if len(arrivals) == 1 or _is_any_known(transaction, arrivals):
        return [receive(transaction, *arrival) for arrival in arrivals]
    ids = _store_messages(transaction, [arrival.raw for arrival in arrivals], State.RECEIVED)
    transaction.audit(
        *(
            _receipt(message_id, arrival, is_control_id_reused=False)
            for message_id, arrival in zip(ids, arrivals, strict=True)
        )
    )
    return [Received(id_, is_duplicate=False, is_control_id_reused=False) for id_ in ids]


def receive(transaction: Transaction, raw: RawReport, peer: str) -> Received:
    """Store an accepted message, or find it there already."""
    is_known = transaction.find(
        "SELECT 1 FROM message WHERE sender = ? AND message_control_id = ? AND is_refused = 0",
        _sent_as(raw),
    )
    sent = _find_sent(transaction, raw, is_refused=False) if is_known else None
    if sent is not None:
        journal_outbox.repeat_application_ack(transaction, sent)
        return Received(MessageId(sent), is_duplicate=True, is_control_id_reused=False)
    # An empty control id is no id: nothing is reused.
    is_reused = bool(raw.message_control_id and is_known)
    [message_id] = _store_messages(transaction, [raw], State.RECEIVED)
    transaction.audit(_receipt(message_id, Arrival(raw, peer), is_control_id_reused=is_reused))
    return Received(message_id, is_duplicate=False, is_control_id_reused=is_reused)


def _is_any_known(transaction: Transaction, arrivals: Sequence[Arrival]) -> bool:
    """Whether a control id was sent before, or stands twice among them."""
    sent = [_sent_as(arrival.raw) for arrival in arrivals]
    if len(set(sent)) < len(sent):
        return True
    for part in in_powers_of_two(sent, ROWS_MAX):
        # CROSS JOIN: the messages are looked up by their index, not walked.
        asked = ", ".join(["(?, ?)"] * len(part))
        statement = f"""WITH sent (sender, control_id) AS (VALUES {asked})
            SELECT 1 FROM sent CROSS JOIN message ON message.sender = sent.sender
                AND message_control_id = control_id AND is_refused = 0 LIMIT 1"""  # noqa: S608 - only question marks
        if transaction.find(statement, [value for each in part for value in each]):
            return True
    return False


def _sent_as(raw: RawReport) -> tuple[str, str]:
    return storable(raw.sender), storable(raw.message_control_id)


def _receipt(message_id: str, arrival: Arrival, *, is_control_id_reused: bool) -> Change:
    detail = _arrival(*arrival) | {"is_control_id_reused": int(is_control_id_reused)}
    return Change("receive", message_id, to_state=State.RECEIVED, detail=detail)


def refuse(
    transaction: Transaction,
    raw: RawReport,
    peer: str,
    reason: str,
    where: str | None,
) -> MessageId:
    """Keep a message that the door refused; the same one again is only counted."""
    sent = _find_sent(transaction, raw, is_refused=True)
    if sent is not None:
        transaction.execute("UPDATE message SET attempts = attempts + 1 WHERE id = ?", (sent,))
        return MessageId(sent)
    [message_id] = _store_messages(transaction, [raw], State.REJECTED, reason)
    detail = _arrival(raw, peer) | {"reason": reason, "where": where}
    transaction.audit(Change("refuse", message_id, to_state=State.REJECTED, detail=detail))
    return message_id


def _find_sent(transaction: Transaction, raw: RawReport, *, is_refused: bool) -> str | None:
    row = transaction.find(
        """SELECT id FROM message
            WHERE sender = ? AND message_control_id = ? AND digest = ? AND is_refused = ?""",
        (*_sent_as(raw), raw.digest, is_refused),
    )
    return row[0] if row else None


def _store_messages(
    transaction: Transaction,
    raws: Sequence[RawReport],
    state: State,
    reason: str | None = None,
) -> list[MessageId]:
    ids = [MessageId(transaction.new_id()) for _ in raws]
    last = transaction.insert(
        """message (id, state, is_refused, reason, standard, door, sender,
            message_control_id, message_type, received_at, digest)""",
        [
            (
                *(message_id, state, state is State.REJECTED, reason, raw.standard, raw.door),
                *(*_sent_as(raw), storable(raw.message_type)),
                *(time_text(raw.received_at), raw.digest),
            )
            for message_id, raw in zip(ids, raws, strict=True)
        ],
    )
    places = range(last - len(raws) + 1, last + 1)
    transaction.insert(
        "payload", [(place, raw.payload) for place, raw in zip(places, raws, strict=True)]
    )
    return ids


def _arrival(raw: RawReport, peer: str) -> dict[str, str | int | None]:
    return {
        "door": raw.door,
        "peer": peer,
        "standard": str(raw.standard),
        "bytes": len(raw.payload),
        "digest": raw.digest,
    }


def record_rejected(
    transaction: Transaction,
    message_id: str,
    fault: tuple[str, str | None],
    deliveries: Sequence[NewDelivery],
) -> None:
    """RECEIVED -> REJECTED; ``fault`` is reason and where."""
    state = unmapped_state(transaction, message_id, Event.REJECT)
    detail = dict(zip(("reason", "where"), fault, strict=True))
    _move_message(transaction, message_id, (state, Event.REJECT), detail)
    journal_outbox.queue(transaction, message_id, None, deliveries)


def count_attempt(transaction: Transaction, message_id: str) -> None:
    """Count a read that is about to begin. Of a refused message the same column counts arrivals."""
    transaction.execute(
        "UPDATE message SET attempts = attempts + 1 WHERE id = ? AND is_mapped = 0", (message_id,)
    )


def unmapped_state(transaction: Transaction, message_id: str, event: Event) -> State:
    """Return a message's state when ``event`` may happen to it."""
    row = transaction.find("SELECT state, is_mapped FROM message WHERE id = ?", (message_id,))
    if row is None:
        raise UnknownIdError("unknown_id")
    if row[1]:
        raise IllegalTransitionError(State.MAPPED, event)
    next_state(State(row[0]), event)
    return State(row[0])


def _move_message(
    transaction: Transaction,
    message_id: str,
    step: tuple[State, Event],
    detail: Detail,
    actor: str = SELF,
) -> State:
    state = next_state(*step)
    transaction.execute(
        "UPDATE message SET state = ?, reason = ? WHERE id = ?",
        (state, detail.get("reason"), message_id),
    )
    transaction.audit(Change(step[1], message_id, None, step[0], state, detail, actor))
    return state


def reread(transaction: Transaction, message_id: str, actor: str) -> tuple[State, State]:
    """REJECTED -> RECEIVED, but for a frame that could not be taken: only its head was kept, and
    half a report would make a wrong draft that looks right.
    """
    step = (State.REJECTED, Event.REREAD)
    row = transaction.find("SELECT reason FROM message WHERE id = ?", (message_id,))
    if row is not None and (row[0] or "").startswith(FRAME_REASON):
        raise IllegalTransitionError(*step)
    state = _move_message(transaction, message_id, step, {}, actor)
    # It is accepted now, so the same content sent again is a duplicate; IGNORE when it was sent
    # again and accepted before.
    transaction.execute("UPDATE OR IGNORE message SET is_refused = 0 WHERE id = ?", (message_id,))
    transaction.execute("UPDATE message SET attempts = 0 WHERE id = ?", (message_id,))
    return State.REJECTED, state

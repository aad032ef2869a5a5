"""The only state machine: which event moves a message or a report from which state to which.

A *message* (what arrived) is RECEIVED or REJECTED. Mapping it makes 1..n *reports*, and each has
its own life from there. Waiting for a retry is data (``attempts``, ``not_before``), never a state.
POSTED is the one report of its key whose draft the FHIR server holds as preliminary.
"""

from __future__ import annotations

from enum import StrEnum

from mappings.errors import PrelimError


class State(StrEnum):
    """Stored: never rename one."""

    RECEIVED = "RECEIVED"
    REJECTED = "REJECTED"
    MAPPED = "MAPPED"
    DRAFTED = "DRAFTED"
    POSTED = "POSTED"
    RETRACTING = "RETRACTING"
    RETRACTED = "RETRACTED"
    SKIPPED = "SKIPPED"
    WITHHELD = "WITHHELD"
    SUPERSEDED = "SUPERSEDED"
    FAILED = "FAILED"


class Event(StrEnum):
    """What happens to a message or report. Stored in the audit trail: never rename one."""

    MAP = "map"
    REJECT = "reject"
    SKIP = "skip"
    DRAFT = "draft"
    WITHHOLD = "withhold"
    POST = "post"
    WITHDRAW = "withdraw"
    RETRACT = "retract"
    SUPERSEDE = "supersede"
    FAIL = "fail"
    RETRY = "retry"
    REREAD = "reread"
    REDRAFT = "redraft"
    REPOST = "repost"


class IllegalTransitionError(PrelimError):
    """Fate: the caller acted on a state that has moved on; nothing was written."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__("illegal_transition", f"{state}/{event}")
        self.state = state
        self.event = event


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.RECEIVED, Event.MAP): State.MAPPED,
    (State.RECEIVED, Event.SKIP): State.SKIPPED,
    (State.RECEIVED, Event.SUPERSEDE): State.SUPERSEDED,
    (State.RECEIVED, Event.REJECT): State.REJECTED,
    (State.REJECTED, Event.REREAD): State.RECEIVED,
    (State.MAPPED, Event.DRAFT): State.DRAFTED,
    (State.MAPPED, Event.WITHHOLD): State.WITHHELD,
    # The site's scope was narrowed between mapping and drafting.
    (State.MAPPED, Event.SKIP): State.SKIPPED,
    (State.MAPPED, Event.RETRY): State.MAPPED,
    (State.MAPPED, Event.FAIL): State.FAILED,
    (State.MAPPED, Event.SUPERSEDE): State.SUPERSEDED,
    (State.DRAFTED, Event.POST): State.POSTED,
    (State.DRAFTED, Event.SKIP): State.SKIPPED,
    (State.DRAFTED, Event.RETRY): State.DRAFTED,
    (State.DRAFTED, Event.FAIL): State.FAILED,
    (State.DRAFTED, Event.SUPERSEDE): State.SUPERSEDED,
    # The draft of a newer version has taken its place at the server.
    (State.POSTED, Event.SUPERSEDE): State.SUPERSEDED,
    # A newer version says that no draft may stand. The server may hold one in each of these
    # states: the answer to a post may be under way, or may be lost.
    (State.POSTED, Event.WITHDRAW): State.RETRACTING,
    (State.DRAFTED, Event.WITHDRAW): State.RETRACTING,
    (State.FAILED, Event.WITHDRAW): State.RETRACTING,
    (State.SUPERSEDED, Event.WITHDRAW): State.RETRACTING,
    (State.RETRACTING, Event.WITHDRAW): State.RETRACTING,
    (State.RETRACTING, Event.RETRACT): State.RETRACTED,
    # A human has taken over, or there is nothing to retract.
    (State.RETRACTING, Event.SKIP): State.SKIPPED,
    (State.RETRACTING, Event.RETRY): State.RETRACTING,
    (State.RETRACTING, Event.FAIL): State.FAILED,
    # A newer draft is withdrawn: one retraction does for both.
    (State.RETRACTING, Event.SUPERSEDE): State.SUPERSEDED,
    # What was already on its way when the state changed: the audit trail notes it.
    (State.SUPERSEDED, Event.POST): State.SUPERSEDED,
    (State.RETRACTING, Event.POST): State.RETRACTING,
    (State.SUPERSEDED, Event.RETRACT): State.SUPERSEDED,
    (State.WITHHELD, Event.REDRAFT): State.MAPPED,
    (State.WITHHELD, Event.SUPERSEDE): State.SUPERSEDED,
    (State.FAILED, Event.REDRAFT): State.MAPPED,
    (State.FAILED, Event.REPOST): State.DRAFTED,
    (State.FAILED, Event.SUPERSEDE): State.SUPERSEDED,
}


def next_state(state: State, event: Event) -> State:
    """Return the state after ``event``.

    Raises:
        IllegalTransitionError: The event has no place in this state.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransitionError(state, event) from None

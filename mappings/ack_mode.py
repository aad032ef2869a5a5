"""Which acknowledgment is due for a message: by MSH-15, MSH-16 and the listener's mode.

In original mode one answer says all: AA, AE or AR. In enhanced mode the first answer says only that
the message is in safe storage, or why not (CA, CE, CR), and the application acknowledgment (AA, AE)
follows as a message of its own when the content was read. Both come only when asked for.

Standard: HL7 v2 control chapter, "Message processing rules"; tables 0008 and 0155.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mappings.hl7_ack import AckCode
    from mappings.hl7_header import Header

AckMode = Literal["auto", "original", "enhanced"]
"""A listener's: auto is enhanced for a message that says so in MSH-15 or MSH-16."""
Verdict = Literal["A", "E", "R"]
"""Accept, error, reject: the second letter of MSA-1."""


class AckCondition(StrEnum):
    """Table 0155: when an acknowledgment is wanted."""

    ALWAYS = "AL"
    NEVER = "NE"
    ERROR = "ER"
    SUCCESS = "SU"

    def allows(self, verdict: Verdict) -> bool:
        """Whether the sender wants to hear this verdict."""
        if verdict == "A":
            return self in {AckCondition.ALWAYS, AckCondition.SUCCESS}
        return self in {AckCondition.ALWAYS, AckCondition.ERROR}


_CONDITIONS = {condition.value: condition for condition in AckCondition}


@dataclass(frozen=True, slots=True)
class AckPlan:
    """What a sender wants to hear. ``accept`` is None in original mode: one answer, always."""

    accept: AckCondition | None = None
    application: AckCondition = AckCondition.NEVER

    def first_code(self, verdict: Verdict) -> AckCode | None:
        """Return MSA-1 of the answer that is due at once, or None for silence.

        A refusal is the end of a message: nothing is read of it later. So where MSH-15 does not
        want to hear of it and MSH-16 does, it is the application acknowledgment that tells it.
        """
        if self.accept is None:
            return _ORIGINAL[verdict]
        if self.accept.allows(verdict):
            return _ACCEPT[verdict]
        if verdict != "A" and self.application.allows(verdict):
            return _ORIGINAL[verdict]
        return None

    def later_code(self, *, is_read: bool) -> AckCode | None:
        """Return MSA-1 of the application acknowledgment, or None when none is due.

        Args:
            is_read: Whether the content could be read; a message that is ignored was read.
        """
        verdict: Verdict = "A" if is_read else "E"
        return _ORIGINAL[verdict] if self.application.allows(verdict) else None

    @property
    def may_come_later(self) -> bool:
        """Whether an application acknowledgment may follow."""
        return self.application is not AckCondition.NEVER


_ORIGINAL: dict[Verdict, AckCode] = {"A": "AA", "E": "AE", "R": "AR"}
_ACCEPT: dict[Verdict, AckCode] = {"A": "CA", "E": "CE", "R": "CR"}
ORIGINAL = AckPlan()


def plan_acks(header: Header | None, mode: AckMode) -> AckPlan:
    """Decide what the sender of a message is to hear.

    Args:
        header: The message's MSH, or None when it has none that can be read.
        mode: The listener's.

    Returns:
        The plan. An empty MSH-15 beside a valued MSH-16, and the other way round, is NE: original
        mode itself is NE with AL. A word that is not of table 0155 never silences the first
        answer: a sender that waits for nothing is better told than one that waits in vain.
    """
    if mode == "original":
        return ORIGINAL
    accept, application = _condition(header, 15), _condition(header, 16)
    if accept is None and application is None:
        return ORIGINAL if mode == "auto" else AckPlan(AckCondition.ALWAYS)
    if accept is None:
        is_empty = header is None or not header.feed.accept_ack
        accept = AckCondition.NEVER if is_empty and mode == "auto" else AckCondition.ALWAYS
    return AckPlan(accept, application or AckCondition.NEVER)


def _condition(header: Header | None, number: int) -> AckCondition | None:
    if header is None:
        return None
    written = header.feed.accept_ack if number == 15 else header.feed.application_ack  # noqa: PLR2004 - MSH-15
    return _CONDITIONS.get(written.upper())

"""What a listener answers: its rules, and the bytes of an answer.

Standard: HL7 v2 control chapter, message processing rules and batch protocol.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Literal

from mappings.ack_mode import plan_acks
from mappings.errors import MessageRefusedError
from mappings.hl7_ack import render_ack
from mappings.hl7_batch import render_batch
from mappings.hl7_header import HeaderPolicy, best_effort_control_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.clock import Clock
    from daemon.config_mllp import Listener
    from mappings.ack_mode import AckMode, AckPlan, Verdict
    from mappings.errors import PrelimError
    from mappings.hl7_ack import AckCode
    from mappings.hl7_batch import Envelope
    from mappings.hl7_header import Header


@dataclass(frozen=True, slots=True)
class AckRules:
    """How one listener answers; see its settings.

    Attributes:
        mode: Original, enhanced, or what each message says.
        trouble: The verdict when the fault is ours and the same message may be sent again.
        batch_answer: One answer for each message of a frame, or one batch of them.
        messages_max: In one frame.
        application_ack_to: A name of ``mllp.send``; empty is the sender's own connection.
    """

    mode: AckMode = "auto"
    trouble: Literal["E", "R"] = "R"
    batch_answer: Literal["message", "batch"] = "message"
    messages_max: int = 1000
    application_ack_to: str = ""


def rules_of(listener: Listener) -> AckRules:
    """Read a listener's rules from its settings."""
    return AckRules(
        mode=listener.ack_mode,
        trouble="R" if listener.transient_failure_code == "AR" else "E",
        batch_answer=listener.batch_answer,
        messages_max=listener.messages_per_frame_max,
        application_ack_to=listener.application_ack_to or "",
    )


def policy_of(listener: Listener) -> HeaderPolicy:
    """Read what a listener takes from its settings."""
    return HeaderPolicy(
        processing_ids=frozenset(listener.processing_ids), versions=frozenset(listener.versions)
    )


_PROCESS = secrets.token_hex(6)
_COUNT = count()


def new_control_id() -> str:
    """Return an MSH-10 of ours: 20 characters, the most that v2.6 and before have room for.

    A random name of this process and a count: unique, for less than random bits each time.
    """
    return f"{_PROCESS}{next(_COUNT) & 0xFFFFFFFF:08x}"


class Acknowledger:
    """Writes the answers of one listener."""

    def __init__(self, rules: AckRules, clock: Clock) -> None:
        """Take the rules."""
        self._rules = rules
        self._clock = clock

    def plan(self, header: Header | None) -> AckPlan:
        """Say what the sender of a message wants to hear."""
        return plan_acks(header, self._rules.mode)

    def accept(self, header: Header, plan: AckPlan) -> bytes | None:
        """Say yes; None when the sender does not want to hear it."""
        code = plan.first_code("A")
        return None if code is None else self._render(header, code, header.control_id_bytes)

    def refuse(self, header: Header | None, head: bytes, error: PrelimError) -> bytes | None:
        """Say no.

        Args:
            header: The message's MSH, or None when it has none that can be read.
            head: The message, or the first bytes of it, to find MSH-10 in.
            error: Why; trouble of ours when it is not the message's.
        """
        code = self.plan(header).first_code(self._verdict(error))
        if code is None:
            return None
        control_id = header.control_id_bytes if header else best_effort_control_id(head)
        return self._render(header, code, control_id, error)

    def join(self, envelope: Envelope | None, answers: Sequence[bytes]) -> tuple[bytes, ...]:
        """Put the answers to the messages of one frame into what is sent for it."""
        if self._rules.batch_answer == "message":
            return tuple(answers)
        control_id, now = new_control_id(), self._clock.now()
        return (render_batch(envelope, answers, control_id=control_id, now=now),)

    def _verdict(self, error: PrelimError) -> Verdict:
        if isinstance(error, MessageRefusedError):
            return "R" if error.ack_code == "AR" else "E"
        return self._rules.trouble

    def _render(
        self,
        header: Header | None,
        code: AckCode,
        control_id: bytes,
        error: PrelimError | None = None,
    ) -> bytes:
        return render_ack(
            header,
            code=code,
            control_id=control_id,
            ack_control_id=new_control_id(),
            now=self._clock.now(),
            error=error,
        )

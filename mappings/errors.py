"""What can go wrong while reading or building. A class is a fate; its attributes are what the edge
must answer. ``reason`` is stable snake_case and ``where`` a position such as ``OBX[3]-5``: never a
value from the message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable


class PrelimError(Exception):
    """Root of every error that prelim raises on purpose."""

    def __init__(self, reason: str, where: str | None = None) -> None:
        super().__init__(reason if where is None else f"{reason} at {where}")
        self.reason = reason
        self.where = where

    def __reduce__(self) -> tuple[Callable[..., PrelimError], tuple[object, ...]]:
        """Pickle it as it is: the journal is written by another process, which may raise it."""
        return _as_it_was, (type(self), self.args, vars(self))


def _as_it_was(kind: type[PrelimError], args: tuple[str], told: dict[str, object]) -> PrelimError:
    error = kind.__new__(kind)
    error.args = args
    vars(error).update(told)
    return error


class MessageRefusedError(PrelimError):
    """Fate: tell the sender no, keep the bytes as REJECTED.

    ``ack_code`` is MSA-1 in original mode: AE for a fault of content, AR for an unsupported type,
    version, processing id or charset. ``condition`` is a code of HL7 table 0357.
    """

    def __init__(
        self, reason: str, where: str | None, ack_code: Literal["AE", "AR"], condition: int
    ) -> None:
        super().__init__(reason, where)
        self.ack_code = ack_code
        self.condition = condition


class ResourceRefusedError(PrelimError):
    """Fate: tell the sender no, keep the bytes as REJECTED.

    ``status`` is the HTTP status and ``code`` a FHIR issue type, such as ``structure``.
    """

    def __init__(self, status: int, code: str, reason: str, where: str | None = None) -> None:
        super().__init__(reason, where)
        self.status = status
        self.code = code


class UnreadableContentError(PrelimError):
    """Fate: the message was accepted, but its content cannot be read; it becomes REJECTED."""


class GuardViolationError(PrelimError):
    """Fate: stop. A resource that we built breaks FHIR; it is never sent."""


class SiteMappingError(PrelimError):
    """Fate: stop at start. A site folder's tables cannot be used; ``where`` is file and field."""


class SubscriptionRefusedError(PrelimError):
    """Fate: tell the HTTP client no. What it asks to be notified of, or how, is not done here."""

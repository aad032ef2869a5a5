"""What the doors need of the journal, in memory; with a disk that fails now and then."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from daemon.errors import JournalUnavailableError
from daemon.journal import Received
from mappings.domain import MessageId

if TYPE_CHECKING:
    from mappings.domain import RawReport


@dataclass
class MemoryJournal:
    """Knows a message by sender, control id and digest, as the real one does.

    Attributes:
        fails_every: Each so-many-th write is refused; 0 for a good disk.
        received: What was accepted, since ``start``.
    """

    fails_every: int = 0
    received: list[RawReport] = field(default_factory=list)
    refused: int = 0
    _ids: dict[tuple[str, str, str], MessageId] = field(default_factory=dict)
    _control_ids: set[tuple[str, str]] = field(default_factory=set)
    _writes: int = 0

    async def receive(self, raw: RawReport, *, peer: str) -> Received:
        """Keep a message, or find it there already."""
        self._write()
        key = (raw.sender, raw.message_control_id, raw.digest)
        if key in self._ids:
            return Received(self._ids[key], is_duplicate=True, is_control_id_reused=False)
        is_reused = key[:2] in self._control_ids and bool(raw.message_control_id)
        self._ids[key] = MessageId(f"m-{self._writes}")
        self._control_ids.add(key[:2])
        self.received.append(raw)
        return Received(self._ids[key], is_duplicate=False, is_control_id_reused=is_reused)

    async def refuse(
        self, raw: RawReport, *, peer: str, reason: str, where: str | None
    ) -> MessageId:
        """Count what the door answered with no."""
        self._write()
        self.refused += 1
        return MessageId(f"r-{self._writes}")

    def holds(self, control_id: bytes) -> bool:
        """Whether a message with this MSH-10 was accepted since ``start``."""
        wanted = control_id.decode("latin-1")
        return any(known == wanted for _, known in self._control_ids)

    def start(self, writes: int) -> None:
        """Start afresh, as after so many writes: a run is longer than memory, and repeatable."""
        self.received.clear()
        self._ids.clear()
        self._control_ids.clear()
        self._writes = writes

    def _write(self) -> None:
        self._writes += 1
        if self.fails_every and self._writes % self.fails_every == 0:
            raise JournalUnavailableError("disk_full")

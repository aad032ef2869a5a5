"""Messages left over from an earlier run are read one at a time, each read counted first.

A message whose reading kills the process (no memory, a fault in a library) is RECEIVED again at
every start. Rule: the count is on disk before the bytes are looked at, and only one left-over
message is read at once, so that it is the killer that is counted and not what waited beside it.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from mappings.errors import UnreadableContentError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from daemon.journal import PendingMessage
    from daemon.journal_ports import PipelineJournal

STARTS_MAX = 3
"""Starts that a message may end before it is rejected."""


class CarefulReading:
    """Guards the reading of what came before ``started_at``; what came since is read as it is."""

    def __init__(self, journal: PipelineJournal, *, started_at: datetime) -> None:
        """Take the start of this run."""
        self._journal = journal
        self._started_at = started_at
        self._one_at_a_time = asyncio.Lock()
        self._counted: set[str] = set()

    @asynccontextmanager
    async def guard(self, pending: PendingMessage) -> AsyncIterator[None]:
        """Let the body read one message.

        Raises:
            UnreadableContentError: It ended ``STARTS_MAX`` starts (``reader_killed_process``).
            JournalUnavailableError: The count cannot be written.
        """
        if pending.raw.received_at >= self._started_at:
            yield
            return
        async with self._one_at_a_time:
            await self._count(pending)
            yield

    async def _count(self, pending: PendingMessage) -> None:
        """Count this start, once: a bad moment of the disk lets a message be read again."""
        if pending.message_id in self._counted:
            return
        if pending.attempts >= STARTS_MAX:
            raise UnreadableContentError("reader_killed_process")
        await self._journal.count_attempt(pending.message_id)
        self._counted.add(pending.message_id)

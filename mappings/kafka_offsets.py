"""How far each partition was read, and whether what came next was the next.

Rule: a group that has read to an offset and is given another was reset behind our back, because
its place is gone (records too old were deleted, or the topic was made again). Gaps alone are
ordinary: compaction and transactions leave them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mappings.kafka_record import KafkaRecord

Place = tuple[str, int]
"""Topic and partition."""


class Jump(NamedTuple):
    """A partition went on elsewhere: records from ``expected`` on were due, ``found`` came."""

    topic: str
    partition: int
    expected: int
    found: int

    @property
    def is_back(self) -> bool:
        """Whether it went back: records come again, or the topic is another one."""
        return self.found < self.expected


class OffsetBook:
    """Remembers the next offset of each partition."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._next: dict[Place, int] = {}

    def learn(self, committed: Iterable[tuple[Place, int]]) -> None:
        """Take what the group had read of partitions that have become ours.

        A partition without a commit keeps what is known of it: a broker that lost the group's
        offsets may have lost the records too.
        """
        self._next.update(committed)

    def note(self, records: Iterable[KafkaRecord]) -> list[Jump]:
        """Note records that came, in their order, and return where they did not follow."""
        jumps = []
        for record in records:
            place = (record.topic, record.partition)
            expected = self._next.get(place, record.offset)
            if record.offset != expected:
                jumps.append(Jump(*place, expected, record.offset))
            self._next[place] = record.offset + 1
        return jumps

    def rewind(self, records: Iterable[KafkaRecord]) -> None:
        """Forget that these came: they are fetched again."""
        for record in records:
            place = (record.topic, record.partition)
            self._next[place] = min(self._next.get(place, record.offset), record.offset)

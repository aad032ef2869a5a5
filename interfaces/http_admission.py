"""Who may be connected over HTTP at once: whoever comes, for as long as it is of use.

Rule: nobody is turned away, because whoever comes may be about to ask whether we live. When a host
has all its places, or the port all of its own, the quietest idle connection makes room. One with a
request under way would go last of all, and never does as long as there are more places than
requests may be at once; the settings see to that.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import chain
from typing import TYPE_CHECKING, Protocol

import structlog

if TYPE_CHECKING:
    from collections.abc import Iterable

log = structlog.get_logger()

_TELL_EVERY_S = 1.0
"""A flood of connections must not become a flood of lines."""


class Connection(Protocol):
    """What is asked of a connection."""

    @property
    def host(self) -> str:
        """Where it comes from."""

    @property
    def quiet_since_s(self) -> float:
        """When it came, or when its last request was answered; the loop's seconds."""

    @property
    def is_busy(self) -> bool:
        """Whether a request is under way, other than for our health."""

    @property
    def has_unread(self) -> bool:
        """Whether some of an answer is not taken yet."""

    def abort(self) -> None:
        """Close now."""


class Admission:
    """The places of one port.

    Args:
        connections_max: Places in all, at least 1.
        connections_per_host_max: Those that one host may have, at least 1.
    """

    def __init__(self, connections_max: int, connections_per_host_max: int) -> None:
        self.evicted: Counter[str] = Counter()
        """How many have made room, by the limit that was reached."""
        self._connections_max = connections_max
        self._per_host_max = connections_per_host_max
        self._by_host: defaultdict[str, set[Connection]] = defaultdict(set)
        self._untold = 0
        self._tell_from_s = float("-inf")

    @property
    def count(self) -> int:
        """How many are connected."""
        return sum(map(len, self._by_host.values()))

    def enter(self, connection: Connection) -> None:
        """Give a connection that has just come its place."""
        theirs = self._by_host[connection.host]
        if len(theirs) >= self._per_host_max:
            self._evict(theirs, "connections_per_host_max", connection.quiet_since_s)
        elif self.count >= self._connections_max:
            everybody = chain.from_iterable(self._by_host.values())
            self._evict(everybody, "connections_max", connection.quiet_since_s)
        self._by_host[connection.host].add(connection)

    def leave(self, connection: Connection) -> None:
        """Free a place; no harm when it is free already."""
        self._by_host[connection.host].discard(connection)
        if not self._by_host[connection.host]:
            del self._by_host[connection.host]  # a host that has left takes no memory

    def _evict(self, among: Iterable[Connection], reason: str, now_s: float) -> None:
        quietest = min(among, key=lambda one: (one.is_busy, one.has_unread, one.quiet_since_s))
        self.leave(quietest)
        quietest.abort()
        self.evicted[reason] += 1
        self._untold += 1
        if now_s >= self._tell_from_s:
            log.warning(
                "http.connection_evicted", peer=quietest.host, reason=reason, count=self._untold
            )
            self._untold, self._tell_from_s = 0, now_s + _TELL_EVERY_S

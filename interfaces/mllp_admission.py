"""Who may be connected at once, and how fast one may send.

When a listener is full, the quietest idle connection makes room; one with a frame or an answer on
its way never does. An address that is not on the allow-list costs nobody a place.
"""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interfaces.mllp_contract import Connection, ListenerLimits, MllpStats

log = structlog.get_logger()


class HostList:
    """Addresses and networks in CIDR form; an empty list holds every address.

    Raises:
        ValueError: A text is neither an address nor a network.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._networks = tuple(_read_network(text) for text in texts)

    def __contains__(self, host: str) -> bool:
        if not self._networks:
            return True
        try:
            address = _read_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def _read_network(text: str) -> IPv4Network | IPv6Network:
    """Host bits are refused: ``10.0.0.5/8`` may mean one host or sixteen million."""
    return ip_network(text.strip())


def _read_address(host: str) -> IPv4Address | IPv6Address:
    """Read an address as the kernel writes it: IPv4 may come mapped, IPv6 with its zone."""
    address = ip_address(host.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


class Admission:
    """The places of one listener.

    Args:
        door: The listener's name, for logs.
        limits: How many places there are.
        allow_hosts: Who may take one.
        counts: Where refusals and evictions are counted.
    """

    def __init__(
        self, door: str, limits: ListenerLimits, allow_hosts: HostList, counts: MllpStats
    ) -> None:
        self.connections: set[Connection] = set()
        """All that hold a place."""
        self.is_closed = False
        """Whether nobody is let in any more."""
        self._door = door
        self._limits = limits
        self._allow_hosts = allow_hosts
        self._counts = counts
        self._named: dict[Connection, str] = {}
        self._hosts: Counter[str] = Counter()

    def enter(self, connection: Connection) -> bool:
        """Give a connection a place before its host is known (its PROXY header is to come)."""
        if self.is_closed:
            return False
        limit = self._limits.connections_max
        if len(self.connections) >= limit and not self._evict(self.connections):
            return self.refuse(connection, "connections_max", limit)
        self.connections.add(connection)
        return True

    def place(self, connection: Connection) -> bool:
        """Give a connection its place, or keep it there, now that ``host`` is its true one."""
        host, limit = connection.host, self._limits.connections_per_host_max
        if self.is_closed:
            return False
        if host not in self._allow_hosts:
            return self.refuse(connection, "host_not_allowed")
        if self._hosts[host] >= limit and not self._evict(
            other for other, name in self._named.items() if name == host
        ):
            return self.refuse(connection, "connections_per_host_max", limit)
        if connection not in self.connections and not self.enter(connection):
            return False
        self._named[connection] = host
        self._hosts[host] += 1
        return True

    def leave(self, connection: Connection) -> None:
        """Free a place; no harm when it is free already."""
        self.connections.discard(connection)
        host = self._named.pop(connection, None)
        if host is not None:
            self._hosts[host] -= 1
            if not self._hosts[host]:
                del self._hosts[host]  # a host that has left takes no memory

    def refuse(
        self,
        connection: Connection,
        reason: str,
        limit: int | None = None,
        *,
        status: str | None = None,
    ) -> bool:
        """Count and tell a connection that is not taken; return False."""
        self._counts.connections_refused[reason] += 1
        log.warning(
            "mllp.connection_refused",
            door=self._door,
            peer=connection.peer,
            reason=reason,
            limit=limit,
            status=status,
        )
        return False

    def _evict(self, among: Iterable[Connection]) -> bool:
        """Close the quietest idle connection; False when all are busy."""
        idle = [connection for connection in among if not connection.is_busy]
        if not idle:
            return False
        quietest = min(idle, key=lambda connection: connection.quiet_since_s)
        self._counts.connections_evicted += 1
        log.warning("mllp.connection_evicted", door=self._door, peer=quietest.peer)
        self.leave(quietest)
        quietest.abort("evicted")
        return True


class Pacer:
    """Spaces the messages of one connection evenly.

    Args:
        per_second_max: Messages a second; 0 for no limit.
    """

    def __init__(self, per_second_max: float) -> None:
        self._interval_s = 1 / per_second_max if per_second_max else 0.0
        self._next_s = 0.0

    def take(self, now_s: float) -> None:
        """Note that a message was taken."""
        if self._interval_s:
            self._next_s = max(now_s, self._next_s) + self._interval_s

    def wait_s(self, now_s: float) -> float:
        """Return how long the next message must wait; 0 when it may be taken."""
        return max(0.0, self._next_s - now_s) if self._interval_s else 0.0

"""The daemon's MLLP doors: from their settings to open ports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from daemon.certificates import Certificates
from daemon.errors import ConfigurationError
from interfaces.mllp_contract import ListenerLimits, ListenerTerms
from interfaces.mllp_server import MllpServer

if TYPE_CHECKING:
    from daemon.config_mllp import Listener, Mllp
    from interfaces.mllp_contract import MessageHandler


class Doors(Mapping[str, MllpServer]):
    """The open doors by name, and their certificates among those of the daemon."""

    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates
        self._servers: dict[str, MllpServer] = {}

    def __getitem__(self, name: str) -> MllpServer:
        return self._servers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._servers)

    def __len__(self) -> int:
        return len(self._servers)

    @property
    def is_answering(self) -> bool:
        """Whether a sender waits for an answer at any door now."""
        return any(server.is_answering for server in self._servers.values())

    async def open(self, name: str, listener: Listener, handler: MessageHandler) -> None:
        """Open one door.

        Raises:
            ConfigurationError: The address cannot be bound, or a file of its TLS not be used.
        """
        certificate = self._certificates.load(name, listener.tls, f"mllp.listeners.{name}.tls")
        server = MllpServer(
            handler,
            _limits(listener),
            ListenerTerms(
                allow_hosts=listener.allow_hosts,
                proxy_protocol=listener.proxy_protocol,
                release=listener.release,
                tls_context=certificate.current if certificate else None,
            ),
            door=name,
            host=listener.host,
            port=listener.port,
        )
        try:
            await server.start()
        except OSError:
            raise ConfigurationError("cannot bind", f"mllp.listeners.{name}") from None
        self._servers[name] = server

    async def close(self, name: str, deadline_s: float) -> None:
        """Drain one door."""
        server = self._servers.pop(name)
        self._certificates.forget(name)
        await server.drain(deadline_s)


def check_doors(mllp: Mllp) -> None:
    """Check what can be checked without opening a port.

    Raises:
        ConfigurationError: A file of a door's TLS cannot be used.
    """
    certificates = Certificates()
    for name, listener in mllp.listeners.items():
        certificates.load(name, listener.tls, f"mllp.listeners.{name}.tls")


def _limits(listener: Listener) -> ListenerLimits:
    return ListenerLimits(
        frame_bytes_max=listener.frame_bytes_max,
        frame_timeout_s=listener.frame_timeout_s,
        idle_timeout_s=listener.idle_timeout_s,
        write_timeout_s=listener.write_timeout_s,
        answer_timeout_s=listener.answer_timeout_s,
        handshake_timeout_s=listener.handshake_timeout_s,
        connections_max=listener.connections_max,
        connections_per_host_max=listener.connections_per_host_max,
        messages_per_second_max=listener.messages_per_second_max,
    )

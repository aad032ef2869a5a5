"""The daemon's MLLP doors: from their settings to open ports, and their certificates kept fresh.

A certificate whose files have changed is taken for new handshakes; no connection is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from daemon.certificates import load_certificate
from daemon.errors import ConfigurationError
from interfaces.mllp_contract import ListenerLimits, ListenerTerms
from interfaces.mllp_server import MllpServer

if TYPE_CHECKING:
    from datetime import datetime

    from daemon.config_mllp import Listener, Mllp
    from interfaces.mllp_contract import MessageHandler
    from interfaces.server_tls import DoorCertificate

LOOK_S = 10.0
"""Between two looks at the certificate files; new ones are in use at the second."""


class Doors(Mapping[str, MllpServer]):
    """The open doors by name.

    Args:
        look_s: Between two looks at the certificate files.
    """

    def __init__(self, look_s: float = LOOK_S) -> None:
        self._look_s = look_s
        self._servers: dict[str, MllpServer] = {}
        self._certificates: dict[str, DoorCertificate] = {}
        self._looking: asyncio.Task[None] | None = None

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

    def certificates_end(self) -> dict[str, datetime]:
        """Return when the certificate of each door ends."""
        return {name: each.ends_at for name, each in self._certificates.items()}

    async def open(self, name: str, listener: Listener, handler: MessageHandler) -> None:
        """Open one door.

        Raises:
            ConfigurationError: The address cannot be bound, or a file of its TLS not be used.
        """
        certificate = load_certificate(name, listener.tls, f"mllp.listeners.{name}.tls")
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
        if certificate is not None:
            self._certificates[name] = certificate
            self._looking = self._looking or asyncio.create_task(self._look())

    async def close(self, name: str, deadline_s: float) -> None:
        """Drain one door."""
        server = self._servers.pop(name)
        self._certificates.pop(name, None)
        if not self._certificates and self._looking is not None:
            self._looking.cancel()
            self._looking = None
        await server.drain(deadline_s)

    def reload_certificates(self) -> None:
        """Take every door's certificate files as they are now."""
        for certificate in self._certificates.values():
            certificate.reload()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self._look_s)
            for certificate in list(self._certificates.values()):
                await asyncio.to_thread(certificate.reload_if_changed)


def check_doors(mllp: Mllp) -> None:
    """Check what can be checked without opening a port.

    Raises:
        ConfigurationError: A file of a door's TLS cannot be used.
    """
    for name, listener in mllp.listeners.items():
        load_certificate(name, listener.tls, f"mllp.listeners.{name}.tls")


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

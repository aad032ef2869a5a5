"""The files of TLS as the settings name them: what our doors show, and whom we believe elsewhere.

Rule: a file that cannot be used is told by the path of its setting; once the daemon runs, what is
in use stays in use.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from daemon.errors import ConfigurationError
from interfaces.errors import CertificateError
from interfaces.server_tls import DoorCertificate, TlsFiles

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from datetime import datetime

    from daemon.config_values import ServerTls
    from interfaces.client_tls import ClientTls

LOOK_S = 10.0
"""Between two looks at files that may be replaced."""


def client_context(tls: ClientTls, where: str) -> ssl.SSLContext:
    """Return how we speak TLS to a server.

    Args:
        tls: Its files.
        where: What the path of each one's setting begins with.

    Raises:
        ConfigurationError: A file cannot be used.
    """
    try:
        return tls.make_context()
    except CertificateError as error:
        raise ConfigurationError("file cannot be used", f"{where}{error.where}") from None


class Certificates:
    """What the doors prove themselves with, by their names.

    A certificate whose files have changed is taken for new handshakes; no connection is dropped.

    Args:
        look_s: Between two looks at the files.
    """

    def __init__(self, look_s: float = LOOK_S) -> None:
        self._look_s = look_s
        self._kept: dict[str, DoorCertificate] = {}
        self._looks: list[Callable[[], object]] = []

    def load(self, door: str, tls: ServerTls | None, where: str) -> DoorCertificate | None:
        """Read what a door proves itself with, and keep it fresh; None when it has no TLS.

        Args:
            door: Its name in the logs.
            tls: Its settings.
            where: Their path.

        Raises:
            ConfigurationError: A file cannot be used.
        """
        if tls is None:
            return None
        files = TlsFiles(tls.certificate, tls.key, tls.client_ca, tls.minimum_version)
        try:
            self._kept[door] = DoorCertificate(files, door=door)
        except CertificateError as error:
            reason = f"cannot be used ({error.reason})"
            raise ConfigurationError(reason, f"{where}.{error.where}") from None
        return self._kept[door]

    def forget(self, door: str) -> None:
        """Let a door's certificate go, if it has one."""
        self._kept.pop(door, None)

    def watch(self, reload_if_changed: Callable[[], object]) -> None:
        """Have another file looked at as often as the certificates."""
        self._looks.append(reload_if_changed)

    def ends(self) -> dict[str, datetime]:
        """Return when the certificate of each door ends."""
        return {door: each.ends_at for door, each in self._kept.items()}

    def reload(self) -> None:
        """Take every file as it is now."""
        for certificate in self._kept.values():
            certificate.reload()
        for look in self._looks:
            look()

    async def run(self) -> None:
        """Look at the files until cancelled; new ones are in use at the second look."""
        while True:
            await asyncio.sleep(self._look_s)
            for look in [*(each.reload_if_changed for each in self._kept.values()), *self._looks]:
                await asyncio.to_thread(look)

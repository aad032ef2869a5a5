"""The files of TLS as the settings name them: what our doors show, and whom we believe elsewhere.

Rule: a file that cannot be used is told by the path of its setting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.errors import ConfigurationError
from interfaces.errors import CertificateError
from interfaces.server_tls import DoorCertificate, TlsFiles

if TYPE_CHECKING:
    import ssl

    from daemon.config_values import ServerTls
    from interfaces.client_tls import ClientTls


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


def load_certificate(door: str, tls: ServerTls | None, where: str) -> DoorCertificate | None:
    """Read what a door proves itself with; None when it has no TLS.

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
        return DoorCertificate(files, door=door)
    except CertificateError as error:
        reason = f"cannot be used ({error.reason})"
        raise ConfigurationError(reason, f"{where}.{error.where}") from None

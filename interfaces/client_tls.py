"""How a client proves itself over TLS, and whom it believes.

The files are read at each connection, so that renewed ones are used from the next one on. A server
is always verified: there is no switch for it, because a report sent to the wrong host is a breach.

Standard: RFC 8446 and RFC 5246 (TLS 1.2 is the lowest offered); IHE ITI ATNA for both sides' proof.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from interfaces.errors import CertificateError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ClientTls:
    """What a client needs.

    Attributes:
        ca: PEM of the authorities that are believed; None for the system's.
        certificate: PEM of our own certificate and its chain; None when the server asks for none.
        key: PEM of its key, not encrypted; None when it stands in ``certificate``.
        server_name: Name that the server's certificate must bear; None for the host's.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: str | None = None

    def make_context(self) -> ssl.SSLContext:
        """Make the context of one connection.

        Raises:
            CertificateError: ``tls_file_unusable``; ``where`` is the setting whose file it is.
        """
        setting = "ca"
        try:
            context = ssl.create_default_context(cafile=self.ca)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            setting = "certificate"
            if self.certificate is not None:
                # The empty password keeps an encrypted key from asking for one on the terminal.
                context.load_cert_chain(self.certificate, self.key, password="")
        except (OSError, ValueError):  # ssl.SSLError is an OSError
            raise CertificateError("tls_file_unusable", setting) from None
        return context

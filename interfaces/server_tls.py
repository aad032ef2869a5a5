"""The certificate of a door, and its renewal without dropping a connection.

A handshake takes the context that is current when it begins; connections that stand keep theirs. A
new file that cannot be used leaves the old certificate in use and is told as an error.

Standard: RFC 8446 and RFC 5246 (TLS 1.2 is the lowest offered); IHE ITI ATNA for both sides' proof.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

import structlog

from interfaces.certificate_dates import read_chain_end
from interfaces.errors import CertificateError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

log = structlog.get_logger()

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
T = TypeVar("T")
_Signature = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What a door proves itself with, and whom it believes.

    Attributes:
        certificate: PEM, the door's own first, then the chain.
        key: PEM, not encrypted.
        client_ca: PEM; with it a client must show a certificate that one of these has signed.
        minimum_version: Of TLS.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None
    minimum_version: Literal["1.2", "1.3"] = "1.2"

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every file."""
        return tuple(path for path in (self.certificate, self.key, self.client_ca) if path)


class DoorCertificate:
    """The context in use, made from files that may be replaced.

    Raises:
        CertificateError: A file cannot be used.
    """

    def __init__(self, files: TlsFiles, *, door: str) -> None:
        self._files = files
        self._door = door
        self._seen = self._used = _read_signature(files)
        self._context, self._ends_at = make_server_context(files)

    def current(self) -> ssl.SSLContext:
        """Return the context for the next handshake."""
        return self._context

    @property
    def ends_at(self) -> datetime:
        """When the certificate in use ends, or one of its chain before it."""
        return self._ends_at

    def reload_if_changed(self) -> bool:
        """Take files that have changed and then kept still since the last call.

        So that a certificate is not read while its key is still being written.

        Returns:
            Whether new files are in use.
        """
        now = _read_signature(self._files)
        is_settled, self._seen = now == self._seen, now
        return is_settled and now != self._used and self.reload()

    def reload(self) -> bool:
        """Take the files as they are now; return whether they are in use."""
        self._seen = self._used = _read_signature(self._files)  # a broken file is told once
        try:
            self._context, self._ends_at = make_server_context(self._files)
        except CertificateError as error:
            log.error(
                "mllp.certificate_refused", door=self._door, reason=error.reason, where=error.where
            )
            return False
        log.info("mllp.certificate_loaded", door=self._door)
        return True


def _read_signature(files: TlsFiles) -> _Signature:
    return tuple(_stat(path) for path in files.paths)


def _stat(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def make_server_context(files: TlsFiles) -> tuple[ssl.SSLContext, datetime]:
    """Make a context from files.

    Sessions are never resumed: each connection proves itself afresh.

    Returns:
        The context, and when its certificate ends.

    Raises:
        CertificateError: ``where`` is the setting whose file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[files.minimum_version]
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0
    ends_at = _use("certificate", lambda: _read_end(files.certificate))
    _use("key", lambda: _load_key(context, files))
    if (client_ca := files.client_ca) is not None:
        _use("client_ca", lambda: context.load_verify_locations(client_ca))
        context.verify_mode = ssl.CERT_REQUIRED
    return context, ends_at


def _use(setting: str, work: Callable[[], T]) -> T:
    """Do what needs a file, and name the setting, not the file's content, when it fails."""
    try:
        return work()
    except ssl.SSLError as error:
        raise CertificateError((error.reason or "unreadable_pem").lower(), setting) from None
    except OSError:
        raise CertificateError("unreadable_file", setting) from None
    except ValueError:
        raise CertificateError("unreadable_pem", setting) from None


def _read_end(path: Path) -> datetime:
    return read_chain_end(path.read_text("ascii", errors="replace"))


def _load_key(context: ssl.SSLContext, files: TlsFiles) -> None:
    # Without a password function OpenSSL would ask on the terminal, and wait.
    context.load_cert_chain(files.certificate, files.key, password=lambda: b"")

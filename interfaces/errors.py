"""What can go wrong at a door or at the server. A class is a fate; see mappings/errors.py."""

from __future__ import annotations

from mappings.errors import PrelimError


class PostRetryError(PrelimError):
    """Fate: retry. The server was not reached, timed out or said later (408, 425, 429, 5xx).

    ``is_counted`` is False when the server answers nobody: no fault of the draft, so that try
    does not count.
    """

    def __init__(self, reason: str, where: str | None, retry_after_s: float | None = None) -> None:
        super().__init__(reason, where)
        self.retry_after_s = retry_after_s
        self.is_counted = True


class ServerAwayError(PostRetryError):
    """Fate: ask again after ``retry_after_s``. Nothing was tried: it is no time to knock."""

    def __init__(self, reason: str, where: str | None, retry_after_s: float) -> None:
        super().__init__(reason, where, retry_after_s)
        self.is_counted = False


class PostRefusedError(PrelimError):
    """Fate: fail. The answer is permanent (400, 403, 404, 410, 415, 422, several matches)."""


class FinalPresentError(PrelimError):
    """Fate: skip. The server's Observation is no longer a draft of ours: never overwritten."""


class SendRefusedError(PrelimError):
    """Fate: never send again. The receiver has said no to these very bytes, and would again."""


class UnframeableError(SendRefusedError):
    """Fate: never send. The payload holds bytes that MLLP keeps for its frames."""


class ProxyHeaderError(PrelimError):
    """Fate: close the connection. It does not begin with a PROXY header, and must."""


class CertificateError(PrelimError):
    """Fate: keep the certificate in use, or do not connect; at the start: stop.

    ``where`` is the setting whose file cannot be used: certificate, key, client_ca or ca.
    """


class SendRetryError(PrelimError):
    """Fate: send again. The receiver may or may not hold it.

    ``was_reached`` is False when the receiver never saw it: no fault of what is sent, so that try
    does not count. ``retry_after_s`` is the receiver's own word. Over MLLP ``reason`` is
    connect_failed, tls_failed, tls_file_unusable (none of them was ever sent), ack_timeout,
    connection_lost or not_committed; the connection is closed.
    """

    def __init__(
        self,
        reason: str,
        where: str | None = None,
        *,
        was_reached: bool = True,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(reason, where)
        self.was_reached = was_reached
        self.retry_after_s = retry_after_s


class RequestRefusedError(PrelimError):
    """Fate: tell the HTTP client no. ``code`` is a FHIR issue type, such as ``invalid``."""

    def __init__(self, status: int, code: str, reason: str, where: str | None = None) -> None:
        super().__init__(reason, where)
        self.status = status
        self.code = code


class BrokerRetryError(PrelimError):
    """Fate: connect to the brokers again, later. What was not committed is fetched again.

    ``reason`` is broker_unreachable, broker_error, not_authorized, instance_fenced, offset_unknown,
    fetch_timed_out, commit_failed, stalled, tls_file_unusable or password_file_unusable.
    """

"""Settings of the HTTP side: where it listens, how it proves itself, and who may ask what."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads it at run time

from pydantic import Field, SecretStr, field_validator, model_validator

from daemon.config_values import Area, Count, Port, Seconds, ServerTls
from interfaces.loopback import is_loopback

TOKEN_CHARACTERS_MIN = 16


class HttpTls(ServerTls):
    """What the HTTP side proves itself with; replaced files are taken without a restart."""

    client_ca: Path | None = Field(
        None,
        description="PEM file; a client's certificate signed by one of it stands for a token",
    )


class Http(Area):
    """Health, metrics, reports and drafts over FHIR, the embedded store."""

    host: str = Field(
        "127.0.0.1", min_length=1, description="address to bind; beyond loopback tls is needed"
    )
    port: Port = Field(8080, description="port to bind; 0 takes a free one")
    allowed_hosts: tuple[str, ...] = Field(
        (), description="names in the Host header that are answered, beside loopback's and host"
    )
    take_reports: bool = Field(default=True, description="take FHIR reports at /fhir")
    tls: HttpTls | None = Field(None, description="TLS; null is none")
    allow_plain: bool = Field(
        default=False, description="let reports and tokens travel unencrypted beyond this machine"
    )
    tokens: dict[str, SecretStr] = Field(
        default_factory=dict,
        description="bearer tokens by the client's name, for all but health and metrics; without"
        " any, and without tokens_file, loopback needs none",
    )
    tokens_file: Path | None = Field(
        None, description="file with a line NAME SHA256 for each token; read again when it changes"
    )
    client_subjects: tuple[str, ...] = Field(
        (),
        description="subjects (CN=ris.example,O=Hospital) of client certificates that are let in;"
        " empty is any that client_ca has signed",
    )
    body_bytes_max: Count = Field(16 * 1024 * 1024, description="longest body, in bytes")
    body_timeout_s: Seconds = Field(30, description="a body must be there within this")
    head_timeout_s: Seconds = Field(
        10, description="the head of a request must come within this, and so must a TLS handshake"
    )
    idle_timeout_s: Count = Field(30, description="close a quiet connection after")
    requests_in_flight_max: Count = Field(
        64, description="requests at once; more are answered 503 with Retry-After"
    )
    connections_max: Count = Field(
        512,
        description="connections at once; the quietest idle one makes room for a new one; above"
        " requests_in_flight_max",
    )
    connections_per_host_max: Count = Field(
        128,
        description="connections at once from one host or proxy, in the same way; above"
        " requests_in_flight_max",
    )

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return is_loopback(self.host)

    @property
    def is_guarded(self) -> bool:
        """Whether a client must prove who it is."""
        return not self.is_loopback or bool(self.tokens) or self.tokens_file is not None

    @field_validator("tokens")
    @classmethod
    def _be_long(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        if any(len(token.get_secret_value()) < TOKEN_CHARACTERS_MIN for token in value.values()):
            raise ValueError(f"a token has at least {TOKEN_CHARACTERS_MIN} characters")
        return value

    @model_validator(mode="after")
    def _have_room(self) -> Http:
        places = min(self.connections_max, self.connections_per_host_max)
        if places <= self.requests_in_flight_max:
            raise ValueError("both limits of connections must be above requests_in_flight_max")
        return self

    @model_validator(mode="after")
    def _be_private(self) -> Http:
        if not self.is_loopback and self.tls is None and not self.allow_plain:
            raise ValueError("beyond loopback tls is needed, or allow_plain: true")
        if self.client_subjects and (self.tls is None or self.tls.client_ca is None):
            raise ValueError("client_subjects needs tls.client_ca")
        return self

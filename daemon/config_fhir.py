"""Settings of the FHIR server that drafts go to.

No secret stands in the settings, because they are printed: each is a file, read again when it is
needed, so that a renewed one is used without a restart.
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads it at run time
from typing import Literal, TypeAlias

from pydantic import Field, HttpUrl, model_validator

from daemon.config_values import Area, ClientTls, Count, Seconds, Uri

WriteSetting: TypeAlias = Literal["off", "put", "conditional-create", "transaction", "auto"]
_NEEDED = {
    "basic": ("user", "password_file"),
    "bearer": ("token_file",),
    "client-secret": ("client_id", "secret_file"),
    "private-key-jwt": ("client_id", "keys"),
}


class PostRetry(Area):
    """How long a post is tried again."""

    attempts_max: Count = Field(
        500, description="claims of one report before it is FAILED; while nobody answers, none"
    )
    wait_min_s: Seconds = Field(2, description="first wait; each next one is twice as long")
    wait_max_s: Seconds = Field(600, description="longest wait between two claims")


class Breaker(Area):
    """When to stop asking a server that fails."""

    failures_max: Count = Field(
        5, description="failed tries in a row (no answer, 5xx) before only one at a time knocks"
    )
    wait_min_s: Seconds = Field(1, description="first wait before one knocks; then twice as long")
    wait_max_s: Seconds = Field(60, description="longest wait between two knocks")


class SigningKey(Area):
    """A private key of ours for SMART Backend Services."""

    file: Path = Field(description="PEM file, not encrypted: EC P-384 (ES384) or RSA (RS384)")
    kid: str | None = Field(None, description="its name in our JWKS; null is its RFC 7638 digest")


class FhirAuth(Area):
    """How we say who we are."""

    kind: Literal["basic", "bearer", "client-secret", "private-key-jwt"] = Field(
        description="private-key-jwt is SMART Backend Services; client-secret is OAuth 2 without"
    )
    user: str | None = Field(None, description="basic: name")
    password_file: Path | None = Field(None, description="basic: file with the password")
    token_file: Path | None = Field(
        None, description="bearer: file with the token, read again when it has changed"
    )
    client_id: str | None = Field(None, description="as the authorization server knows us")
    secret_file: Path | None = Field(None, description="client-secret: file with the secret")
    keys: tuple[SigningKey, ...] = Field(
        (),
        description="private-key-jwt: the first signs; the next where the server knows it not yet;"
        " all stand in /.well-known/jwks.json",
    )
    scope: str = Field(
        "system/Observation.crus system/Provenance.crus system/Device.crus system/Task.crus"
        " system/AuditEvent.crus",
        description="scopes to ask for",
    )
    token_url: HttpUrl | None = Field(
        None, description="token endpoint; null asks the server's .well-known/smart-configuration"
    )

    @model_validator(mode="after")
    def _be_whole(self) -> FhirAuth:
        for name in _NEEDED[self.kind]:
            if not getattr(self, name):
                raise ValueError(f"{self.kind} needs {name}")
        return self


class Fhir(Area):
    """Where drafts go."""

    base_url: HttpUrl | None = Field(None, description="FHIR base; null is the embedded store")
    write: WriteSetting | None = Field(
        None,
        description="off is shadow; auto asks the server's CapabilityStatement; null is put to the"
        " embedded store, off to any other",
    )
    allow_plain_http: bool = Field(
        default=False, description="let reports travel unencrypted beyond this machine"
    )
    auth: FhirAuth | None = Field(None, description="how we say who we are; null is not at all")
    tls: ClientTls = Field(
        default_factory=ClientTls, description="TLS; the server is always verified"
    )
    timeout_s: Seconds = Field(30, description="one request")
    posts_in_flight_max: Count = Field(8, description="posts at once; never two of one report")
    identifier_system: Uri = Field(
        "urn:prelim:report-key", description="system of Observation.identifier"
    )
    identifier_systems: dict[str, Uri] = Field(
        default_factory=dict,
        description="FHIR system (URI) of an assigning authority, by its name as reports have it",
    )
    patient_reference: Literal["logical", "literal"] = Field(
        "logical",
        description="logical: by identifier; literal: Patient/NUMBER, as the server names patients",
    )
    ai_security_code: Literal["AIAST", "DEVAST"] = Field(
        "AIAST", description="v3-ObservationValue code in meta.security; DEVAST for strict servers"
    )
    version: Literal["R4", "R4B", "R5"] = Field(
        "R4", description="shape of all that is posted; the embedded store is R4"
    )
    device: Literal["contained", "resource"] = Field(
        "contained", description="resource: the machine is a Device of its own, made once"
    )
    task: bool = Field(
        default=False, description="a Task for the reading radiologist, made once for each report"
    )
    transparency: bool = Field(
        default=False, description="follow HL7's AI Transparency guide: its profiles, for R4 alone"
    )
    audit_event: bool = Field(
        default=True,
        description="an AuditEvent for each write; a server that refuses it gets the draft alone",
    )
    on_final: Literal["leave", "retract"] = Field(
        "leave",
        description="a posted draft when its report is final or gets an impression of its own",
    )
    retry: PostRetry = Field(default_factory=PostRetry, description="waiting for the server")
    breaker: Breaker = Field(default_factory=Breaker, description="a server that fails")

    @model_validator(mode="after")
    def _be_of_one_version(self) -> Fhir:
        if self.version == "R5" and self.transparency:
            raise ValueError("the profiles of transparency are for R4, and version is R5")
        if self.version == "R5" and self.base_url is None:
            raise ValueError("the embedded store is R4, and version is R5")
        return self

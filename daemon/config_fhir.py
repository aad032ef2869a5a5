"""Settings of the FHIR server that drafts go to."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field, HttpUrl

from daemon.config_mllp import Area, Count, Seconds

WriteSetting: TypeAlias = Literal["off", "put", "conditional-create"]


class PostRetry(Area):
    """How long a post is tried again."""

    attempts_max: Count = Field(500, description="claims of one report before it is FAILED")
    wait_min_s: Seconds = Field(2, description="first wait; each next one is twice as long")
    wait_max_s: Seconds = Field(600, description="longest wait between two claims")


class Fhir(Area):
    """Where drafts go."""

    base_url: HttpUrl | None = Field(None, description="FHIR R4 base; null is the embedded store")
    write: WriteSetting | None = Field(
        None,
        description="off is shadow; null is put to the embedded store, off to any other",
    )
    allow_plain_http: bool = Field(
        default=False, description="let reports travel unencrypted beyond this machine"
    )
    timeout_s: Seconds = Field(30, description="one request")
    posts_in_flight_max: Count = Field(8, description="posts at once; never two of one report")
    identifier_system: str = Field(
        "urn:prelim:report-key", min_length=1, description="system of Observation.identifier"
    )
    ai_security_code: Literal["AIAST", "DEVAST"] = Field(
        "AIAST", description="v3-ObservationValue code in meta.security; DEVAST for strict servers"
    )
    retry: PostRetry = Field(default_factory=PostRetry, description="waiting for the server")

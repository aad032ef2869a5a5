"""The kinds of value that the settings of several areas share."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads it at run time
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
SecondsOrOff = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0)]
Port = Annotated[int, Field(ge=0, le=65535)]
# Absolute, and without what FHIR's search takes for the end of a token.
Uri = Annotated[str, Field(pattern=r"^[a-zA-Z][a-zA-Z0-9+.-]*:[^\s|,$\\]+$")]


class Area(BaseModel):
    """A part of the settings: frozen, and closed to unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ServerTls(Area):
    """What a door proves itself with; files that are replaced are taken without a restart."""

    certificate: Path = Field(description="PEM file, the door's own certificate first")
    key: Path = Field(description="PEM file, not encrypted")
    client_ca: Path | None = Field(
        None, description="PEM file; with it a client must show a certificate signed by one of it"
    )
    minimum_version: Literal["1.2", "1.3"] = Field("1.2", description="lowest TLS version taken")


class ClientTls(Area):
    """How we prove ourselves to a server, and whom we believe."""

    ca: Path | None = Field(None, description="PEM of authorities to believe; null is the system's")
    certificate: Path | None = Field(None, description="PEM of our certificate, our own first")
    key: Path | None = Field(None, description="PEM of its key, not encrypted")

    @model_validator(mode="after")
    def _be_whole(self) -> Self:
        if self.key is not None and self.certificate is None:
            raise ValueError("a key needs its certificate")
        return self


class SendRetry(Area):
    """How long a message is sent again."""

    attempts_max: Count = Field(
        100, description="tries that reached the receiver, before a message is given up"
    )
    wait_min_s: Seconds = Field(2, description="first wait; each next one is twice as long")
    wait_max_s: Seconds = Field(60, description="longest wait between two tries")

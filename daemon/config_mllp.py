"""Settings of the HL7 v2 doors, and the kinds of value that all settings share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
SecondsOrOff = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0)]
Port = Annotated[int, Field(ge=0, le=65535)]


class Area(BaseModel):
    """A part of the settings: frozen, and closed to unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Listener(Area):
    """One MLLP port."""

    host: str = Field("127.0.0.1", description="address to bind")
    port: Port = Field(2575, description="port to bind; 0 takes a free one")
    frame_bytes_max: Count = Field(16 * 1024 * 1024, description="longest message, in bytes")
    frame_timeout_s: Seconds = Field(60, description="a started frame must end within this")
    idle_timeout_s: SecondsOrOff = Field(0, description="close a quiet connection after; 0 never")
    write_timeout_s: Seconds = Field(30, description="a peer must read its answers within this")
    connections_max: Count = Field(256, description="connections at once")
    connections_per_host_max: Count = Field(64, description="connections at once from one host")
    processing_ids: tuple[str, ...] = Field(
        ("P", "T", "D"), description="MSH-11 values taken; any other is answered AR"
    )


class Mllp(Area):
    """The HL7 v2 doors."""

    listeners: dict[str, Listener] = Field(
        default_factory=lambda: {"default": Listener()}, description="listeners by name"
    )

    @model_validator(mode="before")
    @classmethod
    def _speak_of_the_default_listener(cls, value: object) -> object:
        """Let ``mllp.host`` and ``mllp.port`` set the default listener's."""
        if not isinstance(value, dict):
            return value
        short = {name: value[name] for name in ("host", "port") if name in value}
        rest = {name: value[name] for name in value if name not in short}
        if short:
            given = rest.get("listeners") or {}
            own = (given.get("default") or {}) if isinstance(given, dict) else None
            if not isinstance(own, dict):
                return rest  # no mapping: the field's own type says so
            rest["listeners"] = {**given, "default": {**own, **short}}
        return rest

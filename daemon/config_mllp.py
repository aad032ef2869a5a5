"""Settings of the HL7 v2 doors, and of the receivers that we send to."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from daemon.config_values import (
    Area,
    ClientTls,
    Count,
    Port,
    Rate,
    Seconds,
    SecondsOrOff,
    SendRetry,
    ServerTls,
)
from interfaces.mllp_admission import HostList
from mappings.ack_mode import AckMode  # noqa: TC001 - pydantic reads it at run time
from mappings.charset import find_codec
from mappings.hl7_header import VERSIONS
from mappings.hl7_oru_out import UTF8, Lines


class Listener(Area):
    """One MLLP port."""

    host: str = Field("127.0.0.1", description="address to bind")
    port: Port = Field(2575, description="port to bind; 0 takes a free one")
    frame_bytes_max: Count = Field(16 * 1024 * 1024, description="longest message, in bytes")
    frame_timeout_s: Seconds = Field(60, description="a started frame must end within this")
    idle_timeout_s: SecondsOrOff = Field(0, description="close a quiet connection after; 0 never")
    write_timeout_s: Seconds = Field(30, description="a peer must read its answers within this")
    answer_timeout_s: Seconds = Field(
        30, description="an answer that takes longer closes the connection unanswered"
    )
    handshake_timeout_s: Seconds = Field(
        10, description="a PROXY header must come within this, and TLS be agreed on"
    )
    connections_max: Count = Field(
        256, description="connections at once; the quietest idle one makes room for a new one"
    )
    connections_per_host_max: Count = Field(
        64, description="connections at once from one host, in the same way"
    )
    messages_per_second_max: Rate = Field(
        0, description="of one connection; faster ones wait in the network; 0 is no limit"
    )
    allow_hosts: tuple[str, ...] = Field(
        (), description="addresses and networks (10.0.0.0/8) that may connect; empty is all"
    )
    proxy_protocol: bool = Field(
        default=False,
        description="each connection begins with a PROXY header, and its address is believed",
    )
    release: Literal[1, 2] = Field(
        1, description="of MLLP; 2 puts a commit byte (0x06 or 0x15) before each answer"
    )
    tls: ServerTls | None = Field(None, description="TLS; null is none")
    processing_ids: tuple[str, ...] = Field(
        ("P", "T", "D"), description="MSH-11 values taken; any other is answered AR"
    )
    versions: tuple[str, ...] = Field(
        VERSIONS, description="MSH-12 values taken; any other is answered AR"
    )
    ack_mode: AckMode = Field(
        "auto", description="auto is enhanced (CA, then AA) for a message with MSH-15 or MSH-16"
    )
    application_ack_to: str | None = Field(
        None, description="name of mllp.send for application acks; null is the sender's connection"
    )
    transient_failure_code: Literal["AR", "AE"] = Field(
        "AR", description="MSA-1 for trouble of ours (CR, CE in enhanced mode)"
    )
    batch_answer: Literal["message", "batch"] = Field(
        "message", description="answer each message of a batch, or all in one BHS/BTS"
    )
    messages_per_frame_max: Count = Field(
        1000, description="messages in one frame; a frame with more is refused whole"
    )

    @field_validator("allow_hosts")
    @classmethod
    def _be_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        HostList(value)
        return value


class SendTls(ClientTls):
    """How we prove ourselves to a receiver; the files are read at each connection."""

    server_name: str | None = Field(
        None, description="name that the receiver's certificate must bear; null is host"
    )


class SendOru(Area):
    """How impressions are written for a receiver."""

    sending_application: str = Field("PRELIM", description="MSH-3")
    sending_facility: str = Field("", description="MSH-4")
    receiving_application: str | None = Field(
        None, description="MSH-5; null is the sender of the report"
    )
    receiving_facility: str | None = Field(
        None, description="MSH-6; null is the sender of the report"
    )
    processing_id: Literal["P", "T", "D"] = Field("P", description="MSH-11")
    ack_mode: Literal["original", "enhanced"] = Field(
        "original", description="enhanced asks for an accept ack alone (MSH-15 AL, MSH-16 NE)"
    )
    charset: str = Field(UTF8, description="MSH-18; a text that it cannot hold goes as UTF-8")
    lines: Lines = Field(
        "segments", description="an OBX for each line; or repetitions of one TX; or breaks in an FT"
    )
    patient_identifier_type: str = Field("MR", description="PID-3.5")

    @field_validator("charset")
    @classmethod
    def _be_known(cls, value: str) -> str:
        if find_codec(value) is None:
            raise ValueError("no character set that MLLP can carry")
        return value


class Send(Area):
    """One receiver of what we send over MLLP."""

    host: str = Field(min_length=1, description="name or address of the receiver")
    port: int = Field(gt=0, le=65535, description="its port")
    timeout_s: Seconds = Field(30, description="for connecting, and again for each answer")
    tls: SendTls | None = Field(None, description="TLS; null is none")
    retry: SendRetry = SendRetry()
    oru: SendOru = SendOru()


class Mllp(Area):
    """The HL7 v2 doors, and whom we send to."""

    listeners: dict[str, Listener] = Field(
        default_factory=lambda: {"default": Listener()}, description="listeners by name"
    )
    send: dict[str, Send] = Field(
        default_factory=dict, description="receivers by name, for oru_target and application_ack_to"
    )

    @model_validator(mode="after")
    def _know_each_receiver(self) -> Mllp:
        for listener in self.listeners.values():
            if listener.application_ack_to not in {None, *self.send}:
                raise ValueError("application_ack_to names no entry of mllp.send")
        return self

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

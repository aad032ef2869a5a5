"""Settings of Kafka: where reports come from, and where results and dead letters go."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads it at run time
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from daemon.config_values import Area, ClientTls, Count, Seconds, SendRetry
from interfaces.loopback import is_loopback
from mappings.hl7_header import VERSIONS

MIB = 1024 * 1024
PORT_MAX = 65_535


def _have_port(server: str) -> str:
    if not 0 < int(server.rpartition(":")[2]) <= PORT_MAX:
        raise ValueError(f"a port is 1 to {PORT_MAX}")
    return server


Server = Annotated[
    str, Field(pattern=r"^(\[[0-9a-fA-F:]+\]|[^\s:/@]+):[0-9]{1,5}$"), AfterValidator(_have_port)
]
Topic = Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,249}$")]
Suffix = Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,100}$")]


class KafkaTopic(Area):
    """One topic that is read. As a door, for sites, its name is kafka:TOPIC."""

    standard: Literal["hl7v2", "fhir", "by-header"] = Field(
        "hl7v2", description="what its records are; by-header is what each record says"
    )
    header: str = Field(
        "content-type", min_length=1, description="record header that names the standard"
    )
    processing_ids: tuple[str, ...] = Field(
        ("P", "T", "D"), description="MSH-11 values taken; any other is refused"
    )
    versions: tuple[str, ...] = Field(
        VERSIONS, description="MSH-12 values taken; any other is refused"
    )


class KafkaSasl(Area):
    """Name and password for the brokers."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="as the brokers have it"
    )
    username: str = Field(min_length=1, description="our name at the brokers")
    password: SecretStr | None = Field(None, description="its password; never printed")
    password_file: Path | None = Field(
        None, description="file with the password, a line end at its end apart; instead of password"
    )

    @model_validator(mode="after")
    def _have_one_password(self) -> KafkaSasl:
        if (self.password is None) == (self.password_file is None):
            raise ValueError("set one of password and password_file")
        return self


class KafkaBacklog(Area):
    """When reading waits for the model: reports and messages that are not drafted yet."""

    pause_above: Count = Field(2000, description="stop taking records above this many")
    resume_below: Count = Field(1000, description="take records again below this many")

    @model_validator(mode="after")
    def _be_in_order(self) -> KafkaBacklog:
        if self.resume_below > self.pause_above:
            raise ValueError("resume_below is above pause_above")
        return self


class KafkaTimes(Area):
    """How long we wait for the brokers. All of it is bounded: a client's own calls are not."""

    session_s: Seconds = Field(
        30, description="the group gives our partitions to others after we were silent for this"
    )
    heartbeat_s: Seconds = Field(3, description="between two signs of life; at most session_s / 3")
    rebalance_s: Seconds = Field(60, description="for members to come together again")
    request_s: Seconds = Field(30, description="one request; a send; joining the group is twice it")
    commit_s: Seconds = Field(10, description="saying how far we have read")
    stop_s: Seconds = Field(10, description="leaving; abandoned after it")
    stalled_s: Seconds = Field(
        120, description="connect afresh when no fetch was answered for this long"
    )

    @model_validator(mode="after")
    def _beat_in_time(self) -> KafkaTimes:
        if self.heartbeat_s * 3 > self.session_s:
            raise ValueError("heartbeat_s is more than a third of session_s")
        return self


class Kafka(Area):
    """Kafka in and out; needs the extra prelim[kafka]."""

    bootstrap: tuple[Server, ...] = Field(
        (), description="HOST:PORT of brokers to begin with; empty is no Kafka at all"
    )
    client_id: str = Field("prelim", min_length=1, description="our name in the brokers' logs")
    group: str = Field("prelim", min_length=1, description="consumer group")
    instance: str | None = Field(
        None, description="static member of the group: a name that this process alone has and keeps"
    )
    topics: dict[Topic, KafkaTopic] = Field(
        default_factory=dict, description="topics that are read, by name"
    )
    start_at: Literal["earliest", "latest", "none"] = Field(
        "earliest",
        description="where a group begins that has never read, or whose place is gone; none stops",
    )
    tls: ClientTls | None = Field(None, description="TLS; null is none")
    sasl: KafkaSasl | None = Field(None, description="name and password; null is none")
    allow_plain: bool = Field(
        default=False, description="let reports travel unencrypted beyond this machine"
    )
    records_max: Count = Field(200, description="records of one transaction of the journal")
    batch_bytes_max: Count = Field(8 * MIB, description="bytes after which a batch is full")
    partition_bytes_max: Count = Field(MIB, description="bytes of one partition in one fetch")
    fetch_bytes_max: Count = Field(16 * MIB, description="bytes of one fetch")
    record_bytes_max: Count = Field(
        16 * MIB, description="longest record; of a longer one the head is kept, and it is refused"
    )
    backlog: KafkaBacklog = Field(
        default_factory=KafkaBacklog, description="when reading waits for the model"
    )
    times: KafkaTimes = Field(default_factory=KafkaTimes, description="how long we wait")
    dead_letter_suffix: Suffix | None = Field(
        ".dlq", description="a refused record goes to TOPIC with this after it; null is nowhere"
    )
    results_topic: Topic | None = Field(
        None, description="posted and retracted Observations go to this topic; null is nowhere"
    )
    idempotent: bool = Field(
        default=True, description="brokers drop what a lost answer made us send twice"
    )
    retry: SendRetry = Field(
        default_factory=SendRetry, description="waiting for the brokers to take what we send"
    )

    @property
    def is_loopback(self) -> bool:
        """Whether every broker to begin with is on this machine."""
        return all(is_loopback(one.rpartition(":")[0]) for one in self.bootstrap)

    @model_validator(mode="after")
    def _be_reachable_and_private(self) -> Kafka:
        if (self.topics or self.results_topic) and not self.bootstrap:
            raise ValueError("topics need bootstrap")
        if not self.is_loopback and self.tls is None and not self.allow_plain:
            raise ValueError("brokers beyond this machine need tls, or allow_plain for a test")
        return self

    @model_validator(mode="after")
    def _feed_no_topic_back(self) -> Kafka:
        if {".", ".."} & {*self.topics, self.results_topic}:
            raise ValueError("no topic can be called . or ..")
        letters: set[str | None] = set()
        if self.dead_letter_suffix is not None:
            letters = {topic + self.dead_letter_suffix for topic in self.topics}
        if self.results_topic in letters:
            raise ValueError("results_topic cannot be a topic of dead letters")
        if (letters | {self.results_topic}) & set(self.topics):
            raise ValueError("a topic that is read cannot be one that is written")
        return self

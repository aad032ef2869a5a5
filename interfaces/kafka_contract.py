"""What the Kafka client is told, and the names of what it gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from interfaces.client_tls import ClientTls


class Partition(NamedTuple):
    """One partition of a topic."""

    topic: str
    number: int


@dataclass(frozen=True, slots=True)
class BrokerTerms:
    """Which brokers, and how we and they prove themselves.

    The password is read from its file at each connection, where it has one.
    """

    bootstrap: tuple[str, ...]
    client_id: str = "prelim"
    tls: ClientTls | None = None
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    password_file: Path | None = None
    request_s: float = 30.0
    stop_s: float = 10.0


@dataclass(frozen=True, slots=True)
class SourceTerms:
    """What is read, as which member of which group, in how large steps. Times in seconds."""

    brokers: BrokerTerms
    topics: tuple[str, ...]
    group: str
    instance: str | None = None
    start_at: Literal["earliest", "latest", "none"] = "earliest"
    records_max: int = 200
    batch_bytes_max: int = 8 * 1024 * 1024
    partition_bytes_max: int = 1024 * 1024
    fetch_bytes_max: int = 16 * 1024 * 1024
    session_s: float = 30.0
    heartbeat_s: float = 3.0
    rebalance_s: float = 60.0
    commit_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Lag:
    """How many records of a partition are not read yet, and where the oldest of them stands."""

    records: int
    oldest: int

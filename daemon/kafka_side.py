"""Kafka in the daemon: from its settings to a door, dead letters and results.

Without ``kafka.bootstrap`` nothing of it exists, and aiokafka is not loaded.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from daemon.errors import ConfigurationError
from daemon.kafka_dead_letters import DeadLetters
from daemon.kafka_door import KafkaDoor
from daemon.kafka_intake import KafkaIntake
from daemon.kafka_results import KafkaCarrier, KafkaResults
from daemon.kafka_stats import KafkaMetrics
from interfaces.client_tls import ClientTls
from interfaces.errors import BrokerRetryError
from interfaces.kafka_contract import BrokerTerms, SourceTerms
from interfaces.kafka_noise import limit_noise
from interfaces.kafka_producer import KafkaSender
from interfaces.kafka_security import client_arguments
from interfaces.kafka_source import KafkaSource
from mappings.hl7_header import HeaderPolicy
from mappings.kafka_record import TopicRules

if TYPE_CHECKING:
    from daemon.clock import Clock
    from daemon.config import Settings
    from daemon.config_kafka import Kafka
    from daemon.journal_ports import DoorJournal
    from daemon.metrics import Metrics
    from daemon.outbound import Outbound
    from daemon.stage import Wakes

NEEDED = ("aiokafka", "cramjam")


class KafkaSide:
    """Everything of Kafka in one daemon; it does nothing where no brokers are set.

    Args:
        settings: Checked settings.
        clock: For waits, ages and times of arrival.

    Raises:
        ConfigurationError: The client is not installed, a file of TLS or SASL cannot be used, or a
            demo engine's drafts would leave this machine.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings.kafka
        self._clock = clock
        self.dead_letters = DeadLetters(self._settings.dead_letter_suffix)
        self._door: KafkaDoor | None = None
        self._sender: KafkaSender | None = None
        if self._settings.bootstrap:
            _check(settings)

    def join(self, outbound: Outbound) -> None:
        """Add what is owed to topics, and what carries it."""
        kafka = self._settings
        if not kafka.bootstrap:
            return
        outbound.receivers.append(KafkaResults(kafka.results_topic, self._clock))
        self._sender = KafkaSender(
            broker_terms(kafka),
            is_idempotent=kafka.idempotent,
            record_bytes_max=kafka.record_bytes_max,
        )
        carrier = KafkaCarrier(self._sender.send, kafka.retry)
        outbound.carriers["kafka_result"] = carrier
        outbound.carriers["kafka_dead_letter"] = carrier

    def open_door(self, journal: DoorJournal, metrics: Metrics, wakes: Wakes) -> None:
        """Begin to read the topics, if there are any; a broker that is away is waited for."""
        kafka = self._settings
        if not kafka.topics:
            return
        intake = KafkaIntake(
            journal,
            rules_of(kafka),
            self.dead_letters,
            clock=self._clock,
            metrics=metrics,
            wake_mapping=wakes.mapping.set,
            wake_outbox=wakes.delivering.set,
        )
        self._door = KafkaDoor(
            KafkaSource(source_terms(kafka)),
            intake,
            journal,
            clock=self._clock,
            backlog=kafka.backlog,
            stalled_s=kafka.times.stalled_s,
        )
        metrics.registry.register(KafkaMetrics(self._door.stats, self._clock))
        self._door.start()

    def checks(self) -> dict[str, str]:
        """Say how Kafka does, for /readyz. It decides nothing there: MLLP goes on without it."""
        return {} if self._door is None else {"kafka": self._door.stats.state}

    async def close_door(self, deadline_s: float) -> None:
        """Fetch no more, keep and commit what is in hand, leave the group."""
        if self._door is not None:
            await self._door.drain(deadline_s)

    async def close(self) -> None:
        """Let the producer go."""
        if self._sender is not None:
            await self._sender.close()


def _check(settings: Settings) -> None:
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        reason = f"{missing[0]} is not installed: pip install 'prelim[kafka]'"
        raise ConfigurationError(reason, "kafka.bootstrap")
    limit_noise()
    kafka = settings.kafka
    try:
        client_arguments(broker_terms(kafka))
    except BrokerRetryError as error:
        area = "sasl" if error.where == "password_file" else "tls"
        raise ConfigurationError("file cannot be used", f"kafka.{area}.{error.where}") from None
    is_demo = settings.is_demo_engine and not settings.model.allow_demo
    if kafka.results_topic and is_demo and not kafka.is_loopback:
        raise ConfigurationError(
            "a demo engine's drafts must not be sent to a real receiver", "model.allow_demo"
        )


def rules_of(kafka: Kafka) -> dict[str, TopicRules]:
    """Read what each topic holds from its settings."""
    return {
        name: TopicRules(
            standard=topic.standard,
            header=topic.header,
            record_bytes_max=kafka.record_bytes_max,
            policy=HeaderPolicy(
                processing_ids=frozenset(topic.processing_ids), versions=frozenset(topic.versions)
            ),
        )
        for name, topic in kafka.topics.items()
    }


def broker_terms(kafka: Kafka) -> BrokerTerms:
    """Read how the brokers are reached from the settings."""
    tls, sasl, times = kafka.tls, kafka.sasl, kafka.times
    password = sasl.password if sasl else None
    return BrokerTerms(
        bootstrap=kafka.bootstrap,
        client_id=kafka.client_id,
        tls=ClientTls(tls.ca, tls.certificate, tls.key) if tls else None,
        mechanism=sasl.mechanism if sasl else None,
        username=sasl.username if sasl else None,
        password=password.get_secret_value() if password else None,
        password_file=sasl.password_file if sasl else None,
        request_s=times.request_s,
        stop_s=times.stop_s,
    )


def source_terms(kafka: Kafka) -> SourceTerms:
    """Read what is fetched, and how, from the settings."""
    times = kafka.times
    return SourceTerms(
        brokers=broker_terms(kafka),
        topics=tuple(kafka.topics),
        group=kafka.group,
        instance=kafka.instance,
        start_at=kafka.start_at,
        records_max=kafka.records_max,
        batch_bytes_max=kafka.batch_bytes_max,
        partition_bytes_max=kafka.partition_bytes_max,
        fetch_bytes_max=kafka.fetch_bytes_max,
        session_s=times.session_s,
        heartbeat_s=times.heartbeat_s,
        rebalance_s=times.rebalance_s,
        commit_s=times.commit_s,
    )

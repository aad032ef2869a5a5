"""What the Kafka door shows of itself."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from daemon.kafka_stats import KafkaMetrics, KafkaStats
from tests.unit.daemon.conftest import HandClock


def test_every_count_and_state_is_shown() -> None:
    clock, registry = HandClock(), CollectorRegistry()
    stats = KafkaStats(0.0, "paused", 3, {"t": 7})
    stats.resets["t", "lost"] += 2
    stats.commits_failed = 4
    registry.register(KafkaMetrics(stats, clock))
    clock.advance(12)
    shown = generate_latest(registry).decode().splitlines()

    assert {
        "prelim_kafka_fetch_age_seconds 12.0",
        "prelim_kafka_partitions 3.0",
        "prelim_kafka_paused 1.0",
        'prelim_kafka_lag{topic="t"} 7.0',
        'prelim_kafka_offset_resets_total{kind="lost",topic="t"} 2.0',
        "prelim_kafka_commits_failed_total 4.0",
    } <= set(shown)

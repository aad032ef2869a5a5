"""What the Kafka door knows of itself, and as Prometheus metrics: read from it at each scrape.

aiokafka says nothing when its brokers are away: a fetch just brings no record. So the time since a
broker last answered is the sign of life to alert on.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

    from daemon.clock import Clock

DoorState = Literal["connecting", "running", "paused", "stalled"]


@dataclass(slots=True)
class KafkaStats:
    """Counts and states of the door.

    Attributes:
        state: As shown by /readyz.
        answered_s: When a broker last answered a fetch; monotonic.
        partitions: How many are ours.
        lag: Records not read yet, by topic, of the partitions that are ours.
        resets: By topic and kind: ``back`` (records come again) or ``lost`` (records are gone).
        assignments: How often partitions were given to us.
        connects_failed: Connections that failed or were given up.
        commits_failed: Their records come again, and are known.
    """

    answered_s: float
    state: DoorState = "connecting"
    partitions: int = 0
    lag: dict[str, int] = field(default_factory=dict)
    resets: Counter[tuple[str, str]] = field(default_factory=Counter)
    assignments: int = 0
    connects_failed: int = 0
    commits_failed: int = 0


class KafkaMetrics(Collector):
    """Collects from the door.

    Args:
        stats: Its own, kept up to date by it.
        clock: For the time since a fetch was answered.
    """

    def __init__(self, stats: KafkaStats, clock: Clock) -> None:
        self._stats = stats
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Yield every metric of the door."""
        stats = self._stats
        for name, text, value in (
            (
                "prelim_kafka_fetch_age_seconds",
                "Since a broker last answered; high means that nothing comes in",
                self._clock.monotonic_s() - stats.answered_s,
            ),
            ("prelim_kafka_partitions", "Partitions that are ours", stats.partitions),
            (
                "prelim_kafka_paused",
                "1 while reading waits for the model",
                stats.state == "paused",
            ),
        ):
            yield GaugeMetricFamily(name, text, value)
        lag = GaugeMetricFamily(
            "prelim_kafka_lag", "Records of our partitions not read yet", labels=["topic"]
        )
        for topic, count in stats.lag.items():
            lag.add_metric([topic], count)
        yield lag
        for name, text, value in (
            ("assignments", "How often partitions were given to us", stats.assignments),
            ("connects_failed", "Connections that failed or were given up", stats.connects_failed),
            ("commits_failed", "Commits that failed: records come again", stats.commits_failed),
        ):
            yield CounterMetricFamily(f"prelim_kafka_{name}", text, value)
        resets = CounterMetricFamily(
            "prelim_kafka_offset_resets",
            "Times that a partition went on elsewhere: back (again) or lost (records are gone)",
            labels=["topic", "kind"],
        )
        for labels, count in stats.resets.items():
            resets.add_metric(list(labels), count)
        yield resets

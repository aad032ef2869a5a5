"""What the doors have counted, as Prometheus metrics: read from them at each scrape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

    from daemon.certificates import Certificates
    from daemon.clock import Clock
    from daemon.doors import Doors

_COUNTERS = {
    "connections_opened": "Connections taken",
    "connections_evicted": "Idle connections closed to make room",
    "garbage_bytes": "Bytes outside any frame",
    "answers_failed": "Answers that could not be made",
    "answers_late": "Answers that took longer than answer_timeout_s",
    "answers_unsent": "Answers whose connection ended before they were sent",
}
_COUNTERS_BY = {
    "connections_refused": ("prelim_mllp_connections_refused", "reason", "Connections not taken"),
    "frames_rejected": ("prelim_frames_bad", "fault", "Frames that could not be taken"),
}


class DoorMetrics(Collector):
    """Collects from the doors that are open.

    Args:
        doors: The doors.
        certificates: Those of all doors, HTTP's too.
        clock: For the time that a certificate has left.
    """

    def __init__(self, doors: Doors, certificates: Certificates, clock: Clock) -> None:
        self._doors = doors
        self._certificates = certificates
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Yield every metric of the doors."""
        stats = {name: server.stats for name, server in self._doors.items()}
        now = GaugeMetricFamily("prelim_connections", "Open connections", labels=["door"])
        for door, each in stats.items():
            now.add_metric([door], each.connections)
        yield now
        for field, text in _COUNTERS.items():
            counter = CounterMetricFamily(f"prelim_mllp_{field}", text, labels=["door"])
            for door, each in stats.items():
                counter.add_metric([door], getattr(each, field))
            yield counter
        for field, (name, label, text) in _COUNTERS_BY.items():
            counter = CounterMetricFamily(name, text, labels=["door", label])
            for door, each in stats.items():
                for value, count in getattr(each, field).items():
                    counter.add_metric([door, value], count)
            yield counter
        left = GaugeMetricFamily(
            "prelim_tls_certificate_expiry_seconds",
            "Until a door's certificate, or one of its chain, ends; negative when it has ended",
            labels=["door"],
        )
        for door, ends_at in self._certificates.ends().items():
            left.add_metric([door], (ends_at - self._clock.now()).total_seconds())
        yield left

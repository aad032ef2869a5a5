"""What the doors count is what a scrape shows."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from daemon.certificates import Certificates
from daemon.config_http import Http
from daemon.config_mllp import Listener
from daemon.door_metrics import DoorMetrics
from daemon.doors import Doors
from daemon.http_side import HttpSide
from daemon.metrics import Metrics
from interfaces.mllp_codec import encode_frame
from tests.samples.certificates import Authority
from tests.unit.interfaces.mllp_peers import Handler

if TYPE_CHECKING:
    from pathlib import Path


class NoonClock:
    def now(self) -> datetime:
        return datetime(2026, 11, 21, 12, tzinfo=UTC)

    def monotonic_s(self) -> float:
        return 0.0


async def test_what_a_door_has_counted_is_shown(tmp_path: Path) -> None:
    certificates, clock, metrics = Certificates(), NoonClock(), Metrics()
    doors = Doors(certificates)
    metrics.registry.register(DoorMetrics(doors, certificates, clock))
    pair = Authority(tmp_path, "authority").issue("door", ends=clock.now() + timedelta(hours=1))
    tls = {"certificate": pair.certificate, "key": pair.key}
    await doors.open("test", Listener.model_validate({"port": 0}), Handler())
    await doors.open("safe", Listener.model_validate({"port": 0, "tls": tls}), Handler())
    reader, writer = await asyncio.open_connection("127.0.0.1", doors["test"].port)
    writer.write(b"junk\x0bcut off" + encode_frame(b"boom"))
    await reader.read()
    writer.close()
    plain_reader, plain_writer = await asyncio.open_connection("127.0.0.1", doors["safe"].port)
    plain_writer.write(b"no TLS" * 10)
    await plain_reader.read()
    plain_writer.close()

    HttpSide(Http.model_validate({"tls": tls}), certificates)
    lines = metrics.render().decode().splitlines()

    for line in (
        'prelim_mllp_connections_opened_total{door="test"} 1.0',
        'prelim_mllp_connections_evicted_total{door="test"} 0.0',
        'prelim_mllp_connections_refused_total{door="safe",reason="tls_handshake"} 1.0',
        'prelim_mllp_garbage_bytes_total{door="test"} 4.0',
        'prelim_frames_bad_total{door="test",fault="abandoned"} 1.0',
        'prelim_connections{door="safe"} 0.0',
        'prelim_mllp_answers_failed_total{door="test"} 1.0',
        'prelim_mllp_answers_late_total{door="test"} 0.0',
        'prelim_mllp_answers_unsent_total{door="test"} 1.0',
        'prelim_tls_certificate_expiry_seconds{door="safe"} 3600.0',
        'prelim_tls_certificate_expiry_seconds{door="http"} 3600.0',
    ):
        assert line in lines
    for name in list(doors):
        await doors.close(name, 1)

"""How fast reports come in from Kafka, durably, beside the raw client and the raw broker.

One broker after another, each with one topic of four partitions full of 1.5 KB reports: how fast
they were produced (acks=all), how fast the plain client reads and commits them in batches as large
as ours, and how fast ``prelim serve`` has them in its journal, pipeline held and running. The
brokers are stand-ins that speak Kafka's protocol; what is compared is one run on one machine.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.rig import servers  # noqa: E402 - found through the line above
from bench.rig.brokers import LABELS, running_broker  # noqa: E402 - same
from bench.rig.messages import ID, SMALL_LINES, make_message  # noqa: E402 - same
from bench.rig.options import make_parser  # noqa: E402 - same
from bench.rig.results import (  # noqa: E402 - same
    Check,
    describe_machine,
    print_table,
    save_bars,
    save_json,
)

if TYPE_CHECKING:
    import argparse

TOPIC, PARTITIONS, BATCH = "reports", 4, 200
PRODUCED, CONSUMED = "raw produce, acks=all", "raw aiokafka, commit each 200"
HELD, RUNNING = "prelim, pipeline held", "prelim, pipeline running"
LOOK_S = 0.02
STALL_S = 60.0
Figures = dict[str, Any]


async def produce(bootstrap: str, count: int) -> float:
    """Fill the topic; return the seconds it took until every record was acknowledged."""
    from aiokafka import AIOKafkaProducer
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])
    await admin.close()
    parts = make_message(SMALL_LINES).encode().split(ID.encode())
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=5)
    await producer.start()
    started_s = time.perf_counter()
    sent = [await producer.send(TOPIC, (b"K%d" % number).join(parts)) for number in range(count)]
    await asyncio.gather(*sent)
    seconds = time.perf_counter() - started_s
    await producer.stop()
    return seconds


async def consume(bootstrap: str, count: int) -> float:
    """Read the topic with the plain client and commit each batch; return the seconds it took."""
    from aiokafka import AIOKafkaConsumer

    consumer = AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=bootstrap,
        group_id="raw",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=6000,
        heartbeat_interval_ms=1000,
    )
    await consumer.start()
    started_s, found = time.perf_counter(), 0
    while found < count:
        batch = await consumer.getmany(timeout_ms=500, max_records=BATCH)
        found += sum(len(records) for records in batch.values())
        if batch:
            await consumer.commit()
    seconds = time.perf_counter() - started_s
    await consumer.stop()
    return seconds


def take(bootstrap: str, count: int, folder: Path, *, is_held: bool) -> Figures:
    """Run prelim until its journal has every record; the time begins with the first of them."""
    config = folder / "prelim.yaml"
    settings = {
        "mllp": {"port": (port := servers.free_port())},
        "kafka": {
            "bootstrap": [bootstrap],
            "topics": {TOPIC: {}},
            "group": "held" if is_held else "running",
            "records_max": BATCH,
            "backlog": {"pause_above": 2 * count, "resume_below": count},
            "times": {"session_s": 6, "heartbeat_s": 1},
        },
    }
    config.write_text(json.dumps(settings), encoding="utf-8")
    system = servers.prelim(HELD if is_held else RUNNING, is_held=is_held, config=config)
    with servers.running(system, folder, port):
        started_s, found, moved_s = 0.0, 0, time.perf_counter()
        while found < count:
            time.sleep(LOOK_S)
            before, found = found, count_stored(folder / "journal.sqlite")
            now_s = time.perf_counter()
            if found and not started_s:
                started_s, first = now_s, found
            moved_s = now_s if found > before else moved_s
            if now_s - moved_s > STALL_S:
                return {"error": f"stopped at {found} of {count}"}
        seconds = time.perf_counter() - started_s
    return {"rate": (count - first) / seconds, "stored": found}


def count_stored(journal: Path) -> int:
    """Return how many messages a journal has accepted."""
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT count(*) FROM message WHERE is_refused = 0")
        return int(rows.fetchone()[0])


def measure(kind: str, count: int, folder: Path) -> dict[str, Figures]:
    """Measure everything with one broker."""
    with running_broker(kind, folder) as bootstrap:
        if bootstrap is None:
            return {PRODUCED: {"error": "not installed"}}
        results: dict[str, Figures] = {}
        for label in (PRODUCED, CONSUMED, HELD, RUNNING):
            results[label] = measure_one(label, bootstrap, count, folder)
            said = results[label].get("error") or f"{results[label]['rate']:,.0f}/s"
            print(f"{LABELS[kind]}, {label}: {said}", flush=True)
    return results


def measure_one(label: str, bootstrap: str, count: int, folder: Path) -> Figures:
    """Measure one thing; an ``error`` instead when it does not work."""
    if label in (PRODUCED, CONSUMED):
        run = produce if label == PRODUCED else consume
        return {"rate": count / asyncio.run(run(bootstrap, count))}
    own = folder / label.replace(" ", "-")
    own.mkdir()
    try:
        return take(bootstrap, count, own, is_held=label == HELD)
    except (RuntimeError, subprocess.SubprocessError) as error:
        return {"error": str(error)[-300:]}


def row_of(broker: str, label: str, figures: Figures, results: dict[str, Figures]) -> list[str]:
    """Return a row of the table; the ratio is to the plain client with the same broker."""
    if "error" in figures:
        return [broker, label, figures["error"][:40], ""]
    base = results.get(CONSUMED, {}).get("rate")
    ratio = f"{figures['rate'] / base:.2f}x" if base else ""
    return [broker, label, f"{figures['rate']:,.0f}", ratio]


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__doc__ or "")
    parser.add_argument("--records", type=int, default=10_000, help="in the topic")
    parser.add_argument("--only", default="", help="brokers whose name holds this")
    return parser.parse_args()


def main() -> None:
    """Measure, print, write."""
    options = parse_options()
    machine = describe_machine()
    count = 400 if options.quick else options.records
    results: dict[str, dict[str, Figures]] = {}
    for kind in (name for name in LABELS if options.only in name):
        with tempfile.TemporaryDirectory() as folder:
            results[LABELS[kind]] = measure(kind, count, Path(folder))
    rows = [
        row_of(broker, label, figures, each)
        for broker, each in results.items()
        for label, figures in each.items()
    ]
    columns = ("broker", "what", "records/s", "to the raw client")
    print_table(f"{count:,} reports of 1.5 KB, {PARTITIONS} partitions", columns, rows)
    checks = [
        str(Check(f"{broker}, {label}: every record is in the journal", f"{found}", found == count))
        for broker, each in results.items()
        for label, figures in each.items()
        if (found := figures.get("stored")) is not None
    ]
    print("\n".join(checks))
    plain = [
        {"broker": broker, "what": label, **figures}
        for broker, each in results.items()
        for label, figures in each.items()
    ]
    save_json(options.out, "kafka", {"machine": machine, "results": plain, "checks": checks})
    series = {
        broker: {label: one["rate"] for label, one in each.items() if "rate" in one}
        for broker, each in results.items()
    }
    if any(series.values()):
        title, unit = "Reports in from Kafka", "per second, more is better"
        save_bars(options.out / "kafka.svg", title, unit, {k: v for k, v in series.items() if v})


if __name__ == "__main__":
    main()

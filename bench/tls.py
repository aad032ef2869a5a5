"""What TLS costs at the door: durable acknowledgments in the clear, over TLS and over mutual TLS.

The pipeline is held, so that the door and the journal are all that is measured. ``connect`` is one
connection with its handshake and its first answer, made one after another.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.rig import servers  # noqa: E402 - found through the line above
from bench.rig.options import QUICK_S, make_parser  # noqa: E402 - same
from bench.rig.results import (  # noqa: E402 - same
    describe_machine,
    print_table,
    save_bars,
    save_json,
)
from tests.samples.certificates import Authority  # noqa: E402 - same

LOAD = ROOT / "bench" / "rig" / "load.py"
PLAIN, TLS, MUTUAL = "plain", "TLS 1.3", "mutual TLS 1.3"
CONNECTIONS = (8, 64)
Figures = dict[str, Any]


def make_settings(folder: Path, kind: str, port: int) -> tuple[Path, list[str]]:
    """Write the settings of one kind of door, and return them with what its clients need."""
    listener: dict[str, Any] = {"port": port}
    client: list[str] = []
    if kind != PLAIN:
        authority = Authority(folder, "authority")
        own, other = authority.issue("door"), authority.issue("client")
        tls = {"certificate": str(own.certificate), "key": str(own.key)}
        listener["tls"] = tls | {"minimum_version": "1.3"}
        client = ["--tls-ca", str(authority.path)]
        if kind == MUTUAL:
            listener["tls"]["client_ca"] = str(authority.path)
            client += ["--certificate", str(other.certificate), "--key", str(other.key)]
    path = folder / "settings.yaml"
    path.write_text(yaml.safe_dump({"mllp": {"listeners": {"default": listener}}}))
    return path, client


def measure(kind: str, connections: int, seconds: float) -> Figures:
    """Measure one kind of door at so many connections."""
    port = servers.free_port()
    with tempfile.TemporaryDirectory() as settings, tempfile.TemporaryDirectory() as data:
        config, client = make_settings(Path(settings), kind, port)
        with servers.running(servers.prelim(kind, is_held=True, config=config), Path(data), port):
            command = [sys.executable, LOAD, "--port", str(port), "--seconds", str(seconds)]
            command += ["--connections", str(connections), *client]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def main() -> None:
    """Measure, print, write."""
    parser = make_parser(__doc__ or "")
    parser.add_argument("--seconds", type=float, default=8.0, help="of one measurement")
    options = parser.parse_args()
    machine = describe_machine()
    rows, series, results = [], {}, []
    for connections in CONNECTIONS[: 1 if options.quick else None]:
        bars = series.setdefault(f"{connections} connections", {})
        for kind in (PLAIN, TLS, MUTUAL):
            figures = measure(kind, connections, QUICK_S if options.quick else options.seconds)
            results.append({"door": kind, "connections": connections, **figures})
            bars[kind] = figures["rate"]
            share = figures["rate"] / bars[PLAIN]
            times = [f"{figures[name]:.2f}" for name in ("p50_ms", "p99_ms", "connect_ms")]
            rows.append([kind, connections, f"{figures['rate']:,.0f}", f"{share:.2f}x", *times])
    columns = ("door", "connections", "yes/s", "of plain", "p50 ms", "p99 ms", "connect ms")
    print_table("MLLP over TLS, 1.5 KB ORU^R01", columns, rows)
    save_json(options.out, "tls", {"machine": machine, "results": results})
    title, unit = "Durable acknowledgments over TLS", "per second, more is better"
    save_bars(options.out / "tls.svg", title, unit, series)


if __name__ == "__main__":
    main()

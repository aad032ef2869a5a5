"""How many reports a second go out to a FHIR server, and come in at the FHIR door.

Out: our client in each way of writing, with what each needs to be safe to repeat, beside plain
aiohttp that posts the same Observation and Provenance and looks at nothing. In: our door, whose yes
means that the report is on disk, beside an application that only reads the body. Servers are
processes of their own; client and server share the machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # not this folder: this file would stand in for the library "fhir"

from bench.rig import servers  # noqa: E402 - found through the line above
from bench.rig.options import QUICK_S, make_parser  # noqa: E402 - same
from bench.rig.results import (  # noqa: E402 - same
    describe_machine,
    print_table,
    save_bars,
    save_json,
)
from interfaces.errors import PrelimError  # noqa: E402 - same
from interfaces.fhir_client import FhirClient  # noqa: E402 - same
from interfaces.fhir_http import FhirHttp  # noqa: E402 - same
from mappings.fhir_audit_event import build_audit_event  # noqa: E402 - same
from mappings.fhir_elements import FHIR_JSON, FhirOptions  # noqa: E402 - same
from tests.samples.fhir_drafts import DRAFTED_AT, draft_of  # noqa: E402 - same

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable, Iterator

    from interfaces.fhir_capability import WriteMode
    from mappings.domain import DraftObservation

    Post = Callable[[str], Awaitable[object]]

FHIR_SERVERS = ROOT / "bench" / "rig" / "fhir_servers.py"
SEKMET, STORE = "sekmet-fhir 0.1.1", "our embedded store"
RAW, BARE = "plain aiohttp", "a bare application"
IN_FLIGHT = 8
OPEN_TIMEOUT_S = 60
SAMPLE = draft_of()
AUDITED = "put, with AuditEvent"
Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Way:
    """A way of posting to a server."""

    label: str
    mode: WriteMode | None
    server: str
    has_audit: bool = False


WAYS = [
    *(
        Way(label, mode, server, has_audit=label == AUDITED)
        for server in (SEKMET, STORE)
        for label, mode in (
            (RAW, None),
            ("put", "put"),
            ("conditional-create", "conditional-create"),
            (AUDITED, "put"),
        )
    ),
    Way("transaction", "transaction", SEKMET),
]


def fhir_server(name: str) -> servers.System:
    """Return a server of FHIR drafts."""
    if name == STORE:
        command: tuple[str | Path, ...] = (sys.executable, FHIR_SERVERS, "store", "{port}")
        return servers.System(name, "", (*command, "{folder}"))
    sekmet = Path(sys.executable).with_name("sekmet")
    command = (sekmet, "serve", "--host", "127.0.0.1", "--port", "{port}")
    return servers.System(name, "", command if sekmet.exists() else None)


def another(name: str) -> DraftObservation:
    """Return the sample draft as one of another report."""
    key = name.rjust(64, "0")
    new = {
        SAMPLE.report_key: key,
        SAMPLE.observation_id: f"prelim-{key[-48:]}",
        SAMPLE.provenance_id: f"prelim-p{key[-47:]}",
    }

    def renamed(resource: bytes) -> bytes:
        for old, value in new.items():
            resource = resource.replace(old.encode(), value.encode())
        return resource

    return replace(
        SAMPLE,
        report_key=key,
        identifier_value=key,
        observation_id=new[SAMPLE.observation_id],
        observation=renamed(SAMPLE.observation),
        provenance_id=new[SAMPLE.provenance_id],
        provenance=renamed(SAMPLE.provenance),
    )


async def run_load(post: Post, seconds: float, warm: int) -> Figures:
    """Post one report after the other, some at once, for so long."""
    run, numbers, taken_ms, failed = uuid.uuid4().hex, itertools.count(), list[float](), 0

    async def one_after_another(until: Callable[[], bool]) -> None:
        nonlocal failed
        while until():
            started_s = time.perf_counter()
            try:
                await post(f"{run}{next(numbers):016x}")
            except (PrelimError, aiohttp.ClientError):
                failed += 1
            taken_ms.append((time.perf_counter() - started_s) * 1000)

    await one_after_another(lambda: len(taken_ms) < warm)
    taken_ms.clear()
    cpu_s, started_s = time.process_time(), time.perf_counter()
    await asyncio.gather(
        *(
            one_after_another(lambda: time.perf_counter() - started_s < seconds)
            for _ in range(IN_FLIGHT)
        )
    )
    passed_s, cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_s
    taken_ms.sort()
    return {
        "rate": len(taken_ms) / passed_s,
        "p50_ms": taken_ms[len(taken_ms) // 2],
        "p99_ms": taken_ms[int(0.99 * len(taken_ms))],
        "client_cpu_ms": cpu_s * 1000 / len(taken_ms),
        "client_share": cpu_s / passed_s,
        "failed": failed,
    }


async def post_out(way: Way, url: str, seconds: float, warm: int) -> Figures:
    """Post drafts to a server in one way."""
    if way.mode is not None:
        options = FhirOptions()
        client = FhirClient(
            FhirHttp(url, timeout_s=30),
            write=way.mode,
            audit=(lambda write: build_audit_event(write, options, now=DRAFTED_AT))
            if way.has_audit
            else None,
        )
        async with client:
            return await run_load(lambda name: client.post(another(name)), seconds, warm)
    async with aiohttp.ClientSession(headers={"Content-Type": FHIR_JSON}) as session:

        async def post(name: str) -> None:
            draft = another(name)
            for kind, body in (
                ("Observation", draft.observation),
                ("Provenance", draft.provenance),
            ):
                async with session.post(f"{url}/{kind}", data=body) as answer:
                    answer.raise_for_status()
                    await answer.read()

        return await run_load(post, seconds, warm)


def measure_out(way: Way, seconds: float, warm: int) -> Figures:
    """Start a server, post to it, end it."""
    port = servers.free_port()
    system = fhir_server(way.server)
    if system.command is None:
        return {"error": "not installed"}
    path = "" if way.server == STORE else "/fhir"
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.running(system, Path(folder), port),
    ):
        return asyncio.run(post_out(way, f"http://127.0.0.1:{port}{path}", seconds, warm))


def report_of(name: str) -> bytes:
    """Return a DiagnosticReport that nobody sent before."""
    findings = "The lungs are clear. No pleural effusion. The heart is of normal size. " * 12
    report = {
        "resourceType": "DiagnosticReport",
        "identifier": [{"system": "urn:bench", "value": name}],
        "status": "preliminary",
        "category": [{"coding": [{"code": "RAD"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "36643-5"}], "text": "XR chest"},
        "subject": {"identifier": {"system": "urn:bench:patient", "value": "TEST-1"}},
        "effectiveDateTime": "2026-03-04T09:30:00+01:00",
        "contained": [
            {
                "resourceType": "Observation",
                "id": "findings",
                "status": "preliminary",
                "code": {"coding": [{"system": "http://loinc.org", "code": "59776-5"}]},
                "valueString": findings,
            }
        ],
        "result": [{"reference": "#findings"}],
    }
    return json.dumps(report).encode()


async def post_in(url: str, seconds: float, warm: int) -> Figures:
    """Post reports to a door."""
    async with aiohttp.ClientSession(headers={"Content-Type": FHIR_JSON}) as session:

        async def post(name: str) -> None:
            async with session.post(f"{url}/DiagnosticReport", data=report_of(name)) as answer:
                answer.raise_for_status()
                await answer.read()

        deadline_s = time.monotonic() + OPEN_TIMEOUT_S
        while time.monotonic() < deadline_s:  # the port is open before reports are taken
            with contextlib.suppress(aiohttp.ClientError):
                await post(uuid.uuid4().hex)
                break
            await asyncio.sleep(0.1)
        return await run_load(post, seconds, warm)


def doors() -> Iterator[servers.System]:
    """Yield what takes reports in: ours, held and running, and a bare application."""
    for label, is_held in (("prelim, pipeline held", True), ("prelim, pipeline running", False)):
        ours = servers.prelim(label, is_held=is_held)
        # What is waited for is the port that is measured: HTTP's, not MLLP's.
        swapped = {"PRELIM_HTTP__PORT": "{port}", "PRELIM_MLLP__PORT": "{http}"}
        yield replace(ours, environment={**ours.environment, **swapped})
    yield servers.System(BARE, "nothing", (sys.executable, FHIR_SERVERS, "bare", "{port}"))


def measure_in(system: servers.System, seconds: float, warm: int) -> Figures:
    """Start what takes reports, post to it, end it."""
    port = servers.free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.running(system, Path(folder), port),
    ):
        return asyncio.run(post_in(f"http://127.0.0.1:{port}/fhir", seconds, warm))


def row_of(label: str, figures: Figures, base: Figures | None) -> list[str]:
    """Return a row of a table; the ratio is to the plain one of the same run."""
    if "error" in figures:
        return [label, figures["error"], "", "", "", "", ""]
    shown = [f"{figures['rate']:,.1f}"]
    shown += [f"{figures[name]:.2f}" for name in ("p50_ms", "p99_ms", "client_cpu_ms")]
    ratio = f"{figures['rate'] / base['rate']:.2f}x" if base and base.get("rate") else ""
    notes = [f"{figures['failed']} failed"] if figures["failed"] else []
    notes += ["the client was busy: a floor"] if figures["client_share"] > 0.85 else []  # noqa: PLR2004 - of one core
    return [label, *shown, ratio, ", ".join(notes)]


def median_of(rounds: list[Figures]) -> Figures:
    """Return the round with the median rate: its figures belong together."""
    good = sorted((one for one in rounds if "error" not in one), key=lambda one: one["rate"])
    return good[len(good) // 2] if good else rounds[-1]


def measure_all(options: argparse.Namespace) -> dict[tuple[str, str], Figures]:
    """Run every case in every round, so that a change of the machine meets all of them."""
    rounds: defaultdict[tuple[str, str], list[Figures]] = defaultdict(list)
    seconds, warm = (QUICK_S, 1) if options.quick else (options.seconds, 20)
    for number in range(1 if options.quick else options.rounds):
        for way in WAYS:
            rounds["out", f"{way.server}: {way.label}"].append(measure_out(way, seconds, warm))
        for system in doors():
            rounds["in", system.label].append(measure_in(system, seconds, warm))
        print(f"round {number + 1} is done", flush=True)
    return {key: median_of(figures) for key, figures in rounds.items()}


def main() -> None:
    """Measure, print, write."""
    parser = make_parser(__doc__ or "")
    parser.add_argument("--seconds", type=float, default=5.0, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=3, help="the median of so many is told")
    options = parser.parse_args()
    machine = describe_machine()
    results = measure_all(options)
    columns = ("way", "reports/s", "p50 ms", "p99 ms", "client CPU ms", "to plain", "")
    tables = {"out": "drafts posted, 8 at once", "in": "reports taken at the door, 8 at once"}
    series: dict[str, dict[str, float]] = {}
    for side, title in tables.items():
        rows = []
        for (where, label), figures in results.items():
            if where != side:
                continue
            plain = f"{label.split(':')[0]}: {RAW}" if side == "out" else BARE
            rows.append(row_of(label, figures, results[side, plain]))
            if figures.get("rate"):
                series.setdefault(side, {})[label] = figures["rate"]
        print_table(title, columns, rows)
    plain_results = [{"side": key[0], "way": key[1], **each} for key, each in results.items()]
    save_json(options.out, "fhir", {"machine": machine, "results": plain_results})
    unit = "per second, more is better"
    save_bars(options.out / "fhir.svg", "Reports over FHIR, out and in", unit, series)


if __name__ == "__main__":
    main()

"""Strict validation holds a message up for a bounded time, and stops it only by a verdict."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from daemon.errors import ConfigurationError
from daemon.journal import PendingMessage
from daemon.metrics import Metrics
from daemon.validating import (
    Outcome,
    StructureCheck,
    ValidationPool,
    Verdict,
    make_structure_check,
)
from mappings.errors import UnreadableContentError
from mappings.sites import Site, SiteSet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from mappings.domain import RawReport

GOOD = (
    "MSH|^~\\&|DEMORIS|DEMOHOSP|PRELIM|DEMOHOSP|20261121080000||ORU^R01^ORU_R01|M1|P|2.5.1\r"
    "PID|1||P1^^^DEMO^MR||QUETZALCANARY^ANNA||19700101|F\r"
    "OBR|1|O1|F1|CTCHEST^CT CHEST^L\r"
    "OBX|1|TX|GDT^Findings^L|1|There is a nodule.||||||P\r"
)
BAD = GOOD.replace("P1^^^DEMO^MR", "")
ASKING = SiteSet((Site("default", validation="structure"),))
# A worker that is ready at once and never answers a text with HANG in it.
SCRIPTED = """
import struct, sys, time
print("ready", flush=True)
while head := sys.stdin.buffer.read(4):
    text = sys.stdin.buffer.read(*struct.unpack(">I", head)).decode()
    if "HANG" in text:
        time.sleep(1000)
    if "DIE" in text:
        sys.exit(1)
    print("invalid QUETZALCANARY" if "LEAK" in text else "valid", flush=True)
"""
DEAF = "import time; time.sleep(1000)"


def scripted(script: str = SCRIPTED, **limits: float) -> ValidationPool:
    return ValidationPool(
        workers_max=1,
        command=(sys.executable, "-c", script),
        **{"timeout_s": 20.0, "start_timeout_s": 20.0, **limits},
    )


@pytest.fixture
async def pool() -> AsyncIterator[ValidationPool]:
    made = ValidationPool(timeout_s=20)
    yield made
    await made.close()


async def test_hl7apy_judges_in_a_process_that_is_used_again(pool: ValidationPool) -> None:
    verdicts = [await pool.validate(text) for text in (GOOD, BAD, GOOD)]

    assert verdicts == [
        Verdict(Outcome.VALID),
        Verdict(Outcome.INVALID, "PID-3"),
        Verdict(Outcome.VALID),
    ]
    assert pool.workers_started == 1


async def test_a_message_that_eats_memory_is_not_judged_and_the_next_one_is() -> None:
    pool = ValidationPool(timeout_s=20, memory_bytes_max=150 * 1024**2)
    try:
        huge = await pool.validate(GOOD + "x" * 100 * 1024**2)
        small = await pool.validate(GOOD)
    finally:
        await pool.close()

    assert huge == Verdict(Outcome.FAILED)
    assert small == Verdict(Outcome.VALID)


async def test_a_validation_that_hangs_is_killed_and_the_next_message_judged() -> None:
    pool = scripted(timeout_s=0.2)

    hung = await pool.validate("HANG")
    after = [await pool.validate("fine"), await pool.validate("fine")]
    await pool.close()

    assert hung == Verdict(Outcome.TIMED_OUT)
    assert after == [Verdict(Outcome.VALID)] * 2
    assert pool.workers_started == 2


async def test_nobody_waits_for_a_place_longer_than_the_time_limit() -> None:
    pool = scripted(timeout_s=0.2)

    verdicts = await asyncio.gather(*(pool.validate("HANG") for _ in range(50)))
    await pool.close()

    assert verdicts == [Verdict(Outcome.TIMED_OUT)] * 50
    assert pool.workers_started <= 3


async def test_a_worker_that_dies_is_no_verdict() -> None:
    pool = scripted()

    verdicts = [await pool.validate("DIE"), await pool.validate("fine")]
    await pool.close()

    assert verdicts == [Verdict(Outcome.FAILED), Verdict(Outcome.VALID)]


@pytest.mark.parametrize(
    "command", [("no-such-program",), (sys.executable, "-c", ""), (sys.executable, "-c", DEAF)]
)
async def test_a_worker_that_does_not_start_is_no_verdict(command: tuple[str, ...]) -> None:
    pool = ValidationPool(command=command, start_timeout_s=0.5)

    verdict = await pool.validate(GOOD)

    assert verdict == Verdict(Outcome.FAILED)


async def test_a_word_that_is_no_position_does_not_get_out_of_a_worker() -> None:
    pool = scripted()

    verdict = await pool.validate("LEAK")
    await pool.close()

    assert verdict == Verdict(Outcome.INVALID, None)


class FixedPool(ValidationPool):
    """Answers without a process, and remembers what it was asked."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__()
        self.asked: list[str] = []
        self._verdict = verdict

    async def validate(self, text: str) -> Verdict:
        self.asked.append(text)
        return self._verdict


async def check(
    raw: RawReport, verdict: Verdict, sites: SiteSet = ASKING
) -> tuple[FixedPool, Metrics]:
    pool, metrics = FixedPool(verdict), Metrics()
    await StructureCheck(sites, pool, metrics)(PendingMessage("m-1", raw))
    return pool, metrics


async def test_a_message_that_breaks_the_structure_is_rejected_with_its_place(
    make_raw: Callable[..., RawReport],
) -> None:
    with pytest.raises(UnreadableContentError) as caught:
        await check(make_raw(GOOD.encode()), Verdict(Outcome.INVALID, "PID-3"))

    assert (caught.value.reason, caught.value.where) == ("invalid_structure", "PID-3")


@pytest.mark.parametrize("outcome", [Outcome.TIMED_OUT, Outcome.FAILED])
async def test_a_message_that_could_not_be_judged_in_time_goes_on_and_is_told(
    make_raw: Callable[..., RawReport], capsys: pytest.CaptureFixture[str], outcome: Outcome
) -> None:
    _, metrics = await check(make_raw(GOOD.encode()), Verdict(outcome))

    assert f"validation_{outcome.value}" in capsys.readouterr().out
    assert metrics.validations.labels(outcome=outcome.value)._value.get() == 1


@pytest.mark.parametrize(
    "sites",
    [
        SiteSet(),
        SiteSet((Site("other", applications=("OTHERRIS",), validation="structure"),)),
        SiteSet((Site("other", listeners=("night",), validation="structure"),)),
    ],
)
async def test_a_site_that_does_not_ask_is_not_validated(
    make_raw: Callable[..., RawReport], sites: SiteSet
) -> None:
    pool, _ = await check(make_raw(BAD.encode()), Verdict(Outcome.INVALID), sites)

    assert pool.asked == []


@pytest.mark.parametrize("payload", [b"no HL7", GOOD.replace("ORU^R01", "ADT^A08").encode()])
async def test_what_is_no_report_is_left_to_who_reads_it_next(
    make_raw: Callable[..., RawReport], payload: bytes
) -> None:
    pool, _ = await check(make_raw(payload), Verdict(Outcome.INVALID))

    assert pool.asked == []


async def test_a_message_is_judged_in_characters_one_segment_a_line(
    make_raw: Callable[..., RawReport],
) -> None:
    sent = GOOD.replace("|P|2.5.1", "|P|2.5.1||||||8859/1").replace("ANNA", "JÖRG")
    pool, _ = await check(
        make_raw(sent.replace("\r", "\r\n\r\n").encode("latin-1")), Verdict(Outcome.VALID)
    )

    assert pool.asked == [sent]


def test_nothing_is_made_when_no_site_asks() -> None:
    assert make_structure_check(SiteSet((Site("a"),)), Metrics()) is None
    assert make_structure_check(ASKING, Metrics()) is not None


def test_a_site_that_asks_without_hl7apy_stops_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("daemon.validating.find_spec", lambda _name: None)

    with pytest.raises(ConfigurationError) as caught:
        make_structure_check(ASKING, Metrics())

    assert caught.value.where == "sites"


def test_the_gateway_never_loads_hl7apy() -> None:
    script = (
        "import sys, daemon.app, daemon.validating as v; from daemon.metrics import Metrics;"
        "from mappings.sites import Site, SiteSet;"
        "v.make_structure_check(SiteSet((Site('default', validation='structure'),)), Metrics());"
        "sys.exit('hl7apy' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", script], check=False)

    assert done.returncode == 0

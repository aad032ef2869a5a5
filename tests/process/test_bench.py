"""The benches run, and tell what is not there; how fast anything is, is not looked at."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.process.conftest import run_prelim

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.process


def run_bench(name: str, tmp_path: Path, *options: str) -> tuple[str, dict[str, object]]:
    where = ("--out", str(tmp_path / "out"), "--peers", str(tmp_path / "peers"))
    code, output, errors = run_prelim("bench", name, "--quick", *where, *options)
    assert code == 0, errors
    return output, json.loads((tmp_path / "out" / f"{name}.json").read_text())


def test_ack_counts_what_it_got_a_yes_for_in_the_journal(tmp_path: Path) -> None:
    output, data = run_bench("ack", tmp_path, "--only", "pipeline held")

    results = data["results"]
    assert isinstance(results, list)
    assert [row["connections"] for row in results] == [1, 8, 64]
    assert all(0 < row["acks"] <= row["stored"] for row in results)
    assert output.count("every yes is in the journal: 0.0 missing") == 3
    assert "<svg" in (tmp_path / "out" / "ack.svg").read_text()


def test_a_peer_that_is_not_installed_is_told_and_not_measured_as_nothing(tmp_path: Path) -> None:
    output, data = run_bench("parse", tmp_path)

    figures = data["cpu_ms"]
    assert isinstance(figures, dict)
    assert figures["prelim, whole plan"]["1.5 KB"]["median_ms"] > 0
    assert figures["python-hl7 0.4.5"] is None
    assert "not installed: messagefoundry 0.2.1" in output


def test_a_door_with_tls_is_measured_beside_one_without(tmp_path: Path) -> None:
    _, data = run_bench("tls", tmp_path)

    results = data["results"]
    assert isinstance(results, list)
    assert {row["door"] for row in results} == {"plain", "TLS 1.3", "mutual TLS 1.3"}
    assert all(row["acks"] > 0 and not row["refused"] for row in results)


def test_draft_checks_are_measured_in_each_language_that_has_them(tmp_path: Path) -> None:
    output, data = run_bench("draft_checks", tmp_path)

    judged = data["judged"]
    assert isinstance(judged, dict)
    assert set(judged) == {"en", "de", "es", "fr", "ro", "zh"}
    assert all(row["faithful"][0] > row["swapped"][1] > 0 for row in judged.values())
    assert output.count("faithful refused") == len(judged)


def test_fhir_measures_each_way_out_and_the_door_beside_plain_ones(tmp_path: Path) -> None:
    output, data = run_bench("fhir", tmp_path)

    results = data["results"]
    assert isinstance(results, list)
    rates = {row["way"]: row["rate"] for row in results}
    assert {"prelim, pipeline held", "a bare application"} <= set(rates)
    assert sum(way.startswith("sekmet-fhir") for way in rates) == 5
    assert sum(way.startswith("our embedded store") for way in rates) == 4
    assert all(rate > 0 for rate in rates.values())
    assert [row["failed"] for row in results] == [0] * len(results)
    assert output.count("1.00x") >= 3
    assert "<svg" in (tmp_path / "out" / "fhir.svg").read_text()


def test_kafka_measures_ours_beside_the_raw_client_and_every_record_is_there(
    tmp_path: Path,
) -> None:
    _, data = run_bench("kafka", tmp_path, "--only", "noida")

    results = data["results"]
    assert isinstance(results, list)
    assert [row["what"][:6] for row in results] == ["raw pr", "raw ai", "prelim", "prelim"]
    assert all(row["rate"] > 0 for row in results)
    assert [row.get("stored") for row in results[2:]] == [400, 400]

"""Measure one library on message files, in its own environment: a line of JSON for each.

    python parse_message.py LIBRARY SECONDS FILE...

Each reader takes out MSH-10, PID-3, OBR-4 and every OBX-3 and OBX-5. Ours do what the daemon does:
``header`` is what an answer waits for, ``fields`` the fields, ``plan`` all up to the decision to
draft.
CPU time, not wall time: other work on the machine does not count. Needs nothing but the library.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH_S = 0.02
BATCHES_MIN = 3


def read_header() -> Callable[[bytes], object]:
    from mappings.hl7_header import judge_header, message_digest, peek_header

    def read(payload: bytes) -> object:
        header = peek_header(payload)
        judge_header(header)
        return header.control_id_bytes, message_digest(payload, header)

    return read


def read_fields() -> Callable[[bytes], object]:
    from mappings.hl7_groups import cut_groups
    from mappings.hl7_message import read_message
    from mappings.sites import DEFAULT_SITE

    def read(payload: bytes) -> object:
        message = read_message(payload)
        patient, [group] = cut_groups(message, DEFAULT_SITE)
        codes_and_texts = group.observations.columns(3, 5)
        order = group.request.components(4)
        return message.header.control_id, patient, order, codes_and_texts

    return read


def read_plan() -> Callable[[bytes], object]:
    from mappings.message_plan import plan_message
    from mappings.sites import SiteSet

    sites = SiteSet()
    return lambda payload: plan_message(payload, sites)


def read_hl7apy() -> Callable[[bytes], object]:
    from hl7apy.parser import parse_message

    def read(payload: bytes) -> object:
        message = parse_message(payload.decode(), find_groups=False)
        texts = [(obx.obx_3.value, obx.obx_5.value) for obx in message.obx]
        return message.msh.msh_10.value, message.pid.pid_3.value, message.obr.obr_4.value, texts

    return read


def read_python_hl7() -> Callable[[bytes], object]:
    import hl7

    def read(payload: bytes) -> object:
        message = hl7.parse(payload.decode())
        texts = [(str(obx[3]), str(obx[5])) for obx in message.segments("OBX")]
        head, patient, order = (message.segment(name) for name in ("MSH", "PID", "OBR"))
        return str(head[10]), str(patient[3]), str(order[4]), texts

    return read


def read_v2fhir() -> Callable[[bytes], object]:
    from v2fhir.hl7.parser import parse_bytes

    def read(payload: bytes) -> object:
        message = parse_bytes(payload)
        texts = [(obx.get(3), obx.get(5)) for obx in message.all("OBX")]
        return message.control_id, message.seg("PID").get(3), message.seg("OBR").get(4), texts

    return read


def read_messagefoundry() -> Callable[[bytes], object]:
    from messagefoundry.parsing.message import Message

    def read(payload: bytes) -> object:
        message = Message.parse(payload)
        texts = [
            (message.field("OBX-3", occurrence=n), message.field("OBX-5", occurrence=n))
            for n in range(1, message.count_segments("OBX") + 1)
        ]
        return message.field("MSH-10"), message.field("PID-3"), message.field("OBR-4"), texts

    return read


def read_hl7kit() -> Callable[[bytes], object]:
    import hl7kit

    def read(payload: bytes) -> object:
        message = hl7kit.parse(payload.decode())
        count = payload.count(b"\rOBX|")
        texts = [
            (message.get(f"OBX[{n}]-3"), message.get(f"OBX[{n}]-5")) for n in range(1, count + 1)
        ]
        return message.get("MSH-10"), message.get("PID-3"), message.get("OBR-4"), texts

    return read


def read_medforge() -> Callable[[bytes], object]:
    import medforge

    def read(payload: bytes) -> object:
        message = medforge.parse(payload.decode())
        count = payload.count(b"\rOBX|")
        texts = [(message.get(f"OBX({n})-3"), message.get(f"OBX({n})-5")) for n in range(count)]
        return message.get("MSH-10"), message.get("PID-3"), message.get("OBR-4"), texts

    return read


READERS = {
    "header": read_header,
    "fields": read_fields,
    "plan": read_plan,
    "hl7apy": read_hl7apy,
    "python-hl7": read_python_hl7,
    "v2fhir": read_v2fhir,
    "messagefoundry": read_messagefoundry,
    "hl7kit": read_hl7kit,
    "medforge": read_medforge,
}


def measure(read: Callable[[bytes], object], payload: bytes, seconds: float) -> dict[str, float]:
    """Return CPU milliseconds per message: the median and the least of many batches."""
    started = time.process_time()
    read(payload)
    once = time.process_time() - started
    repeats = max(1, int(BATCH_S / max(once, 1e-6)))
    batches: list[float] = []
    deadline = time.process_time() + seconds
    while len(batches) < BATCHES_MIN or time.process_time() < deadline:
        started = time.process_time()
        for _ in range(repeats):
            read(payload)
        batches.append((time.process_time() - started) / repeats * 1000)
    return {"median_ms": statistics.median(batches), "min_ms": min(batches)}


def main() -> None:
    library, seconds, *files = sys.argv[1:]
    read = READERS[library]()
    for name in files:
        print(json.dumps(measure(read, Path(name).read_bytes(), float(seconds))), flush=True)


if __name__ == "__main__":
    main()

"""The process that asks hl7apy about the structure of one message at a time.

hl7apy is slow, its memory grows with the message, and its errors quote the message: so it runs
here, where it can be killed, and what leaves is an outcome and a position that the standard's own
tables know. Run by daemon/validating.py; nothing else imports it: the gateway stays free of hl7apy.

A request is its length (4 bytes, big-endian) and the text in UTF-8; an answer is one line, such as
``invalid PID-3``. A line is written once at the start, when questions may come.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import resource
import signal
import struct
import sys
from typing import TYPE_CHECKING

import hl7apy.validation
from hl7apy import load_library
from hl7apy.exceptions import HL7apyException, UnsupportedVersion
from hl7apy.parser import parse_message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

READY = "ready"
_LENGTH = struct.Struct(">I")
_FIELD = re.compile(r"\b([A-Z][A-Z0-9]{2})_([0-9]{1,3})\b")
_SEGMENT = re.compile(r"\b([A-Z][A-Z0-9]{2})(?=$|>)")
# hl7apy's tables have holes (OBR-21 of 2.4, CE-1 of 2.3.1): it then compares with no type at all.
_HOLE = "Datatype None is not correct"


def check_structure(text: str) -> str:
    """Judge one message: cardinalities, allowed children and data types, by its own version.

    Args:
        text: Decoded; segments end in CR.

    Returns:
        ``valid``, ``invalid`` or ``invalid WHERE``; ``failed`` when hl7apy itself cannot say.
    """
    try:
        message = parse_message(text, find_groups=True)
        faults = _faults(message)
        segments = frozenset(load_library(message.version).SEGMENTS)
    except UnsupportedVersion:
        return "failed"
    except HL7apyException:
        return "invalid"
    except Exception:  # noqa: BLE001 - a library's own fault says nothing about the message
        return "failed"
    for fault in faults:
        return " ".join(["invalid", *_positions(fault, segments)][:2])
    return "valid"


class _Report(io.StringIO):
    """Keeps what is written when it is closed."""

    def close(self) -> None:
        """Stay readable."""


def _faults(message: object) -> list[str]:
    """Return every fault that hl7apy finds, in its order; warnings about values are left out.

    hl7apy raises the first fault only, which may be a hole of its own, and tells the others in a
    file. Its ``open`` is given a file in memory: what it writes quotes the message.
    """
    report = _Report()
    hl7apy.validation.open = lambda *_: report
    try:
        hl7apy.validation.Validator.validate(message, report_file="memory")
    except HL7apyException:
        lines = report.getvalue().splitlines()
        return [line for line in lines if line.startswith("Error: ") and _HOLE not in line]
    finally:
        del hl7apy.validation.open  # the built-in one shows again
    return []


def _positions(fault: str, segments: frozenset[str]) -> Iterator[str]:
    """Yield the places that a fault names: only segments of the standard, never other words."""
    yield from (f"{name}-{number}" for name, number in _FIELD.findall(fault) if name in segments)
    yield from (name for name in _SEGMENT.findall(fault) if name in segments)


def run_worker(questions: BinaryIO, answers: BinaryIO, seconds_max: int) -> None:
    """Answer until the questions end.

    Args:
        questions: Where requests come from.
        answers: Where lines go.
        seconds_max: The kernel ends this process when one message takes longer: the daemon that
            should have killed it may be gone.
    """
    answers.write(f"{READY}\n".encode())
    answers.flush()
    while len(head := questions.read(_LENGTH.size)) == _LENGTH.size:
        text = questions.read(_LENGTH.unpack(head)[0]).decode()
        signal.alarm(seconds_max)
        answer = check_structure(text)
        signal.alarm(0)
        answers.write(f"{answer}\n".encode())
        answers.flush()


def main() -> None:
    """Bound this process, then serve stdin and stdout."""
    options = argparse.ArgumentParser()
    options.add_argument("--memory-bytes", type=int, required=True)
    options.add_argument("--seconds", type=int, required=True)
    limits = options.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    # A library that prints must not answer for us.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    run_worker(sys.stdin.buffer, answers, limits.seconds)


if __name__ == "__main__":
    main()

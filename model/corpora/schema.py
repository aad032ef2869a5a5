"""One report of a corpus: the frozen row that import, cleaning, splitting and training share.

A patient stands in it only as a salted hash. A corpus file is JSON lines, one row a line, its keys
those of ``CorpusRow`` (as ``prelim synth`` names them, too); unknown keys are left out.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import stat
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from mappings.domain import Modality, Region
from model.errors import CorpusUnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import TextIO

KEY_HEX_DIGITS = 32
OWNER_ONLY = 0o600
_TEXTS = (
    "site",
    "language",
    "style",
    "exam_code",
    "exam_display",
    "indication",
    "findings",
    "impression",
    "date",
    "patient_key",
)


@dataclass(frozen=True, slots=True)
class CorpusRow:
    """A report with its impression, and nothing of the scanner.

    Attributes:
        report_id: Unique in its corpus.
        site: Who wrote it.
        language: BCP 47, such as ``en``.
        findings: Empty where the report has none.
        impression: The radiologist's; empty where the report has none.
        modality: None where nothing tells it.
        region: None where nothing tells it.
        exam_code: As the site codes it.
        exam_display: The exam's name in words.
        indication: Why it was ordered.
        date: ISO 8601, of the report: a day, or a month once de-identified.
        patient_key: Salted hash; None where the source names no patient.
        style: How the site wants it written, for the prompt.
    """

    report_id: str
    site: str = "unknown"
    language: str = "en"
    findings: str = field(default="", repr=False)
    impression: str = field(default="", repr=False)
    modality: Modality | None = None
    region: Region | None = None
    exam_code: str | None = None
    exam_display: str | None = None
    indication: str | None = field(default=None, repr=False)
    date: str | None = field(default=None, repr=False)
    patient_key: str | None = None
    style: str | None = None


class Pseudonyms:
    """Makes keys that say who belongs together and not who it is.

    HMAC-SHA256 under a secret salt: without the salt nobody can try all record numbers.
    """

    def __init__(self, salt: bytes) -> None:
        self._salt = salt

    def of(self, *identity: str) -> str:
        """Return the key of an identity, such as (assigning authority, record number)."""
        # JSON keeps ("a", "bc") and ("ab", "c") apart.
        told = json.dumps(identity).encode("ascii")
        return hmac.new(self._salt, told, hashlib.sha256).hexdigest()[:KEY_HEX_DIGITS]


def read_corpus(path: Path) -> Iterator[CorpusRow]:
    """Read a corpus file, one row after the other.

    Raises:
        CorpusUnreadableError: A line is no row; ``where`` is its number. Or the file is not there.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="\n") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _parse_line(line, number)
    except OSError as error:
        reason = f"cannot_read_file ({type(error).__name__})"
        raise CorpusUnreadableError(reason, str(path)) from None


def _parse_line(line: str, number: int) -> CorpusRow:
    try:
        return parse_row(json.loads(line), number)
    except (ValueError, RecursionError):
        raise CorpusUnreadableError("row_not_json", f"line {number}") from None


def parse_row(told: Mapping[str, Any], number: int) -> CorpusRow:
    """Make a row of a JSON object; ``number`` is its line.

    Raises:
        CorpusUnreadableError: It has no ``report_id``, or a value of the wrong kind.
    """
    where = f"line {number}"
    if not isinstance(told, dict) or not isinstance(told.get("report_id"), str):
        raise CorpusUnreadableError("report_id_missing", where)
    texts = {name: told[name] for name in ("report_id", *_TEXTS) if told.get(name) is not None}
    for name, value in texts.items():
        if not isinstance(value, str):
            raise CorpusUnreadableError("value_not_text", f"{where}, {name}")
        # JSON can escape half a character, which no tokeniser takes and no file holds.
        texts[name] = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    modality, region = told.get("modality"), told.get("region")
    try:
        return CorpusRow(
            modality=None if modality is None else Modality(modality),
            region=None if region is None else Region(region),
            **texts,
        )
    except ValueError:
        raise CorpusUnreadableError("modality_or_region_unknown", where) from None


def render_row(row: CorpusRow) -> str:
    """Return the row's line in a corpus file, with its line feed."""
    return json.dumps(asdict(row), ensure_ascii=False) + "\n"


def open_private(path: Path) -> TextIO:
    """Open a file for writing that only its owner can read: it may hold patient data."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):  # and not /dev/null, which is everybody's
        os.fchmod(descriptor, OWNER_ONLY)  # the file may have been there before
    return os.fdopen(descriptor, "w", encoding="utf-8", errors="replace", newline="\n")


def write_corpus_file(path: Path, rows: Iterable[CorpusRow]) -> int:
    """Write rows to a file of their own; return their number."""
    count = 0
    with open_private(path) as file:
        for row in rows:
            file.write(render_row(row))
            count += 1
    return count

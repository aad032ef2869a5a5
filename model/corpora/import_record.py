"""What an import read, passed over and took out, in numbers: the record that goes with a corpus.

It names its corpus by sha256, so that it is never laid beside another one, and holds no text.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from model.corpora.messages import Passed
    from model.deidentify import Changes

VERSION = "import/1"
SUFFIX = ".import.json"
CARRIED = "import.json"
"""Its name in a folder that was made of the corpus."""


@dataclass(frozen=True, slots=True)
class ImportRecord:
    """The account of one import.

    Attributes:
        sha256: Of the corpus file.
        read: Reports read, those passed over with them.
        rows: Reports written.
        passed_over: Reports by the reason why they are not in the corpus.
        is_deidentified: Texts went through ``model/deidentify.py``.
        deidentified: Marks put into texts, by their kind.
        changed_rows: Reports with at least one mark; older versions that were passed over count.
    """

    sha256: str
    read: int
    rows: int
    passed_over: dict[str, int]
    is_deidentified: bool
    deidentified: dict[str, int]
    changed_rows: int

    def as_dict(self) -> dict[str, Any]:
        """Return the record for JSON."""
        return {"version": VERSION} | asdict(self)


def make_record(corpus: Path, rows: int, passed: Passed, changes: Changes | None) -> ImportRecord:
    """Make the record of a corpus that has just been written.

    Args:
        corpus: Its file.
        rows: Reports in it.
        passed: What is not in it, and why.
        changes: What was taken out of its texts; None where nothing was to be.
    """
    return ImportRecord(
        sha256=digest_of_file(corpus),
        read=rows + sum(passed.reasons.values()),
        rows=rows,
        passed_over=dict(sorted(passed.reasons.items())),
        is_deidentified=changes is not None,
        deidentified={} if changes is None else dict(sorted(changes.finds.items())),
        changed_rows=0 if changes is None else changes.rows,
    )


def write_record(corpus: Path, record: ImportRecord) -> Path:
    """Write the record beside its corpus; return where."""
    path = _beside(corpus)
    path.write_text(json.dumps(record.as_dict(), indent=2) + "\n", encoding="utf-8")
    return path


def carry_record(corpus: Path, folder: Path, sha256s: Collection[str]) -> bool:
    """Lay the record of a corpus into a folder that was made of it.

    Args:
        corpus: The file; its record lies beside it, or was carried into its folder before.
        folder: Where to.
        sha256s: Of the corpus, and of what it was cleaned from: a record of another file stays.

    Returns:
        Whether there was one.
    """
    for path in (_beside(corpus), corpus.with_name(CARRIED)):
        if path.is_file():
            told = path.read_bytes()
            named = _named_in(told)
            if named is not None and named in sha256s:
                (folder / CARRIED).write_bytes(told)
                return True
    return False


def digest_of_file(path: Path) -> str:
    """Return the sha256 of a file, which may be larger than memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _beside(corpus: Path) -> Path:
    return corpus.with_name(f"{corpus.name}{SUFFIX}")


def _named_in(record: bytes) -> str | None:
    """Return the sha256 that a record names; None in somebody else's file of that name."""
    try:
        named = json.loads(record)["sha256"]
    except (ValueError, KeyError, TypeError):
        return None
    return named if isinstance(named, str) else None

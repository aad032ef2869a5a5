"""What an import read, passed over and took out, in numbers: the record that goes with a corpus.

It names its corpus by sha256, so that it is never laid beside another one, and holds no text. The
ledger of a cleaning goes the same way, and tells of a cleaned corpus what it was before.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from model.corpora.messages import Passed
    from model.deidentify import Changes

VERSION = "import/1"
SUFFIX = ".import.json"
CARRIED = "import.json"
"""Its name in a folder that was made of the corpus."""
LEDGER = "ledger.json"
"""Of ``prelim clean``, beside what it kept."""


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
    path.write_text(_render(record.as_dict()), encoding="utf-8")
    return path


def origins_of(corpus: Path) -> list[str]:
    """Return the sha256 of a corpus and, where the ledger beside it says so, of what it was before.

    Ask before anything is written beside the corpus: a cleaning may go into its own folder.
    """
    digest = digest_of_file(corpus)
    ledger = _read_told(corpus.with_name(LEDGER))
    source = ledger.get("source_sha256")
    if ledger.get("kept_sha256") == digest and isinstance(source, str):
        return [digest, source]
    return [digest]


def carry_ledger(corpus: Path, folder: Path, origins: Sequence[str]) -> None:
    """Lay the ledger of a corpus's cleaning into a folder that was made of it.

    Args:
        corpus: The file.
        folder: Where to; the ledger of another corpus that it had is taken away.
        origins: From ``origins_of``.
    """
    if len(origins) > 1:
        (folder / LEDGER).write_bytes(corpus.with_name(LEDGER).read_bytes())
    else:
        _remove_stale(corpus, folder / LEDGER, "cleaning/")


def carry_record(corpus: Path, folder: Path, origins: Sequence[str]) -> bool:
    """Lay the record of a corpus into a folder that was made of it.

    A corpus that was cleaned is written down in it as ``through``, so that it is known again when
    it was cleaned twice: a ledger tells one step alone.

    Args:
        corpus: The file; its record lies beside it, or was carried into its folder before.
        folder: Where to; the record of another corpus that it had is taken away.
        origins: From ``origins_of``: a record that names none of them stays.

    Returns:
        Whether there was one.
    """
    for path in (_beside(corpus), corpus.with_name(CARRIED)):
        record = _read_told(path)
        named = _named_in(record)
        if not named.isdisjoint(origins):
            if origins[0] not in named:
                record["through"] = [*_through(record), origins[0]]
            (folder / CARRIED).write_text(_render(record), encoding="utf-8")
            return True
    _remove_stale(corpus, folder / CARRIED, "import/")
    return False


def digest_of_file(path: Path) -> str:
    """Return the sha256 of a file, which may be larger than memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _beside(corpus: Path) -> Path:
    return corpus.with_name(f"{corpus.name}{SUFFIX}")


def _render(record: dict[str, Any]) -> str:
    return json.dumps(record, indent=2) + "\n"


def _read_told(path: Path) -> dict[str, Any]:
    """Return what a record or a ledger tells; nothing where it is not there, or somebody else's."""
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _named_in(record: dict[str, Any]) -> set[str]:
    """Return every sha256 that a record names; none in somebody else's file of that name."""
    return {one for one in (record.get("sha256"), *_through(record)) if isinstance(one, str)}


def _through(record: dict[str, Any]) -> list[Any]:
    told = record.get("through")
    return told if isinstance(told, list) else []


def _remove_stale(corpus: Path, path: Path, version: str) -> None:
    """Take away a file of ours that tells of another corpus than the one beside it now."""
    is_own_folder = path.parent.resolve() == corpus.parent.resolve()
    if not is_own_folder and str(_read_told(path).get("version")).startswith(version):
        path.unlink()

"""Drafts of one writer for one institution, in pieces that a run that was cut off goes on from.

Drafts are kept for their owner alone: they say what patients have. The file's first line tells what
they were made of; another adapter, recipe or report makes it worthless, and it is written anew.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from model.corpora.asking import prompt_of, write_impressions
from model.corpora.schema import open_private
from model.costs import Cost, Meter, summed
from model.transfer.pace import Pace, measure_alone

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from model.corpora.asking import Writer
    from model.corpora.schema import CorpusRow
    from model.prompt import PromptPlan

CHUNK_REPORTS = 64


@dataclass(frozen=True, slots=True)
class Drafted:
    """A text for each report, None for one too long, and what writing them together took."""

    drafts: tuple[str | None, ...] = field(repr=False)
    pace: Pace


def key_of(*parts: str) -> str:
    """Return one sha256 of what drafts are made of."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def draft_reports(
    rows: Sequence[CorpusRow],
    load: Callable[[], Writer],
    plan: PromptPlan,
    *,
    file: Path,
    key: str,
    report: Callable[[int, int], None] = lambda *_: None,
) -> Drafted:
    """Draft for each report, taking what ``file`` has already.

    Args:
        rows: One or more.
        load: Gives the writer; not called where nothing is left to write.
        plan: What a prompt tells.
        file: Where drafts are kept.
        key: What they are made of.
        report: Called with the number of reports that are done, and of all.
    """
    chunks = _kept(file, key)
    with open_private(file) as kept:  # without a last line that was cut off
        kept.writelines(_line(told) for told in ({"key": key}, *chunks))
    done = sum(len(chunk["drafts"]) for chunk in chunks)
    report(done, len(rows))
    while done < len(rows):
        chunk = _write(rows[done : done + CHUNK_REPORTS], load(), plan)
        with file.open("a", encoding="utf-8") as kept:
            kept.write(_line(chunk))
        chunks.append(chunk)
        done += len(chunk["drafts"])
        report(done, len(rows))
    drafts = tuple(draft for chunk in chunks for draft in chunk["drafts"])
    tokens = sum(chunk["tokens"] for chunk in chunks)
    usage = summed([Cost(**chunk["usage"]) for chunk in chunks])
    return Drafted(drafts, Pace(len(drafts) - drafts.count(None), tokens, usage))


def pace_alone(
    rows: Sequence[CorpusRow],
    load: Callable[[], Writer],
    plan: PromptPlan,
    file: Path,
    key: str,
) -> tuple[Pace, int]:
    """Time the writer on one report after the other, or read what was measured before.

    Returns:
        The pace, and the numbers of the model.
    """
    kept = _objects(file)
    if not (kept and kept[0].get("key") == key):
        writer = load()

        def write(row: CorpusRow) -> int:
            return writer.count_tokens(writer.write([prompt_of(row, plan)])[0][0])

        write(rows[0])  # what is made at the first call belongs to no report
        told = {"key": key, "parameters": writer.parameters, **asdict(measure_alone(write, rows))}
        file.write_text(_line(told), encoding="utf-8")
        kept = [told]
    fields = {name: value for name, value in kept[0].items() if name not in {"key", "parameters"}}
    return Pace(**{**fields, "usage": Cost(**fields["usage"])}), kept[0]["parameters"]


def _write(rows: Sequence[CorpusRow], writer: Writer, plan: PromptPlan) -> dict[str, Any]:
    meter = Meter()
    drafts = write_impressions(rows, plan, writer)
    usage = meter.read()
    tokens = sum(writer.count_tokens(draft) for draft in drafts if draft is not None)
    return {"drafts": drafts, "tokens": tokens, "usage": asdict(usage)}


def _kept(file: Path, key: str) -> list[dict[str, Any]]:
    """Return the pieces that are there and were made of the same."""
    told = _objects(file)
    return told[1:] if told and told[0].get("key") == key else []


def _line(told: dict[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False) + "\n"


def _objects(file: Path) -> list[dict[str, Any]]:
    """Read whole lines; the last may have been cut off."""
    if not file.is_file():
        return []
    found: list[dict[str, Any]] = []
    for line in file.read_text(encoding="utf-8").split("\n"):
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found

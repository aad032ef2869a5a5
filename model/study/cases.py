"""The cases that a reader study draws from: a report, the model's impression and the reference.

Reads JSON lines as ``prelim evaluate --drafts`` writes them: ``report_id``, ``findings``,
``reference``, ``draft``, and where there are ``system``, ``site``, ``modality``, ``indication``.
Both texts of a case are laid out alike, so that no line break tells who wrote them; not a word is
changed.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from model.errors import StudyInputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

Source = Literal["model", "reference"]
SOURCES: tuple[Source, Source] = ("model", "reference")
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Case:
    """One report with the two impressions to be judged."""

    case_id: str = field(repr=False)
    site: str
    modality: str
    findings: str = field(repr=False)
    draft: str = field(repr=False)
    reference: str = field(repr=False)
    indication: str = field(default="", repr=False)

    @property
    def stratum(self) -> tuple[str, str]:
        """Site and modality."""
        return self.site, self.modality

    def text_of(self, source: Source) -> str:
        """Return the impression that a source wrote."""
        return self.draft if source == "model" else self.reference


@dataclass(frozen=True, slots=True)
class Cases:
    """What a file holds."""

    usable: tuple[Case, ...]
    without_text: int
    """Cases left out because findings, draft or reference is empty: their source would show."""


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    report_id: str
    findings: str
    reference: str
    draft: str
    system: str = ""
    site: str | None = None
    modality: str | None = None
    indication: str | None = None


def read_cases(path: Path, system: str | None = None) -> Cases:
    """Read the drafts of one system.

    Args:
        path: JSON lines.
        system: Whose drafts, where the file holds those of several.

    Returns:
        The cases that can be judged.

    Raises:
        StudyInputError: A line is not such a row, a report comes twice, or it must be said which
            system is meant; ``where`` is the line and field.
    """
    rows = list(_rows(path))
    systems = {row.system for _, row in rows}
    if system is None and len(systems) > 1:
        raise StudyInputError("several_systems_say_which", "--system")
    if system is not None and system not in systems:
        raise StudyInputError("no_such_system", "--system")
    chosen = [(line, row) for line, row in rows if system in {None, row.system}]
    seen = Counter(row.report_id for _, row in chosen)
    for line, row in chosen:
        if seen[row.report_id] > 1:
            raise StudyInputError("report_comes_twice", f"line {line}.report_id")
    cases = [_case(row) for _, row in chosen]
    usable = tuple(case for case in cases if case.findings and case.draft and case.reference)
    return Cases(usable, len(cases) - len(usable))


def _rows(path: Path) -> Iterator[tuple[int, _Row]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StudyInputError(f"cannot_read_file ({type(error).__name__})", str(path)) from None
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, _row(line, number)


def _row(line: str, number: int) -> _Row:
    try:
        told: Any = json.loads(line)
    except ValueError:
        raise StudyInputError("not_json", f"line {number}") from None
    try:
        return _Row.model_validate(told)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field_path = ".".join(str(part) for part in first["loc"])
        where = f"line {number}.{field_path}" if field_path else f"line {number}"
        raise StudyInputError(first["type"], where) from None


def _case(row: _Row) -> Case:
    return Case(
        case_id=row.report_id,
        site=(row.site or "").strip() or UNKNOWN,
        modality=(row.modality or "").strip() or UNKNOWN,
        findings=lay_out(row.findings),
        draft=lay_out(row.draft),
        reference=lay_out(row.reference),
        indication=lay_out(row.indication or ""),
    )


def lay_out(text: str) -> str:
    """Give every text the same layout: one form of each letter, single blanks, no empty lines."""
    lines = unicodedata.normalize("NFC", text).splitlines()
    return "\n".join(line for line in (" ".join(one.split()) for one in lines) if line)


def by_stratum(cases: Sequence[Case]) -> dict[tuple[str, str], list[Case]]:
    """Return the cases of each site and modality, strata in order of their names."""
    strata: dict[tuple[str, str], list[Case]] = {}
    for case in sorted(cases, key=lambda one: (one.stratum, one.case_id)):
        strata.setdefault(case.stratum, []).append(case)
    return strata

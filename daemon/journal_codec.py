"""The journal's text forms: times, StudyReport, EngineIdentity, and text SQLite can keep.

Stored for years: a field may be added with a default, never renamed. Times are UTC with
microseconds, always the same length, so that text order is time order.
"""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mappings.domain import (
    Companion,
    EngineIdentity,
    Exam,
    Identifier,
    Laterality,
    LinkedExam,
    Modality,
    Region,
    ReportStatus,
    Sections,
    Standard,
    StudyReport,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


def storable(text: str) -> str:
    r"""Return ``text`` with lone surrogates written out as ``\udcXX``: UTF-8 cannot hold them."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


@lru_cache(maxsize=64)  # all of one transaction have its time
def time_text(moment: datetime) -> str:
    """Return an aware time as sortable text."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def time_of(text: str) -> datetime:
    """Read what ``time_text`` wrote."""
    return datetime.fromisoformat(text)


def encode_study(study: StudyReport) -> str:
    """Return a report as JSON (ASCII, so that any text survives)."""
    return _to_json(study)


def decode_study(text: str) -> StudyReport:
    """Read what ``encode_study`` wrote."""
    stored: dict[str, Any] = json.loads(text)
    status = stored["report_status"]
    numbers = ("patient", "accession_number", "placer_order_number", "filler_order_number")
    return StudyReport(
        **stored
        | {name: _identifier(stored[name]) for name in numbers}
        | {
            "standard": Standard(stored["standard"]),
            "results_interpreter": _identifier(stored.get("results_interpreter")),
            "exam": _exam(stored["exam"]),
            "report_status": None if status is None else ReportStatus(status),
            "sections": _sections(stored["sections"]),
            "linked_exams": tuple(map(_linked_exam, stored.get("linked_exams", ()))),
            "documents": tuple(stored.get("documents", ())),
            "warnings": tuple(stored.get("warnings", ())),
        }
    )


def _to_json(value: StudyReport | EngineIdentity) -> str:
    # dataclasses.asdict copies every leaf: a quarter of the writer's time.
    return json.dumps(value, default=_by_field, separators=(",", ":"))


def _by_field(value: Any) -> dict[str, Any]:  # noqa: ANN401 - any dataclass that JSON meets
    return {each.name: getattr(value, each.name) for each in fields(value)}


def _identifier(stored: dict[str, Any] | None) -> Identifier | None:
    return None if stored is None else Identifier(**stored)


def _sections(stored: dict[str, Any]) -> Sections:
    spans = stored.get("spans", {})
    read = {name: tuple(map(tuple, spans[name])) for name in spans}
    return Sections(**stored | {"spans": read})


def _linked_exam(stored: dict[str, Any]) -> LinkedExam:
    numbers = ("accession_number", "filler_order_number")
    return LinkedExam(
        **stored
        | {name: _identifier(stored[name]) for name in numbers}
        | {"exam": _exam(stored["exam"])}
    )


def _exam(stored: dict[str, Any]) -> Exam:
    kinds = {"modality": Modality, "region": Region, "laterality": Laterality}
    read = {name: kind(stored[name]) for name, kind in kinds.items() if stored.get(name)}
    return Exam(**stored | read)


def encode_companions(companions: Sequence[Companion]) -> str:
    """Return a draft's further resources as JSON; their bodies are JSON text themselves."""
    return json.dumps([[each.resource_type, each.id, each.body.decode()] for each in companions])


def decode_companions(text: str) -> tuple[Companion, ...]:
    """Read what ``encode_companions`` wrote: the very bytes of each body."""
    return tuple(Companion(kind, id_, body.encode()) for kind, id_, body in json.loads(text))


def encode_engine(engine: EngineIdentity) -> str:
    """Return what wrote a draft as JSON."""
    return _to_json(engine)


def decode_engine(text: str) -> EngineIdentity:
    """Read what ``encode_engine`` wrote."""
    return EngineIdentity(**json.loads(text))

"""What the embedded store can be asked for: parameters to index rows, and to SQL.

A parameter that is not known is refused, never ignored: an ignored one would answer a question
about one patient with all of them, and would make a conditional create match what it should not.

Standard: FHIR R4 Search (token, reference and date parameters; ``:identifier`` modifier).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime, timedelta
from typing import TYPE_CHECKING

from interfaces.errors import RequestRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_EVERY = {"_id": "id", "_tag": "meta.tag", "_security": "meta.security"}
_DATES_OF_EVERY = {"_lastUpdated": "meta.lastUpdated"}
_SUBJECT = {
    "subject": "subject",
    "subject:identifier": "subject.identifier",
    "patient": "subject",
    "patient:identifier": "subject.identifier",
}
_TOKENS = {
    "Observation": {
        **_EVERY,
        **_SUBJECT,
        "identifier": "identifier",
        "status": "status",
        "code": "code",
        "category": "category",
        "based-on": "basedOn",
        "based-on:identifier": "basedOn.identifier",
    },
    "Provenance": {**_EVERY, "target": "target"},
    "Device": {**_EVERY, "identifier": "identifier", "type": "type"},
}
_DATES = {
    "Observation": {**_DATES_OF_EVERY, "date": "effectiveDateTime"},
    "Provenance": {**_DATES_OF_EVERY, "recorded": "recorded"},
    "Device": _DATES_OF_EVERY,
}
_IGNORED = frozenset({"_format", "_pretty"})
_DATE = re.compile(r"(eq|ge|le|gt|lt)?(\d{4}(?:-\d{2}(?:-\d{2}(?:T\S+)?)?)?)")
# Clause, and which ends of the asked period it takes (R4 Search, prefixes).
_COMPARISONS = {
    "eq": ("start_s >= ? AND end_s <= ?", (0, 1)),
    "ge": ("end_s > ?", (0,)),
    "gt": ("end_s > ?", (1,)),
    "le": ("start_s < ?", (1,)),
    "lt": ("start_s < ?", (0,)),
}
COUNT_DEFAULT = 50
COUNT_MAX = 500


@dataclass(frozen=True, slots=True)
class Query:
    """A search as SQL over ``resource AS r``."""

    where: str
    values: tuple[object, ...]
    count: int
    offset: int


def parameters(kind: str) -> list[tuple[str, str]]:
    """Return name and type of each search parameter of a resource type."""
    tokens = [(name, "token") for name in _TOKENS[kind] if ":" not in name]
    return tokens + [(name, "date") for name in _DATES[kind]]


def token_rows(resource: Mapping[str, object]) -> Iterator[tuple[str, str | None, str]]:
    """Yield parameter, system and code of everything that a token search can find."""
    for name, path in _TOKENS[str(resource["resourceType"])].items():
        for found in _walk(resource, path.split(".")):
            for system, code in _tokens(found):
                yield name, system, code


def date_rows(resource: Mapping[str, object]) -> Iterator[tuple[str, float, float]]:
    """Yield parameter, first second and the second after the last of each date."""
    for name, path in _DATES[str(resource["resourceType"])].items():
        for found in _walk(resource, path.split(".")):
            if isinstance(found, str):
                yield name, *_period_s(found)


def parse_query(kind: str, query: Sequence[tuple[str, str]]) -> Query:
    """Turn search parameters into SQL.

    Args:
        kind: A known resource type.
        query: Names and values, decoded.

    Returns:
        Clauses joined by AND; values are bound, never pasted.

    Raises:
        RequestRefusedError: 400, a parameter is not known or its value is none.
    """
    clauses: list[str] = ["r.type = ?", "r.is_current"]
    values: list[object] = [kind]
    numbers = {"_count": COUNT_DEFAULT, "_offset": 0}
    for name, value in query:
        if name in numbers:
            numbers[name] = _number(name, value)
        elif name in _TOKENS[kind]:
            clauses.append(_token_clause(kind, name, value, values))
        elif name in _DATES[kind]:
            clauses.append(_date_clause(kind, name, value, values))
        elif name not in _IGNORED:
            raise RequestRefusedError(400, "not-supported", "search_parameter_unknown")
    return Query(
        " AND ".join(clauses), tuple(values), min(numbers["_count"], COUNT_MAX), numbers["_offset"]
    )


def _walk(value: object, path: Sequence[str]) -> Iterator[object]:
    if isinstance(value, list):
        for item in value:
            yield from _walk(item, path)
    elif not path:
        yield value
    elif isinstance(value, dict) and path[0] in value:
        yield from _walk(value[path[0]], path[1:])


def _tokens(value: object) -> Iterator[tuple[str | None, str]]:
    if isinstance(value, str):
        yield None, value
    if not isinstance(value, dict):
        return
    for code in value.get("coding", []):
        yield from _tokens(code)
    for name in ("code", "value", "reference"):
        if isinstance(value.get(name), str):
            yield value.get("system"), value[name]


def _token_clause(kind: str, name: str, value: str, values: list[object]) -> str:
    choices: list[str] = []
    values.extend([kind, name])
    for choice in value.split(","):
        system, bar, code = choice.rpartition("|")
        parts = ["code = ?"] if code else []
        values.extend([code] if code else [])
        if bar:
            parts.append("system IS ?")
            values.append(system or None)
        if not parts:
            raise RequestRefusedError(400, "invalid", "search_value_empty", name)
        choices.append(f"({' AND '.join(parts)})")
    any_of = " OR ".join(choices)
    found = "SELECT id FROM token WHERE type = ? AND param = ? AND"
    return f"r.id IN ({found} ({any_of}))"


def _date_clause(kind: str, name: str, value: str, values: list[object]) -> str:
    match = _DATE.fullmatch(value)
    if match is None:
        raise RequestRefusedError(400, "invalid", "search_date_invalid", name)
    try:
        period = _period_s(match[2])
    except ValueError:
        raise RequestRefusedError(400, "invalid", "search_date_invalid", name) from None
    clause, ends = _COMPARISONS[match[1] or "eq"]
    values.extend([kind, name, *(period[end] for end in ends)])
    found = "SELECT id FROM moment WHERE type = ? AND param = ? AND"
    return f"r.id IN ({found} {clause})"


def _period_s(text: str) -> tuple[float, float]:
    """Return the seconds that a date of any precision covers: start, and the one after its end."""
    year_only, month_only, day_only = 4, 7, 10
    if len(text) > day_only:
        moment = datetime.fromisoformat(text)
        start = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        start_s = start.timestamp()
        return start_s, start_s + (0.001 if "." in text else 1.0)
    start = datetime.fromisoformat(text + "-01-01"[len(text) - year_only :]).replace(tzinfo=UTC)
    if start.year == MAXYEAR:  # nothing comes after it: some systems write it for "no date"
        end = datetime.max.replace(tzinfo=UTC)
    elif len(text) == year_only:
        end = start.replace(year=start.year + 1)
    elif len(text) == month_only:
        end = (start + timedelta(days=31)).replace(day=1)
    else:
        end = start + timedelta(days=1)
    return start.timestamp(), end.timestamp()


def _number(name: str, value: str) -> int:
    if not value.isascii() or not value.isdigit():
        raise RequestRefusedError(400, "invalid", "search_value_invalid", name)
    return int(value[:9])

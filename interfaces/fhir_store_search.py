"""What the embedded store can be asked for: parameters to index rows, and to SQL.

A parameter that is not known is refused, never ignored: an ignored one would answer a question
about one patient with all of them, and would make a conditional create match what it should not.
Only who asks for it (``Prefer: handling=lenient``) has it ignored, and is told.

Standard: FHIR R4 Search (token, reference and date parameters; ``:identifier`` modifier and the
chain to it; ``_sort``, ``_count``).
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime, timedelta
from typing import TYPE_CHECKING

from interfaces.errors import RequestRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_EVERY = {"_id": "id", "_tag": "meta.tag", "_security": "meta.security"}
_DATES_OF_EVERY = {"_lastUpdated": "meta.lastUpdated"}


def _reference(name: str, element: str) -> dict[str, str]:
    """Return the ways to ask for a reference: itself, and what it is known by elsewhere."""
    by_identifier = f"{element}.identifier"
    return {
        name: element,
        f"{name}:identifier": by_identifier,
        f"{name}.identifier": by_identifier,
    }


_TOKENS = {
    "Observation": {
        **_EVERY,
        **_reference("subject", "subject"),
        **_reference("patient", "subject"),
        **_reference("based-on", "basedOn"),
        **_reference("part-of", "partOf"),
        "identifier": "identifier",
        "status": "status",
        "code": "code",
        "category": "category",
    },
    "Provenance": {**_EVERY, "target": "target"},
    "Device": {**_EVERY, "identifier": "identifier", "type": "type"},
    "Task": {
        **_EVERY,
        **_reference("patient", "for"),
        **_reference("based-on", "basedOn"),
        "identifier": "identifier",
        "status": "status",
        "focus": "focus",
    },
    "AuditEvent": {**_EVERY, "type": "type", "entity": "entity.what"},
}
_DATES = {
    "Observation": {**_DATES_OF_EVERY, "date": "effectiveDateTime"},
    "Provenance": {**_DATES_OF_EVERY, "recorded": "recorded"},
    "Task": {**_DATES_OF_EVERY, "authored-on": "authoredOn"},
    "AuditEvent": {**_DATES_OF_EVERY, "date": "recorded"},
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
_UNESCAPED_COMMA = re.compile(r"(?<!\\),")
_NEVER_S = -1e15
"""Sorts what has no such date; earlier than year 1."""
VALUES_MAX = 200
"""In one search: SQLite takes no expression of any depth."""
COUNT_DEFAULT = 50
COUNT_MAX = 500
CURSOR = "_cursor"
"""Ours: where the page before ended."""


@dataclass(frozen=True, slots=True)
class Query:
    """A search as SQL over ``resource AS r``.

    ``order`` is the expression that sorts, beside the id; ``after`` what the page before ended
    with. ``ignored`` are the parameters that a lenient search did not know.
    """

    where: str
    values: tuple[object, ...]
    count: int
    order: str
    is_descending: bool
    after: tuple[object, str] | None
    ignored: tuple[str, ...]

    @property
    def following(self) -> str:
        """The clause that passes over the pages before; takes the two values of ``after``."""
        return f"({self.order}, r.id) {'<' if self.is_descending else '>'} (?, ?)"

    @property
    def direction(self) -> str:
        """SQL's word for the direction."""
        return "DESC" if self.is_descending else "ASC"


def tokens_of(kind: str) -> Mapping[str, str]:
    """Return the token and reference parameters of a type, modifiers and chains included."""
    return _TOKENS.get(kind, _EVERY)


def parameters(kind: str) -> list[tuple[str, str]]:
    """Return name and type of each search parameter of a resource type."""
    tokens = tokens_of(kind)
    named = [name for name in tokens if ":" not in name and "." not in name]
    kinds = [(name, "reference" if f"{name}:identifier" in tokens else "token") for name in named]
    return kinds + [(name, "date") for name in _DATES.get(kind, _DATES_OF_EVERY)]


def token_rows(resource: Mapping[str, object]) -> Iterator[tuple[str, str | None, str]]:
    """Yield parameter, system and code of everything that a token search can find."""
    for name, path in tokens_of(str(resource["resourceType"])).items():
        for found in _walk(resource, path.split(".")):
            for system, code in _tokens(found):
                yield name, system, code


def date_rows(resource: Mapping[str, object]) -> Iterator[tuple[str, float, float]]:
    """Yield parameter, first second and the second after the last of each date."""
    for name, path in _DATES.get(str(resource["resourceType"]), _DATES_OF_EVERY).items():
        for found in _walk(resource, path.split(".")):
            if isinstance(found, str):
                yield name, *_period_s(found)


def matches(resource: Mapping[str, object], query: Sequence[tuple[str, str]]) -> bool:
    """Tell whether a resource is what token parameters ask for.

    Args:
        resource: Of a type whose token parameters are all that ``query`` names.
        query: All of them must hold.

    Raises:
        RequestRefusedError: 400, a value is none.
    """
    rows = set(token_rows(resource))
    return all(
        any(
            row_name == name
            and (code is None or row_code == code)
            and (not has_system or row_system == system)
            for row_name, row_system, row_code in rows
            for system, code, has_system in _choices(name, value)
        )
        for name, value in query
    )


def parse_query(kind: str, query: Sequence[tuple[str, str]], *, is_lenient: bool = False) -> Query:
    """Turn search parameters into SQL.

    Args:
        kind: A known resource type.
        query: Names and values, decoded.
        is_lenient: Ignore what is not known.

    Returns:
        Clauses joined by AND; values are bound, never pasted.

    Raises:
        RequestRefusedError: 400, a parameter is not known or its value is none.
    """
    clauses: list[str] = ["r.type = ?", "r.is_current"]
    values: list[object] = [kind]
    shape: dict[str, str] = {}
    ignored: list[str] = []
    if sum(len(_UNESCAPED_COMMA.split(value)) for _, value in query) > VALUES_MAX:
        raise RequestRefusedError(400, "too-costly", "too_many_values")
    for name, value in query:
        if name in {"_count", "_sort", CURSOR}:
            shape[name] = value
        elif name in tokens_of(kind):
            clauses.append(_token_clause(kind, name, value, values))
        elif name in _DATES.get(kind, _DATES_OF_EVERY):
            clauses.append(_date_clause(kind, name, value, values))
        elif name not in _IGNORED:
            if not is_lenient:
                raise RequestRefusedError(400, "not-supported", "search_parameter_unknown")
            ignored.append(name)
    order, is_descending = _order(kind, shape.get("_sort", "-_lastUpdated"))
    count = _number("_count", shape["_count"]) if "_count" in shape else COUNT_DEFAULT
    return Query(
        where=" AND ".join(clauses),
        values=tuple(values),
        count=min(count, COUNT_MAX),
        order=order,
        is_descending=is_descending,
        after=read_cursor(shape[CURSOR]) if CURSOR in shape else None,
        ignored=tuple(ignored),
    )


def make_cursor(key: object, id_: str) -> str:
    """Write down where a page ends: the key that it is sorted by, and the last id."""
    return base64.urlsafe_b64encode(json.dumps([key, id_]).encode()).decode()


def read_cursor(text: str) -> tuple[object, str]:
    """Read what ``make_cursor`` wrote.

    Raises:
        RequestRefusedError: 400, it did not.
    """
    try:
        key, id_ = json.loads(base64.b64decode(text.encode(), b"-_", validate=True))
        f"{key}{id_}".encode()  # half a surrogate pair is no text for SQL
    except (ValueError, TypeError, RecursionError):
        raise RequestRefusedError(400, "invalid", "search_value_invalid", CURSOR) from None
    if not isinstance(key, str | float) or not isinstance(id_, str):
        raise RequestRefusedError(400, "invalid", "search_value_invalid", CURSOR)
    return key, id_


def _order(kind: str, sort: str) -> tuple[str, bool]:
    name = sort.removeprefix("-")
    if name not in _DATES.get(kind, _DATES_OF_EVERY):
        raise RequestRefusedError(400, "not-supported", "search_sort_unknown", "_sort")
    if name == "_lastUpdated":
        return "r.updated_at", sort.startswith("-")
    # The name is one of this file's, so it may be pasted.
    earliest = (
        f"SELECT min(start_s) FROM moment WHERE type = r.type AND id = r.id AND param='{name}'"  # noqa: S608 - a name of ours
    )
    return f"coalesce(({earliest}), {_NEVER_S})", sort.startswith("-")


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
    for name in ("code", "value"):
        if isinstance(value.get(name), str):
            yield value.get("system"), value[name]
    reference = value.get("reference")
    if isinstance(reference, str):
        parts = reference.split("/")
        # ``Patient/7`` is found by ``7`` too, an absolute one by its last two parts too.
        yield from {(None, "/".join(parts[-length:])) for length in (1, 2, len(parts))}


def _choices(name: str, value: str) -> Iterator[tuple[str | None, str | None, bool]]:
    """Yield system, code and whether the system counts, of each of several values."""
    for choice in _UNESCAPED_COMMA.split(value):
        system, bar, code = choice.replace("\\,", ",").rpartition("|")
        if not code and not bar:
            raise RequestRefusedError(400, "invalid", "search_value_empty", name)
        yield system or None, code or None, bool(bar)


def _token_clause(kind: str, name: str, value: str, values: list[object]) -> str:
    choices: list[str] = []
    values.extend([kind, name])
    for system, code, has_system in _choices(name, value):
        parts = ["code = ?"] if code else []
        values.extend([code] if code else [])
        if has_system:
            parts.append("system IS ?")
            values.append(system)
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

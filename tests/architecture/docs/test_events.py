"""docs/EVENTS.md and the code name the same log events, with the same levels and keys."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from typing import TYPE_CHECKING

from daemon.logs import ALLOWED_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.architecture.source_tree import Tree


EventAndLevel = tuple[str, str]
LEVELS = {"info", "warning", "error"}
LOGGERS = {"log", "_log", "logger"}
NAME = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*\.[a-z0-9]+(_[a-z0-9]+)*")
CODE_SPAN = re.compile(r"`([^`]+)`")
BINDERS = {"bind", "bind_contextvars", "bound_contextvars"}


def logger_calls(tree: Tree) -> Iterator[tuple[str, str, ast.Call]]:
    """Yield every call of a logger's method: where it stands, the method and the call."""
    for path in tree.sources:
        for node in ast.walk(tree.parse(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value
                name = getattr(owner, "attr", None) or getattr(owner, "id", None)
                if name in LOGGERS or node.func.attr in BINDERS - {"bind"}:
                    yield f"{path}:{node.lineno}", node.func.attr, node


def events_in_code(tree: Tree) -> dict[EventAndLevel, set[str]]:
    """Return the keys of each (event, level)."""
    found: dict[EventAndLevel, set[str]] = defaultdict(set)
    for where, method, call in logger_calls(tree):
        if method in LEVELS:
            event = call.args[0] if call.args else None
            assert isinstance(event, ast.Constant), f"{where}: the event is not a literal"
            found[event.value, method] |= {str(keyword.arg) for keyword in call.keywords}
    return found


def events_in_docs(tree: Tree) -> dict[EventAndLevel, set[str]]:
    """Return the keys of each (event, level), from the table."""
    return {
        (CODE_SPAN.findall(event)[0], level): set(CODE_SPAN.findall(keys))
        for event, level, keys, _ in tree.rows("docs/EVENTS.md", "events")
    }


def row(event: EventAndLevel, keys: set[str]) -> str:
    """Return the first three cells that the table should have."""
    listed = ", ".join(f"`{key}`" for key in sorted(keys))
    return f"| `{event[0]}` | {event[1]} | {listed} |"


def test_each_event_stands_in_the_docs_as_it_is_logged(tree: Tree) -> None:
    code, docs = events_in_code(tree), events_in_docs(tree)

    wrong_rows = [
        row(event, code[event]) for event in sorted(code) if docs.get(event) != code[event]
    ]

    assert wrong_rows == []


def test_each_event_of_the_docs_is_logged_somewhere(tree: Tree) -> None:
    assert set(events_in_docs(tree)) - set(events_in_code(tree)) == set()


def test_an_event_is_told_of_once(tree: Tree) -> None:
    events = [event for event, *_ in tree.rows("docs/EVENTS.md", "events")]

    assert sorted(events) == sorted(set(events))


def test_an_event_is_named_for_an_area_and_what_has_happened(tree: Tree) -> None:
    assert [name for name, _ in events_in_code(tree) if not NAME.fullmatch(name)] == []


def test_a_log_line_has_only_keys_of_the_allow_list(tree: Tree) -> None:
    used = {
        f"{where} {keyword.arg or '**'}"
        for where, method, call in logger_calls(tree)
        if method in LEVELS | BINDERS
        for keyword in call.keywords
        if keyword.arg not in ALLOWED_KEYS
    }

    assert used == set()


def test_a_logger_has_no_other_method_than_the_three_levels(tree: Tree) -> None:
    others = {
        f"{where} {method}"
        for where, method, _ in logger_calls(tree)
        if method not in LEVELS | BINDERS
    }

    assert others == set()

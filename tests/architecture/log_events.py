"""The log events that the code writes, and those that docs/EVENTS.md tells of."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.architecture.source_tree import Tree

EventAndLevel = tuple[str, str]
LEVELS = {"info", "warning", "error"}
LOGGERS = {"log", "_log", "logger"}
BINDERS = {"bind", "bind_contextvars", "bound_contextvars"}
CODE_SPAN = re.compile(r"`([^`]+)`")


def logger_calls(tree: Tree) -> Iterator[tuple[str, str, ast.Call]]:
    """Yield every call of a logger's method: where it stands, the method and the call.

    Whatever has a method of a level's name is a logger, whatever it is called.
    """
    for path in tree.sources:
        for node in ast.walk(tree.parse(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner, method = node.func.value, node.func.attr
                name = getattr(owner, "attr", None) or getattr(owner, "id", None)
                if name in LOGGERS or method in LEVELS | BINDERS:
                    yield f"{path}:{node.lineno}", method, node


def hidden_log_calls(tree: Tree) -> Iterator[str]:
    """Yield where a logger's method is taken without calling it, as in ``report = log.error``."""
    for path in tree.sources:
        nodes = list(ast.walk(tree.parse(path)))
        called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
        taken = [node for node in nodes if isinstance(node, ast.Attribute) and node.attr in LEVELS]
        for node in taken:
            if id(node) not in called and getattr(node.value, "id", None) in LOGGERS:
                yield f"{path}:{node.lineno}"


def events_in_code(tree: Tree) -> dict[EventAndLevel, set[str]]:
    """Return the keys of each (event, level); several calls of one event add up."""
    found: dict[EventAndLevel, set[str]] = defaultdict(set)
    for where, method, call in logger_calls(tree):
        if method in LEVELS:
            event = call.args[0] if call.args else None
            assert isinstance(event, ast.Constant), f"{where}: the event is not a literal"
            found[str(event.value), method] |= {str(keyword.arg) for keyword in call.keywords}
    return found


def events_in_docs(tree: Tree) -> dict[EventAndLevel, set[str]]:
    """Return the keys of each (event, level), from the table of docs/EVENTS.md."""
    return {
        (CODE_SPAN.findall(event)[0], level): set(CODE_SPAN.findall(keys))
        for event, level, keys, _ in tree.rows("docs/EVENTS.md", "events")
    }

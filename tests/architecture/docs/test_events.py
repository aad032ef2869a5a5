"""docs/EVENTS.md and the code name the same log events; a line has only keys of the allow-list."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from daemon.logs import ALLOWED_KEYS
from tests.architecture.log_events import (
    LEVELS,
    events_in_code,
    events_in_docs,
    hidden_log_calls,
    logger_calls,
)

if TYPE_CHECKING:
    from tests.architecture.source_tree import Tree

NAME = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*\.[a-z0-9]+(_[a-z0-9]+)*")


def test_the_docs_tell_of_each_event_as_it_is_logged(tree: Tree) -> None:
    # To renew the table: make docs, then say when each new event comes.
    assert events_in_docs(tree) == events_in_code(tree)


def test_each_event_is_told_of_once_with_when_it_comes(tree: Tree) -> None:
    rows = tree.rows("docs/EVENTS.md", "events")
    events = [(event, level) for event, level, *_ in rows]

    assert sorted(events) == sorted(set(events))
    assert [event for event, _, _, when in rows if not when] == []


def test_an_event_is_named_for_an_area_and_what_has_happened(tree: Tree) -> None:
    assert [name for name, _ in events_in_code(tree) if not NAME.fullmatch(name)] == []


def test_no_event_is_logged_out_of_sight_of_these_tests(tree: Tree) -> None:
    assert list(hidden_log_calls(tree)) == []


def test_the_allow_list_has_the_keys_of_the_log_lines_and_no_other(tree: Tree) -> None:
    # One more would let a value through that nobody has judged.
    used = {
        keyword.arg or "**"
        for _, method, call in logger_calls(tree)
        if method in LEVELS
        for keyword in call.keywords
    }

    assert used == ALLOWED_KEYS


def test_a_logger_is_asked_for_nothing_but_the_three_levels(tree: Tree) -> None:
    # A key that is bound beforehand would be in the line, but not in the table; to bind none is to
    # look the settings up once.
    others = {
        f"{where} {method}"
        for where, method, call in logger_calls(tree)
        if method not in LEVELS and (method != "bind" or call.args or call.keywords)
    }

    assert others == set()

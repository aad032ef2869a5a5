"""Frames between the daemon and the process that writes its journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon import journal_wire
from daemon.audit import Head
from daemon.errors import JournalUnavailableError
from daemon.journal_commit import Outcome
from daemon.journal_wire import FrameReader, FrameWriter, Reply, code_digest

if TYPE_CHECKING:
    from pathlib import Path


def render(*values: object) -> bytes:
    frame = FrameWriter()
    for value in values:
        frame.add(value)
    return frame.render()


VALUES = st.one_of(st.none(), st.binary(max_size=300), st.lists(st.text(max_size=5), max_size=5))


@given(
    st.lists(st.lists(VALUES, max_size=4), max_size=4),
    st.lists(st.integers(1, 40), min_size=1, max_size=9),
)
def test_what_was_sent_comes_out_however_the_stream_is_cut(
    frames: list[list[object]], lengths: list[int]
) -> None:
    values = [value for frame in frames for value in frame]
    stream = b"".join(render(*frame) for frame in frames)
    reader, start, number = FrameReader(), 0, 0
    found: list[object] = []

    while start < len(stream):
        length = lengths[number % len(lengths)]
        found += list(reader.feed(stream[start : start + length]))
        start, number = start + length, number + 1

    assert found == values


def test_a_reply_tells_of_errors_as_they_were() -> None:
    error = JournalUnavailableError("disk_full", "SQLITE_FULL")
    reply = Reply([Outcome(7), Outcome(error=error)], Head(3, "ab"), has_failed=True)

    [found] = FrameReader().feed(render(reply))

    assert isinstance(found, Reply)
    assert (found.head, found.has_failed) == (Head(3, "ab"), True)
    assert found.outcomes[0] == Outcome(7)
    told = found.outcomes[1].error
    assert isinstance(told, JournalUnavailableError)
    assert (told.reason, told.where, str(told)) == (error.reason, error.where, str(error))


def test_what_stands_in_several_values_is_sent_once() -> None:
    payload = bytes(10_000)

    frame = render((payload, 1), (payload, 2))

    assert list(FrameReader().feed(frame)) == [(payload, 1), (payload, 2)]
    assert len(frame) < 11_000


def test_a_value_that_cannot_be_sent_leaves_those_before_it() -> None:
    frame = FrameWriter()
    frame.add("before")
    size = frame.size

    with pytest.raises((AttributeError, TypeError)):
        frame.add(["half", lambda: None])

    assert frame.size == size
    assert list(FrameReader().feed(frame.render())) == ["before"]


def test_the_digest_changes_with_the_code_and_with_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_wire, "files", lambda _: tmp_path)
    (tmp_path / "a.py").write_text("a = 1")
    first = code_digest()
    (tmp_path / "a.txt").write_text("words")
    beside = code_digest()
    (tmp_path / "a.py").write_text("a = 2")

    assert (beside == first, code_digest() == first) == (True, False)

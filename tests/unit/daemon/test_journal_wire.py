"""Frames between the daemon and the process that writes its journal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from daemon.audit import Head
from daemon.errors import JournalUnavailableError
from daemon.journal_commit import Outcome
from daemon.journal_wire import FrameReader, Reply, render_frame

VALUES = st.one_of(st.none(), st.binary(max_size=300), st.lists(st.text(max_size=5), max_size=5))


@given(st.lists(VALUES, max_size=6), st.lists(st.integers(1, 40), min_size=1, max_size=9))
def test_what_was_sent_comes_out_however_the_stream_is_cut(
    values: list[object], lengths: list[int]
) -> None:
    stream = b"".join(render_frame(value) for value in values)
    reader, found, start, number = FrameReader(), [], 0, 0

    while start < len(stream):
        length = lengths[number % len(lengths)]
        found += list(reader.feed(stream[start : start + length]))
        start, number = start + length, number + 1

    assert found == values


def test_a_reply_tells_of_errors_as_they_were() -> None:
    error = JournalUnavailableError("disk_full", "SQLITE_FULL")
    reply = Reply([Outcome(7), Outcome(error=error)], Head(3, "ab"), has_failed=True)

    [found] = FrameReader().feed(render_frame(reply))

    assert isinstance(found, Reply)
    assert (found.head, found.has_failed) == (Head(3, "ab"), True)
    assert found.outcomes[0] == Outcome(7)
    told = found.outcomes[1].error
    assert isinstance(told, JournalUnavailableError)
    assert (told.reason, told.where, str(told)) == (error.reason, error.where, str(error))

"""An offset that was reset behind our back is seen, an ordinary gap is told apart by the caller."""

from __future__ import annotations

from mappings.kafka_offsets import Jump, OffsetBook
from mappings.kafka_record import KafkaRecord


def records(*offsets: int, partition: int = 0) -> list[KafkaRecord]:
    return [KafkaRecord("t", partition, offset) for offset in offsets]


def test_records_that_follow_each_other_are_no_jump() -> None:
    book = OffsetBook()

    assert book.note([*records(7, 8), *records(0, partition=1)]) == []
    assert book.note([*records(9), *records(1, partition=1)]) == []


def test_going_back_behind_what_was_read_is_a_jump() -> None:
    book = OffsetBook()
    book.note(records(7, 8))
    (jump,) = book.note(records(0, 1))

    assert jump == Jump("t", 0, 9, 0)
    assert jump.is_back


def test_what_the_group_had_committed_is_where_it_goes_on() -> None:
    book = OffsetBook()
    book.learn([(("t", 0), 25)])
    (jump,) = book.note(records(40))

    assert (jump.expected, jump.found, jump.is_back) == (25, 40, False)


def test_a_partition_whose_commit_is_gone_keeps_what_is_known_of_it() -> None:
    book = OffsetBook()
    book.note(records(7))
    book.learn([])

    assert [jump.is_back for jump in book.note(records(0))] == [True]


def test_records_that_are_fetched_again_are_no_jump() -> None:
    book = OffsetBook()
    book.note(records(3, 4, 5))
    book.rewind(records(4, 5))

    assert book.note(records(4, 5, 6)) == []

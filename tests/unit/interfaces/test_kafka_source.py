"""The shell around the client: what it does when a call never ends or a batch cannot be decoded.

The client here is a stand-in that keeps aiokafka's promises as they were seen, and breaks; the real
one is in tests/integration/test_kafka_in.py.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import namedtuple
from typing import Any, TypeAlias

import pytest

from interfaces.errors import BrokerRetryError
from interfaces.kafka_contract import BrokerTerms, Partition, SourceTerms
from interfaces.kafka_source import KafkaSource, _make_listener

Record = namedtuple("Record", "topic partition offset key value headers")  # noqa: PYI024 - as the client's
BAD = object()
Place: TypeAlias = Any
ONE = Partition("t", 0)
TWO = Partition("t", 1)


class Client:
    """A consumer over lists of values; ``BAD`` among them cannot be decoded."""

    def __init__(self, **logs: list[Any]) -> None:
        self.logs = {
            (name.split("_")[0], int(name.split("_")[1])): log for name, log in logs.items()
        }
        self.at = dict.fromkeys(self.logs, 0)
        self.paused: set[Any] = set()
        self.commits: list[dict[Any, int]] = []
        self.is_hanging = False
        self.stopped = 0

    async def start(self) -> None:
        await self._hang()

    async def _hang(self) -> None:
        if self.is_hanging:
            await asyncio.Event().wait()

    def assignment(self) -> set[Any]:
        return set(self.at)

    async def getmany(
        self, *partitions: Place, timeout_ms: int, max_records: int
    ) -> dict[Any, list[Record]]:
        assert max_records == 1
        await self._hang()
        for place in [tuple(each) for each in partitions] or list(self.at):
            offset, log = self.at[place], self.logs[place]
            if offset < len(log) and place not in self.paused:
                if log[offset] is BAD:
                    raise zlib.error
                self.at[place] += 1
                return {place: [Record(*place, offset, b"k", log[offset], ())]}
        await asyncio.sleep(timeout_ms / 1000)
        return {}

    async def position(self, place: Place) -> int:
        return self.at[tuple(place)]

    def seek(self, place: Place, offset: int) -> None:
        self.at[tuple(place)] = offset

    async def commit(self, offsets: dict[Any, int]) -> None:
        await self._hang()
        self.commits.append({tuple(place): offset for place, offset in offsets.items()})

    def pause(self, *places: Place) -> None:
        self.paused |= set(places)

    def resume(self, *places: Place) -> None:
        self.paused -= set(places)

    async def stop(self) -> None:
        self.stopped += 1
        await self._hang()


def source_over(client: Client, monkeypatch: pytest.MonkeyPatch, **terms: int) -> KafkaSource:
    brokers = BrokerTerms(("127.0.0.1:1",), request_s=0.05, stop_s=0.05)
    source = KafkaSource(SourceTerms(brokers, ("t",), "g", commit_s=0.05, **terms))
    monkeypatch.setattr(source, "_make_consumer", lambda: client)
    return source


async def fetch_all(source: KafkaSource, count: int) -> list[Any]:
    found: list[Any] = []
    while len(found) < count:
        found += await source.fetch(0.01)
    return found


async def test_records_come_in_order_and_no_more_at_once_than_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = source_over(Client(t_0=[b"a", b"b", b"c"], t_1=[b"d"]), monkeypatch, records_max=2)
    await source.start()
    batches = [await source.fetch(0.01) for _ in range(2)]
    both = [record for batch in batches for record in batch]

    assert [len(batch) for batch in batches] == [2, 2]
    assert [record.offset for record in both if record.partition == 0] == [0, 1, 2]


async def test_a_batch_is_full_by_its_bytes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_over(Client(t_0=[b"x" * 60] * 5), monkeypatch, batch_bytes_max=100)
    await source.start()

    assert len(await source.fetch(0.01)) == 2


async def test_what_cannot_be_decoded_is_told_and_costs_nothing_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = Client(t_0=[b"a", BAD, BAD, b"b"], t_1=[b"c", b"d"])
    source = source_over(client, monkeypatch)
    await source.start()
    found = await fetch_all(source, 6)

    assert sorted(
        (record.partition, record.offset, record.value) for record in found if record.value
    ) == [
        (0, 0, b"a"),
        (0, 3, b"b"),
        (1, 0, b"c"),
        (1, 1, b"d"),
    ]
    assert [record.offset for record in found if not record.is_readable] == [1, 2]


async def test_a_batch_that_was_cut_on_the_way_is_fetched_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = Client(t_0=[BAD])
    source = source_over(client, monkeypatch)
    await source.start()
    for _ in range(2):
        assert await source.fetch(0.01) == []
    client.logs["t", 0][0] = b"whole"
    (record,) = await fetch_all(source, 1)

    assert record.value == b"whole"


@pytest.mark.parametrize("call", ["start", "commit", "fetch", "stop"])
async def test_a_call_that_never_ends_is_given_up(
    call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interfaces.kafka_source.GRACE_S", 0.05)
    client = Client(t_0=[b"a"])
    source = source_over(client, monkeypatch)
    if call != "start":
        await source.start()
    client.is_hanging = True

    async with asyncio.timeout(5):
        if call == "fetch":
            assert await source.fetch(0.01) == []
        elif call == "stop":
            await source.stop()
        else:
            with pytest.raises(BrokerRetryError):
                await (source.start() if call == "start" else source.commit({ONE: 1}))


async def test_only_partitions_that_are_still_ours_are_committed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = Client(t_0=[b"a"])
    source = source_over(client, monkeypatch)
    await source.start()
    await source.commit({ONE: 1, TWO: 5})

    assert client.commits == [{("t", 0): 1}]


async def test_records_are_fetched_again_from_the_first_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = source_over(Client(t_0=[b"a", b"b"], t_1=[b"c"]), monkeypatch)
    await source.start()
    first = await source.fetch(0.01)
    source.rewind(first)

    assert sorted(record.value for record in await source.fetch(0.01)) == [b"a", b"b", b"c"]


async def test_a_pause_holds_over_a_new_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(t_0=[b"a"])
    source = source_over(client, monkeypatch)
    source.pause()
    await source.start()
    while_paused = await source.fetch(0.01)
    source.resume()

    assert while_paused == []
    assert len(await source.fetch(0.01)) == 1


async def test_a_pause_holds_for_partitions_that_a_rebalance_brings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = Client(t_0=[b"a"])
    source = source_over(client, monkeypatch)
    await source.start()
    source.pause()
    client.logs["t", 1], client.at["t", 1] = [b"b"], 0
    listener = _make_listener(source)
    listener.on_partitions_revoked({("t", 0)})
    listener.on_partitions_assigned({("t", 0), ("t", 1)})

    assert source.generation == 1
    assert client.paused == {("t", 0), ("t", 1)}


async def test_before_the_start_nothing_is_assigned(monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_over(Client(), monkeypatch)

    assert source.assigned == frozenset()
    assert source.fetched_at_ms() == 0
    with pytest.raises(BrokerRetryError):
        await source.commit({ONE: 1})

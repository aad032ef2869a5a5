"""A FHIR server that others wrote (sekmet-fhir), behind a proxy that plays its bad moments.

Waits are measured by the times of the requests that the proxy saw.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from interfaces.errors import PostRetryError, ServerAwayError
from interfaces.fhir_breaker import Breaker, BreakerLimits, BreakerState
from interfaces.fhir_client import FhirClient
from interfaces.fhir_http import FhirHttp
from mappings.domain import PostOutcome
from tests.integration.fault_proxy import fault_proxy
from tests.integration.sekmet import running_sekmet
from tests.samples.fhir_drafts import draft_of, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interfaces.fhir_capability import WriteMode

pytestmark = [pytest.mark.integration, pytest.mark.process]
each_mode = pytest.mark.parametrize("mode", ["put", "conditional-create", "transaction"])
WAIT_S = 2


@pytest.fixture(scope="module")
def fhir_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    given = os.environ.get("TEST_PRELIM_FHIR")
    if given:
        yield given.rstrip("/")
        return
    with running_sekmet(tmp_path_factory.mktemp("sekmet")) as url:
        yield url


def client_for(url: str, mode: WriteMode, limits: BreakerLimits | None = None) -> FhirClient:
    breaker = Breaker(limits or BreakerLimits(), asyncio.get_running_loop().time)
    return FhirClient(FhirHttp(url, timeout_s=20, breaker=breaker), write=mode)


def busy(retry_after: str, status: int = 503) -> web.Response:
    headers = {"Date": "Wed, 04 Mar 2026 10:00:58 GMT", "Retry-After": retry_after}
    return web.Response(status=status, headers=headers)


@each_mode
@pytest.mark.parametrize(
    ("status", "retry_after"), [(429, str(WAIT_S)), (503, "Wed, 04 Mar 2026 10:01:00 GMT")]
)
async def test_a_retry_after_is_obeyed_to_the_second(
    fhir_url: str, mode: WriteMode, status: int, retry_after: str
) -> None:
    origin, _, path = fhir_url.rpartition("/")
    draft = draft_of(key=key_of(uuid.uuid4().hex))
    async with fault_proxy(origin) as (url, faults), client_for(f"{url}/{path}", mode) as client:
        faults.next = busy(retry_after, status)
        receipt = await client.post(draft)

    waited_s = faults.seen[1][0] - faults.seen[0][0]
    assert receipt.outcome is PostOutcome.CREATED
    assert WAIT_S <= waited_s < WAIT_S + 1


async def test_no_other_draft_knocks_while_the_server_asked_for_time(fhir_url: str) -> None:
    origin, _, path = fhir_url.rpartition("/")
    drafts = [draft_of(key=key_of(uuid.uuid4().hex)) for _ in range(4)]
    async with fault_proxy(origin) as (url, faults), client_for(f"{url}/{path}", "put") as client:
        faults.next = busy(str(WAIT_S))
        first = asyncio.create_task(client.post(drafts[0]))
        async with asyncio.timeout(10):
            while client.may_post:
                await asyncio.sleep(0.01)
        for draft in drafts[1:]:
            with pytest.raises(ServerAwayError) as raised:
                await client.post(draft)
        before = len(faults.seen)
        await first
        for draft in drafts[1:]:
            await client.post(draft)

    assert before == 1
    assert 0 < (raised.value.retry_after_s or 0) <= WAIT_S
    assert WAIT_S <= faults.seen[1][0] - faults.seen[0][0] < WAIT_S + 1


@pytest.mark.parametrize(("status", "reason"), [(0, "connection_lost"), (502, "http_502")])
async def test_the_breaker_opens_lets_one_knock_and_closes(
    fhir_url: str, status: int, reason: str
) -> None:
    origin, _, path = fhir_url.rpartition("/")
    limits = BreakerLimits(failures_max=3, wait_min_s=1, wait_max_s=60)
    drafts = [draft_of(key=key_of(uuid.uuid4().hex)) for _ in range(5)]
    async with (
        fault_proxy(origin) as (url, faults),
        client_for(f"{url}/{path}", "conditional-create", limits) as client,
    ):
        faults.is_down = status
        with pytest.raises(PostRetryError) as opened:
            await client.post(drafts[0])
        opened_s, seen = faults.seen[-1][0], len(faults.seen)
        with pytest.raises(ServerAwayError):
            await client.post(drafts[1])
        unseen = len(faults.seen)
        await _may_post(client)
        # One of five may knock, and fails; the others are not even tried.
        results = await asyncio.gather(*map(client.post, drafts), return_exceptions=True)
        knocks, knocked_s = len(faults.seen) - unseen, faults.seen[-1][0]
        state = client._breaker.state
        faults.is_down = None
        await _may_post(client)
        receipts = [await client.post(draft) for draft in drafts]

    assert (opened.value.reason, opened.value.is_counted) == (reason, False)
    assert seen == unseen
    assert 1 <= knocked_s - opened_s < 2
    # aiohttp itself asks once more when a connection that it kept is closed by the server.
    assert knocks == 1 or (status == 0 and knocks == 2)
    assert [type(each) for each in results].count(ServerAwayError) == 4
    assert all(isinstance(each, PostRetryError) and not each.is_counted for each in results)
    assert state is BreakerState.OPEN
    assert [receipt.outcome for receipt in receipts] == [PostOutcome.CREATED] * 5
    assert client._breaker.state is BreakerState.CLOSED


async def _may_post(client: FhirClient) -> None:
    async with asyncio.timeout(10):
        while not client.may_post:
            await asyncio.sleep(0.01)

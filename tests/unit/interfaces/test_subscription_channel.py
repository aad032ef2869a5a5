"""One POST to a subscriber, against a real server: what its answers mean, and where none goes."""

from __future__ import annotations

import json
import ssl
from typing import TYPE_CHECKING

import pytest

from interfaces.errors import SendRefusedError, SendRetryError
from interfaces.subscription_channel import EndpointRules, SubscriptionChannel
from mappings.fhir_subscription import read_subscription
from tests.samples.certificates import Authority, client_context
from tests.unit.interfaces.hook_receiver import HookReceiver
from tests.unit.mappings.subscription_samples import subscription_resource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from mappings.fhir_subscription import Subscription

RULES = EndpointRules(frozenset({"127.0.0.1", "pacs.example"}), is_plain_allowed=False)
BODY = b'{"resourceType":"Bundle","type":"history"}'


@pytest.fixture
async def receiver() -> AsyncIterator[HookReceiver]:
    async with HookReceiver() as started:
        yield started


@pytest.fixture
async def channel() -> AsyncIterator[SubscriptionChannel]:
    async with SubscriptionChannel(RULES, timeout_s=5) as opened:
        yield opened


def wish_of(endpoint: str, **options: object) -> Subscription:
    return read_subscription(subscription_resource(endpoint, **options))  # type: ignore[arg-type]


async def test_a_notification_is_posted_with_the_clients_headers(
    channel: SubscriptionChannel, receiver: HookReceiver
) -> None:
    wish = wish_of(receiver.url, headers=("Authorization: Bearer abc", "X-Site: north"))

    assert await channel.post(wish, BODY) == 200
    assert receiver.bundles == [json.loads(BODY)]
    sent = receiver.sent_headers[0]
    assert (sent["Authorization"], sent["X-Site"]) == ("Bearer abc", "north")
    assert sent["Content-Type"] == "application/fhir+json"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
async def test_an_answer_that_says_later_is_for_later(
    channel: SubscriptionChannel, receiver: HookReceiver, status: int
) -> None:
    receiver.status, receiver.headers = status, {"Retry-After": "7"}

    with pytest.raises(SendRetryError) as failed:
        await channel.post(wish_of(receiver.url), BODY)
    assert (failed.value.reason, failed.value.was_reached) == (f"http_{status}", True)
    assert failed.value.retry_after_s == 7


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404, 410])
async def test_any_other_answer_is_a_no_and_a_redirect_is_not_followed(
    channel: SubscriptionChannel, receiver: HookReceiver, status: int
) -> None:
    async with HookReceiver() as elsewhere:
        receiver.status, receiver.headers = status, {"Location": elsewhere.url}
        with pytest.raises(SendRefusedError) as refused:
            await channel.post(wish_of(receiver.url, headers=("X-A: s3cret",)), BODY)

    assert refused.value.reason == f"http_{status}"
    assert elsewhere.sent_headers == []
    assert "s3cret" not in str(refused.value)


async def test_a_receiver_that_is_away_or_slow_is_tried_later(
    channel: SubscriptionChannel, receiver: HookReceiver
) -> None:
    receiver.delay_s = 3
    with pytest.raises(SendRetryError) as slow:
        await channel.post(wish_of(receiver.url, timeout_s=1), BODY)
    await receiver.stop()
    with pytest.raises(SendRetryError) as away:
        await channel.post(wish_of(receiver.url), BODY)

    assert (slow.value.reason, slow.value.was_reached) == ("timed_out", True)
    assert (away.value.reason, away.value.was_reached) == ("connect_failed", False)
    assert "s3cret" not in f"{slow.value}{away.value}"
    assert away.value.__suppress_context__


async def test_a_certificate_that_nobody_vouches_for_is_not_believed(
    channel: SubscriptionChannel, tmp_path: Path
) -> None:
    authority = Authority(tmp_path, "authority")
    pair = authority.issue("receiver")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pair.certificate, pair.key)
    async with HookReceiver(tls=tls) as receiver:
        with pytest.raises(SendRetryError) as failed:
            await channel.post(wish_of(receiver.url), BODY)
        async with SubscriptionChannel(RULES, timeout_s=5, tls=client_context(authority)) as own:
            assert await own.post(wish_of(receiver.url), BODY) == 200

    assert failed.value.reason == "tls_failed"


@pytest.mark.parametrize(
    ("endpoint", "is_plain_allowed", "refusal"),
    [
        ("https://pacs.example/hook", False, None),
        ("https://PACS.example:8443/hook", False, None),
        ("http://127.0.0.1:9/hook", False, None),
        ("http://pacs.example/hook", False, "endpoint_not_encrypted"),
        ("http://pacs.example/hook", True, None),
        ("https://other.example/hook", True, "endpoint_host_not_allowed"),
        ("http://localhost/hook", True, "endpoint_host_not_allowed"),
        ("https://pacs.example@other.example/", True, "endpoint_host_not_allowed"),
        ("http://169.254.169.254/latest", True, "endpoint_host_not_allowed"),
    ],
)
def test_only_hosts_that_were_named_are_spoken_to(
    endpoint: str, refusal: str | None, *, is_plain_allowed: bool
) -> None:
    rules = EndpointRules(RULES.hosts, is_plain_allowed)

    assert rules.refusal_of(endpoint) == refusal


async def test_a_host_that_is_allowed_no_more_is_not_spoken_to(receiver: HookReceiver) -> None:
    nobody = EndpointRules(frozenset(), is_plain_allowed=True)
    async with SubscriptionChannel(nobody, timeout_s=5) as channel:
        with pytest.raises(SendRefusedError) as refused:
            await channel.post(wish_of(receiver.url), BODY)

    assert refused.value.reason == "endpoint_host_not_allowed"
    assert receiver.sent_headers == []

"""What an answer means: done, later, never, or nothing that can be read."""

from __future__ import annotations

import json

import pytest

from interfaces.errors import PostRefusedError, PostRetryError
from interfaces.fhir_http import Reply
from interfaces.fhir_replies import accepted, resource_of

DATE = "Wed, 04 Mar 2026 10:00:00 GMT"


def reply(status: int, body: bytes = b"", retry_after: str | None = None) -> Reply:
    return Reply(status, body, None, None, retry_after, DATE)


@pytest.mark.parametrize("status", [200, 201, 204])
def test_a_yes_is_handed_on(status: int) -> None:
    assert accepted(reply(status), "Task").status == status


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504])
@pytest.mark.parametrize(
    ("said", "seconds"), [("7", 7.0), ("Wed, 04 Mar 2026 10:00:09 GMT", 9.0), (None, None)]
)
def test_a_passing_trouble_keeps_the_servers_own_wait(
    status: int, said: str | None, seconds: float | None
) -> None:
    with pytest.raises(PostRetryError) as raised:
        accepted(reply(status, retry_after=said), "Task")

    assert (raised.value.reason, raised.value.where) == (f"http_{status}", "Task")
    assert raised.value.retry_after_s == seconds


@pytest.mark.parametrize("status", [302, 400, 403, 404, 405, 410, 412, 415, 422, 501])
def test_a_no_for_good_keeps_the_issue_codes_alone(status: int) -> None:
    issue = [{"code": "invariant", "diagnostics": "Doe, Jane"}, {"code": "Doe"}]
    body = json.dumps({"resourceType": "OperationOutcome", "issue": issue}).encode()
    with pytest.raises(PostRefusedError) as raised:
        accepted(reply(status, body), "Task")

    assert (raised.value.reason, raised.value.where) == (f"http_{status}", "Task: invariant")
    assert "Doe" not in str(raised.value)


def test_unauthorised_is_for_an_operator_and_not_the_end_of_a_draft() -> None:
    with pytest.raises(PostRetryError) as raised:
        accepted(reply(401), "Task")

    assert raised.value.reason == "unauthorised"


@pytest.mark.parametrize("body", [b"", b"[1]", b"<html>", b"\xff", b'{"resourceType":"Patient"}'])
def test_another_thing_than_asked_for_is_asked_for_again(body: bytes) -> None:
    with pytest.raises(PostRetryError) as raised:
        resource_of(reply(200, body), "Task", "Task")

    assert raised.value.reason == "reply_unreadable"


def test_a_resource_is_read() -> None:
    assert resource_of(reply(200, b'{"resourceType":"Task"}'), "x", "Task") == {
        "resourceType": "Task"
    }

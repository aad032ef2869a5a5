"""When not to knock: failures in a row, one probe at a time, and the server's own word."""

from __future__ import annotations

import pytest
import structlog

from interfaces.errors import FinalPresentError, PostRefusedError, PostRetryError, ServerAwayError
from interfaces.fhir_breaker import PROBE_POLL_S, Breaker, BreakerLimits, BreakerState


class Time:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def breaker(clock: Time) -> Breaker:
    return Breaker(BreakerLimits(failures_max=3, wait_min_s=2, wait_max_s=10), clock)


def fail(breaker: Breaker, reason: str = "connect_failed") -> PostRetryError:
    with pytest.raises(PostRetryError) as raised, breaker.trying():
        raise PostRetryError(reason, "Observation")
    return raised.value


def succeed(breaker: Breaker) -> None:
    with breaker.trying():
        pass


def test_it_opens_after_so_many_failures_in_a_row(breaker: Breaker) -> None:
    counted = [fail(breaker).is_counted for _ in range(3)]

    assert counted == [True, True, False]
    assert breaker.state is BreakerState.OPEN
    assert breaker.wait_s == 2


def test_a_success_between_failures_starts_the_count_again(breaker: Breaker) -> None:
    for _ in range(3):
        fail(breaker)
        succeed(breaker)
        fail(breaker)

    assert breaker.state is BreakerState.CLOSED
    assert breaker.wait_s == 0


@pytest.mark.parametrize(
    "answer",
    [
        PostRefusedError("http_422", "Observation"),
        FinalPresentError("final_present", "Observation"),
        PostRetryError("version_conflict", "Observation"),
        PostRetryError("http_409", "Observation"),
    ],
)
def test_an_answer_that_is_no_success_is_no_failure_of_the_server(
    breaker: Breaker, answer: Exception
) -> None:
    fail(breaker)
    fail(breaker)
    with pytest.raises(type(answer)), breaker.trying():
        raise answer
    fail(breaker)

    assert breaker.state is BreakerState.CLOSED


def test_nobody_knocks_while_it_is_open(breaker: Breaker, clock: Time) -> None:
    for _ in range(3):
        fail(breaker)
    clock.now += 1.5
    with pytest.raises(ServerAwayError) as raised, breaker.trying():
        pytest.fail("nothing may be tried")

    assert (raised.value.retry_after_s, raised.value.is_counted) == (0.5, False)


def test_one_try_is_let_through_and_closes_it(breaker: Breaker, clock: Time) -> None:
    for _ in range(3):
        fail(breaker)
    clock.now += 2
    assert breaker.state is BreakerState.HALF_OPEN
    with breaker.trying():
        waited_s = breaker.wait_s
        with pytest.raises(ServerAwayError), breaker.trying():
            pytest.fail("one is enough")

    assert waited_s == PROBE_POLL_S
    assert breaker.state is BreakerState.CLOSED
    assert breaker.wait_s == 0


def test_each_failed_probe_doubles_the_wait_up_to_the_longest(
    breaker: Breaker, clock: Time
) -> None:
    for _ in range(3):
        fail(breaker)
    waits = []
    for _ in range(4):
        clock.now += breaker.wait_s
        assert not fail(breaker).is_counted
        waits.append(breaker.wait_s)

    assert waits == [4, 8, 10, 10]


def test_tries_that_began_before_it_opened_make_it_wait_no_longer(breaker: Breaker) -> None:
    begun = [breaker.trying() for _ in range(5)]
    for each in begun:
        each.__enter__()
    for each in begun:
        error = PostRetryError("timed_out", "Observation")
        each.__exit__(PostRetryError, error, None)

    assert breaker.wait_s == 2


def test_a_probe_that_is_cut_short_leaves_room_for_another(breaker: Breaker, clock: Time) -> None:
    for _ in range(3):
        fail(breaker)
    clock.now += 2
    with pytest.raises(KeyboardInterrupt), breaker.trying():
        raise KeyboardInterrupt
    succeed(breaker)

    assert breaker.state is BreakerState.CLOSED


def test_a_server_that_asks_for_time_gets_it_from_everyone(breaker: Breaker, clock: Time) -> None:
    breaker.hold(30)
    breaker.hold(5)
    clock.now += 29
    with pytest.raises(ServerAwayError) as raised, breaker.trying():
        pytest.fail("it is not over")
    clock.now += 1

    assert raised.value.retry_after_s == 1
    assert breaker.wait_s == breaker.held_s == 0
    assert breaker.state is BreakerState.CLOSED


def test_a_longer_word_of_the_server_outlasts_the_breakers_own_wait(
    breaker: Breaker, clock: Time
) -> None:
    breaker_failures = 3
    for _ in range(breaker_failures):
        fail(breaker)
    breaker.hold(20)
    clock.now += 5

    assert breaker.wait_s == 15


def test_it_says_once_that_it_opened_and_once_that_it_closed(breaker: Breaker, clock: Time) -> None:
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            fail(breaker, "http_503")
        clock.now += 2
        fail(breaker)
        clock.now += 4
        succeed(breaker)
        succeed(breaker)

    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("fhir.breaker_opened", "error"),
        ("fhir.breaker_closed", "info"),
    ]
    assert (lines[0]["reason"], lines[0]["retry_after_s"]) == ("http_503", 2)

"""How short trouble with a FHIR server is ridden out: at most 3 tries within 5 s.

Anything longer goes back to the caller, which keeps the draft: a restart must lose no wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, stop_before_delay

from interfaces.errors import PostRetryError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tenacity import RetryCallState

log = structlog.get_logger()

ATTEMPTS_MAX = 3
CLAIM_S_MAX = 5.0
FIRST_WAIT_S = 0.2


def make_tries(sleep: Callable[[float], Awaitable[None]]) -> AsyncRetrying:
    """Return what tries one post; ``sleep`` is how to wait between two tries."""
    return AsyncRetrying(
        sleep=sleep,
        stop=stop_after_attempt(ATTEMPTS_MAX) | stop_before_delay(CLAIM_S_MAX),
        wait=_wait_s,
        retry=retry_if_exception(_is_worth_another_try),
        before_sleep=_log_retry,
        reraise=True,
    )


def _is_worth_another_try(error: BaseException) -> bool:
    # Asking again with the same wrong token only locks the account.
    return isinstance(error, PostRetryError) and error.is_counted and error.reason != "unauthorised"


def _failure(state: RetryCallState) -> PostRetryError | None:
    error = state.outcome.exception() if state.outcome is not None else None
    return error if isinstance(error, PostRetryError) else None


def _wait_s(state: RetryCallState) -> float:
    error = _failure(state)
    if error is not None and error.retry_after_s is not None:
        return error.retry_after_s
    return FIRST_WAIT_S * 2.0 ** (state.attempt_number - 1)


def _log_retry(state: RetryCallState) -> None:
    error = _failure(state)
    if error is not None:
        log.warning(
            "fhir.post_retried",
            reason=error.reason,
            where=error.where,
            attempts=state.attempt_number,
            retry_after_s=error.retry_after_s,
        )

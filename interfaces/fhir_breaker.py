"""When not to knock at a server: it said how long to wait, or it has failed again and again.

State and arithmetic only. After ``failures_max`` failed tries in a row the breaker is open: nobody
knocks until a wait is over, then one try is let through, and what becomes of it closes the breaker
or opens it for twice as long. A server's Retry-After holds back everyone, whatever the state.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import structlog

from interfaces.errors import (
    FinalPresentError,
    PostRefusedError,
    PostRetryError,
    ServerAwayError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

log = structlog.get_logger()

_ANSWERS = frozenset({"version_conflict", "http_409"})
PROBE_POLL_S = 1.0
"""While one try knocks for all, the others ask again after this."""


class BreakerState(StrEnum):
    """Stable: a metric's label."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """After how many failures it opens, and the first and the longest wait in seconds."""

    failures_max: int = 5
    wait_min_s: float = 1.0
    wait_max_s: float = 60.0


class Breaker:
    """Guards one server.

    Args:
        limits: When it opens and for how long.
        now_s: Monotonic seconds.
    """

    def __init__(self, limits: BreakerLimits, now_s: Callable[[], float]) -> None:
        self._limits = limits
        self._now_s = now_s
        self._failures = 0
        self._probes_failed = 0
        self._open_until_s = 0.0
        self._hold_until_s = 0.0
        self._is_probing = False

    @property
    def state(self) -> BreakerState:
        """Whether tries pass (closed), one does (half open), or none (open)."""
        if self._failures < self._limits.failures_max:
            return BreakerState.CLOSED
        is_over = self._now_s() >= self._open_until_s
        return BreakerState.HALF_OPEN if is_over or self._is_probing else BreakerState.OPEN

    @property
    def held_s(self) -> float:
        """Seconds for which the server asked not to be asked; 0 when it may be."""
        return max(0.0, self._hold_until_s - self._now_s())

    @property
    def wait_s(self) -> float:
        """Seconds until a new try may begin; 0 when it may now."""
        if self.state is BreakerState.CLOSED:
            return self.held_s
        wait_s = PROBE_POLL_S if self._is_probing else self._open_until_s - self._now_s()
        return max(0.0, self.held_s, wait_s)

    def hold(self, seconds: float) -> None:
        """Obey a Retry-After; a shorter one does not end a longer one."""
        self._hold_until_s = max(self._hold_until_s, self._now_s() + seconds)

    @contextlib.contextmanager
    def trying(self) -> Iterator[None]:
        """Surround one try, from its first request to its last.

        A ``PostRetryError`` that leaves it is a failure (a conflict is none), and is marked as no
        fault of the draft when the breaker is open after it. Any other answer closes the breaker.

        Raises:
            ServerAwayError: This is no time to knock.
        """
        if self.wait_s > 0:
            raise ServerAwayError("server_away", None, self.wait_s)
        is_probe = self._is_probing = self.state is BreakerState.HALF_OPEN
        try:
            yield
        except ServerAwayError:
            raise
        except PostRetryError as error:
            if error.reason in _ANSWERS:
                self._succeed()
                raise
            self._fail(error.reason, is_probe=is_probe)
            error.is_counted = self.state is BreakerState.CLOSED
            raise
        except (PostRefusedError, FinalPresentError):
            self._succeed()
            raise
        else:
            self._succeed()
        finally:
            if is_probe:
                self._is_probing = False

    def _fail(self, reason: str, *, is_probe: bool) -> None:
        if is_probe:
            self._is_probing = False
            self._probes_failed += 1
            self._open()
            return
        self._failures += 1  # of tries that began before it opened, too: they open it no longer
        if self._failures == self._limits.failures_max:
            log.error("fhir.breaker_opened", reason=reason, retry_after_s=self._open())

    def _open(self) -> float:
        doublings = min(self._probes_failed, 30)
        wait_s = min(self._limits.wait_min_s * 2.0**doublings, self._limits.wait_max_s)
        self._open_until_s = self._now_s() + wait_s
        return wait_s

    def _succeed(self) -> None:
        if self._failures >= self._limits.failures_max:
            log.info("fhir.breaker_closed", count=self._failures + self._probes_failed)
        self._failures = self._probes_failed = 0

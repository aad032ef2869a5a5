"""The FHIR server that drafts go to: its client from the settings, and what it says of itself.

Starting never waits for the server. Where the way to write is its to say, it is asked in the
background, and by the first post again if it did not answer.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from daemon.building import fhir_options
from daemon.fhir_secrets import check_fhir_files, make_credentials, make_tls, warn_of_open_files
from interfaces.errors import PostRefusedError, PostRetryError
from interfaces.fhir_breaker import Breaker, BreakerLimits, BreakerState
from interfaces.fhir_client import FhirClient
from interfaces.fhir_credentials import OwnToken
from interfaces.fhir_http import FhirHttp
from mappings.fhir_audit_event import build_audit_event
from mappings.fhir_elements import FHIR_JSON
from mappings.fhir_retraction import retracted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType
    from typing import Self

    from prometheus_client.core import Metric

    from daemon.clock import Clock
    from daemon.config import Settings
    from mappings.domain import Companion
    from mappings.fhir_audit_event import Write

_MEDIA_TYPES = {
    "R4": FHIR_JSON,
    "R4B": f"{FHIR_JSON}; fhirVersion=4.3",
    "R5": f"{FHIR_JSON}; fhirVersion=5.0",
}


class FhirTarget(Collector):
    """The server and the client for it; a context once it is opened.

    Args:
        settings: Checked settings.
        clock: For waits, tokens and times in what is written.

    Raises:
        ConfigurationError: A file that the settings name cannot be used.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        check_fhir_files(settings.fhir)
        warn_of_open_files(settings.fhir)
        self._settings = settings
        self._clock = clock
        self._breaker = Breaker(
            BreakerLimits(**settings.fhir.breaker.model_dump()), clock.monotonic_s
        )
        self._asking: asyncio.Task[None] | None = None
        self.client: FhirClient

    def open(self, base_url: str, own_token: str | None = None) -> Self:
        """Say where the server is: an embedded store has its address only once it is served.

        Args:
            base_url: Of the FHIR service.
            own_token: For the embedded store, where it asks for one.
        """
        fhir, write = self._settings.fhir, self._settings.fhir_write
        own = None if own_token is None else OwnToken(own_token)
        http = FhirHttp(
            base_url,
            timeout_s=fhir.timeout_s,
            credentials=own or make_credentials(fhir, base_url, self._clock),
            tls=make_tls(fhir),
            media_type=_MEDIA_TYPES[fhir.version],
            breaker=self._breaker,
        )
        self.client = FhirClient(
            http,
            write="put" if write == "off" else write,
            audit=self._audit if fhir.audit_event else None,
            retracted=self._retracted,
            version=fhir.version,
        )
        return self

    async def __aenter__(self) -> FhirClient:
        """Open the connections, and ask the server what it can where that is its to say."""
        await self.client.__aenter__()
        if self._settings.fhir_write == "auto":
            self._asking = asyncio.create_task(self._ask())
        return self.client

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        await self.client.__aexit__(kind, error, traceback)

    def checks(self) -> Mapping[str, str]:
        """Say for /readyz how is written, and whether the server answers."""
        if self._breaker.state is not BreakerState.CLOSED:
            return {"fhir": "away"}
        return {"fhir": self.client.mode or "not_asked"}

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of the server, as they are now."""
        state = GaugeMetricFamily(
            "prelim_fhir_breaker", "1 for the state of the FHIR server's breaker", labels=["state"]
        )
        for each in BreakerState:
            state.add_metric([each.value], each is self._breaker.state)
        yield state
        yield _counter(
            "prelim_fhir_audit_events",
            "AuditEvents by outcome: written, or why the server took none",
            "outcome",
            self.client.audit_events,
        )
        yield _counter(
            "prelim_fhir_refused",
            "Drafts refused for good by the FHIR server, by reason",
            "reason",
            self.client.refused,
        )

    async def _ask(self) -> None:
        # The first post asks again, and says what is wrong; asking has logged what was chosen.
        with contextlib.suppress(PostRetryError, PostRefusedError):
            await self.client.choose_writes()

    def _audit(self, write: Write) -> Companion:
        return build_audit_event(write, fhir_options(self._settings.fhir), now=self._clock.now())

    def _retracted(self, observation: bytes, *, reason: str) -> bytes:
        return retracted(observation, reason=reason, now=self._clock.now())


def _counter(name: str, text: str, label: str, counts: Mapping[str, int]) -> Metric:
    counter = CounterMetricFamily(name, text, labels=[label])
    for value, count in counts.items():
        counter.add_metric([value], count)
    return counter

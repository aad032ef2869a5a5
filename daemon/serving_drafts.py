"""Drafts for others to read: the embedded store, what is served of it, and who is told of it.

The store is the target of drafts, or gets a copy of each (mirror.py) when they go to another server
and are to be read here all the same. Only then can an event be told (notifying.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from importlib.metadata import version
from typing import TYPE_CHECKING, Self

from daemon.certificates import client_context
from daemon.errors import ConfigurationError
from daemon.journal_reads import JournalReader
from daemon.mirror import Mirror
from daemon.notification_log import NotificationLog
from daemon.notifying import Notifier
from daemon.subscriptions import Subscriptions
from interfaces.client_tls import ClientTls
from interfaces.fhir_draft_routes import draft_routes
from interfaces.fhir_store_app import build_store
from interfaces.loopback import LOOPBACK_HOSTS
from interfaces.subscription_channel import EndpointRules, SubscriptionChannel

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from starlette.applications import Starlette
    from starlette.routing import BaseRoute

    from daemon.clock import Clock
    from daemon.config import Settings
    from daemon.config_drafts import Notify
    from daemon.outbound import Outbound

FHIR_VERSIONS = {"R4": "4.0.1", "R4B": "4.3.0", "R5": "5.0.0"}


class ServedDrafts:
    """What is served of drafts, as the settings say; use as an async context.

    ``store_app`` is the store for our own poster, when it is the target; ``routes`` are what is
    served to others at /fhir.

    Args:
        settings: Checked settings.
        outbound: Gets the receivers and carriers of copies and notifications.
        base_url: Of /fhir; called when it is open, because its port may be chosen then.
        clock: The time of writes and events.
    """

    def __init__(
        self,
        settings: Settings,
        outbound: Outbound,
        *,
        base_url: Callable[[], str],
        clock: Clock,
    ) -> None:
        self.store_app: Starlette | None = None
        self.routes: Sequence[BaseRoute] = ()
        self._settings = settings
        self._outbound = outbound
        self._base_url = base_url
        self._clock = clock
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Open the store, read the Subscriptions, and begin to speak to subscribers.

        Raises:
            ConfigurationError: The store, or the file of ``drafts.notify.ca``, cannot be used.
        """
        settings = self._settings
        if not settings.is_embedded_store and not settings.is_serving_drafts:
            return self
        app = _open_store(settings, self._clock)
        self._stack.callback(app.state.store.close)
        if settings.is_embedded_store:
            self.store_app = app
        if settings.is_serving_drafts:
            try:
                await self._serve(app)
            except BaseException:
                await self._stack.aclose()
                raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Speak to nobody any more, and close the store."""
        await self._stack.aclose()

    async def _serve(self, app: Starlette) -> None:
        settings, stack, store = self._settings, self._stack, app.state.store
        notify = settings.drafts.notify
        hosts = notify.hosts
        if hosts is None:
            # Who may reach us from elsewhere must not reach through us what listens here alone.
            hosts = LOOPBACK_HOSTS if settings.http.is_loopback else ()
        rules = EndpointRules(frozenset(hosts), notify.allow_plain_http)
        channel = SubscriptionChannel(
            rules, timeout_s=notify.timeout_s, tls=notification_tls(notify)
        )
        await stack.enter_async_context(channel)
        events = NotificationLog(JournalReader(settings.journal_path))
        stack.push_async_callback(events.close)
        subscriptions = Subscriptions(
            store,
            events,
            rules=rules,
            base_url=self._known_url,
            limit=notify.subscriptions_max,
            clock=self._clock,
        )
        await subscriptions.load()
        notifier = Notifier(
            subscriptions, events, channel, give_up_s=notify.give_up_s, clock=self._clock
        )
        if not settings.is_embedded_store:
            self._owe(Mirror(store, self._clock))
        self._owe(notifier)
        running = asyncio.create_task(notifier.run())
        stack.push_async_callback(_stop, running, notifier)
        self.routes = draft_routes(
            store,
            subscriptions,
            fhir_version=FHIR_VERSIONS[settings.fhir.version],
            software_version=version("prelim"),
            is_intake_open=settings.http.take_reports,
        )

    def _owe(self, carrier: Mirror | Notifier) -> None:
        self._outbound.receivers.append(carrier)
        self._outbound.carriers[carrier.kind] = carrier

    def _known_url(self) -> str:
        known = self._settings.drafts.base_url
        return self._base_url() if known is None else str(known).rstrip("/")


def _open_store(settings: Settings, clock: Clock) -> Starlette:
    try:
        return build_store(settings.data / "store.sqlite", now=clock.now)
    except (OSError, sqlite3.Error) as error:
        reason = f"the embedded store cannot be opened ({type(error).__name__})"
        raise ConfigurationError(reason, "data") from None


async def _stop(running: asyncio.Task[None], notifier: Notifier) -> None:
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    notifier.stop()
    await notifier.settle()


def notification_tls(notify: Notify) -> ssl.SSLContext | None:
    """Return whom we believe as a subscriber; None for what the system believes.

    Raises:
        ConfigurationError: The file cannot be used.
    """
    if notify.ca is None:
        return None
    return client_context(ClientTls(notify.ca), "drafts.notify.")

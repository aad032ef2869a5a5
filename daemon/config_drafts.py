"""Settings of what is served of drafts, and of who is told of them."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads it at run time
from typing import Annotated

from pydantic import Field, HttpUrl

from daemon.config_values import Area, Seconds
from interfaces.fhir_store_search import COUNT_MAX


class Notify(Area):
    """Whom a Subscription may name, and for how long a subscriber is tried."""

    hosts: tuple[str, ...] | None = Field(
        None,
        description="hosts that a Subscription's endpoint may be at; null is this machine while"
        " http.host is, and none otherwise",
    )
    allow_plain_http: bool = Field(
        default=False, description="let notifications travel unencrypted beyond this machine"
    )
    ca: Path | None = Field(
        None, description="PEM of authorities that subscribers' certificates are checked by"
    )
    timeout_s: Seconds = Field(15, description="one notification; a Subscription may ask for less")
    give_up_s: Seconds = Field(
        3 * 24 * 3600, description="a subscriber that takes nothing for this long is switched off"
    )
    subscriptions_max: Annotated[int, Field(gt=0, le=COUNT_MAX)] = Field(
        100, description="Subscriptions at once"
    )


class Drafts(Area):
    """Drafts to be read at /fhir, and Subscriptions to them."""

    serve: bool | None = Field(
        None,
        description="serve drafts at /fhir; null is yes beside the embedded store. Beside another"
        " FHIR server, a copy of each draft is kept here for it",
    )
    base_url: HttpUrl | None = Field(
        None, description="URL of /fhir as subscribers know it; null is made of http.host and port"
    )
    notify: Notify = Field(default_factory=Notify, description="notifications")

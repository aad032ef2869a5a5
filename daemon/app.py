"""The composition root: the only place that knows every part, and the order they start and stop in.

Start: lock, journal, HTTP, model worker, what leaves over MLLP, pipeline, then the doors, so that
whoever is heard is also stored. Stop: doors first, so that nothing new is promised; the journal
last. No sender waits for the model: an answer needs the disk alone.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

import structlog

from daemon.acknowledging import policy_of, rules_of
from daemon.application_acks import ApplicationAcks
from daemon.building import make_builder
from daemon.careful_reading import CarefulReading
from daemon.certificates import Certificates
from daemon.clock import SystemClock
from daemon.courtesy import Courtesy
from daemon.door_metrics import DoorMetrics
from daemon.doors import Doors
from daemon.drafting import DraftStep
from daemon.fhir_intake import FhirDoorIntake
from daemon.fhir_secrets import jwks_routes
from daemon.fhir_target import FhirTarget
from daemon.health import Health
from daemon.http_side import HttpSide
from daemon.intake import MllpIntake
from daemon.journal_remote import open_served_journal
from daemon.journal_sqlite import open_journal
from daemon.kafka_side import KafkaSide
from daemon.mapping import MapStep, plan_reports, warm_reader
from daemon.metrics import Metrics
from daemon.mllp_carriers import AcknowledgmentCarrier
from daemon.model_choice import PromptMaker, choose_redrafts, make_supervisor
from daemon.outbound import Outbound
from daemon.pipeline import Pipeline, PipelineLimits
from daemon.posting import PostStep
from daemon.serve_lock import acquire_serve_lock
from daemon.serving_drafts import ServedDrafts
from daemon.site_files import load_sites
from daemon.stage import Wakes
from daemon.validating import make_structure_check
from interfaces.fhir_door import intake_routes
from mappings.fhir_judge import warm_judge
from mappings.scope import plan_draft

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from starlette.routing import BaseRoute

    from daemon.clock import Clock
    from daemon.config import Settings
    from daemon.config_mllp import Listener
    from daemon.delivery import NewDelivery
    from daemon.journal_sqlite import SqliteJournal
    from daemon.validating import StructureCheck
    from interfaces.fhir_client import FhirClient
    from mappings.domain import RawReport
    from mappings.errors import PrelimError

log = structlog.get_logger()


class App:
    """One running daemon; use as an async context.

    Leaving the context drains: see the module's first lines for the order.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock | None = None,
        *,
        worker_stderr: int | None = None,
        is_writer_apart: bool = False,
    ) -> None:
        """Check what can be checked before anything is opened.

        Args:
            settings: Checked settings.
            clock: None for the machine's.
            worker_stderr: File descriptor for the worker's log lines; None for our own stderr.
            is_writer_apart: Have a process of its own write the journal, by the machine's clock.

        Raises:
            SiteMappingError: A site's table cannot be used.
            ConfigurationError: A receiver that a site or a listener names cannot be used.
            EngineUnavailableError: What the model needs is not there.
        """
        self.settings = settings
        self.metrics = Metrics()
        self.wakes = Wakes()
        self.certificates = Certificates()
        self.doors = Doors(self.certificates)
        self.http = HttpSide(settings.http, self.certificates)
        self._fhir_intake: FhirDoorIntake | None = None
        self.journal: SqliteJournal
        self.pipeline: Pipeline
        self._clock = clock or SystemClock()
        self._is_writer_apart = is_writer_apart
        self._sites = load_sites(settings.sites)
        self.outbound = Outbound(settings, self._sites, self._clock)
        self.application_acks = ApplicationAcks(
            {name: rules_of(listener) for name, listener in settings.mllp.listeners.items()},
            clock=self._clock,
            send_to=self.outbound.tell,
        )
        acknowledgments = AcknowledgmentCarrier(self.application_acks.deliver)
        self.outbound.carriers["application_ack"] = acknowledgments
        self.fhir = FhirTarget(settings, self._clock)
        self.kafka = KafkaSide(settings, self._clock)
        self.kafka.join(self.outbound)
        self.metrics.registry.register(DoorMetrics(self.doors, self.certificates, self._clock))
        self.metrics.registry.register(self.http.connections)
        self._prompt_of = PromptMaker(settings, self._sites)
        self.supervisor = make_supervisor(settings, self._clock, worker_stderr=worker_stderr)
        self._stack = AsyncExitStack()
        self._drained_by_s: float | None = None

    async def __aenter__(self) -> Self:
        """Start every part, the doors last.

        Raises:
            ConfigurationError: The journal is in use or unusable, or a port cannot be bound.
        """
        await self._stack.__aenter__()
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop every part in the opposite order."""
        log.info("daemon.stopping_started")
        self._left_s()
        await self._stack.aclose()
        log.info("daemon.stopped")

    def _left_s(self) -> float:
        """Return what is left of the drain: one deadline for all parts, set when first asked."""
        now_s = self._clock.monotonic_s()
        if self._drained_by_s is None:
            self._drained_by_s = now_s + self.settings.daemon.drain_timeout_s
        return max(0.5, self._drained_by_s - now_s)

    async def _start(self) -> None:
        settings, stack = self.settings, self._stack
        lock = stack.enter_context(acquire_serve_lock(settings.journal_path))
        self.journal = self._open_journal(lock)
        stack.push_async_callback(lambda: self.journal.close(self._left_s()))
        await self.journal.bind_target(str(settings.fhir.base_url or "embedded"))
        await self._start_http()
        stack.callback(asyncio.create_task(self.certificates.run()).cancel)
        target = self.fhir.open(self.fhir_base_url, self.http.store_token)
        poster = await stack.enter_async_context(target)
        self.metrics.registry.register(target)
        self.supervisor.start()
        stack.push_async_callback(lambda: self.supervisor.stop(self._left_s()))
        stack.push_async_callback(self.kafka.close)
        self.outbound.start(self.journal, self.metrics, self.wakes.delivering)
        stack.push_async_callback(lambda: self.outbound.drain(self._left_s()))
        self._start_pipeline(poster)
        stack.push_async_callback(lambda: self.pipeline.drain(self._left_s()))
        for name, listener in settings.mllp.listeners.items():
            await self._open_door(name, listener)
        self._open_topics()
        self.http.is_taking = True
        stack.callback(self._close_reports_door)
        log.info("daemon.started", version=version("prelim"), count=len(self.doors))

    def _open_journal(self, lock: int) -> SqliteJournal:
        settings = self.settings
        open_ = (
            partial(open_served_journal, lock=lock, log_level=settings.logs.level)
            if self._is_writer_apart
            else partial(open_journal, clock=self._clock)
        )
        return open_(
            settings.journal_path,
            on_head=log_head,
            anchor_every=settings.logs.anchor_entries,
            is_left_on_final=settings.fhir.on_final == "leave",
        )

    async def _start_http(self) -> None:
        settings = self.settings
        health = Health(
            self.journal,
            self.supervisor,
            self.metrics,
            is_shadow=settings.fhir_write == "off",
            more_checks=lambda: {**self.fhir.checks(), **self.kafka.checks()},
            are_doors_open=lambda: len(self.doors) == len(settings.mllp.listeners),
        )
        drafts = await self._stack.enter_async_context(
            ServedDrafts(
                settings, self.outbound, base_url=lambda: self.http.fhir_url, clock=self._clock
            )
        )
        await self.http.start(
            ready=health.ready,
            metrics_text=health.metrics_text,
            store_app=drafts.store_app,
            fhir_routes=[*self._reports_door(), *drafts.routes],
            open_routes=jwks_routes(settings.fhir),
        )
        self._stack.push_async_callback(lambda: self.http.stop(self._left_s()))

    def _reports_door(self) -> Sequence[BaseRoute]:
        if not self.settings.http.take_reports:
            return ()
        warm_judge()
        self._fhir_intake = FhirDoorIntake(
            self.journal,
            clock=self._clock,
            metrics=self.metrics,
            wake_next=self.wakes.mapping.set,
            is_open=lambda: self.http.is_taking,
        )
        return intake_routes(self._fhir_intake)

    @property
    def fhir_base_url(self) -> str:
        """Where drafts go."""
        if self.settings.fhir.base_url is not None:
            return str(self.settings.fhir.base_url).rstrip("/")
        return self.http.store_url

    def _start_pipeline(self, poster: FhirClient) -> None:
        settings = self.settings
        warm_reader(self._sites)
        self.pipeline = Pipeline(
            self.journal,
            map_step=MapStep(
                self.journal,
                plan=lambda raw: plan_reports(raw, self._sites),
                metrics=self.metrics,
                wake_next=self.wakes.after_mapping,
                check=self._make_check(),
                owed=self._owed_when_read,
                guard=CarefulReading(self.journal, started_at=self._clock.now()).guard,
            ),
            draft_step=DraftStep(
                self.journal,
                drafter=self.supervisor,
                plan=lambda study: plan_draft(study, self._sites.named(study.site)),
                prompt_of=self._prompt_of,
                build=make_builder(settings.fhir),
                redrafts_max=choose_redrafts(settings),
                is_demo_allowed=settings.is_embedded_store or settings.model.allow_demo,
                retry=settings.model.retry,
                clock=self._clock,
                metrics=self.metrics,
                wake_next=self.wakes.posting.set,
            ),
            post_step=PostStep(
                self.journal,
                poster=poster,
                retry=settings.fhir.retry,
                clock=self._clock,
                metrics=self.metrics,
                owed=self.outbound,
                wake_next=self.wakes.delivering.set,
            ),
            limits=PipelineLimits(
                drafts_in_flight_max=settings.model.requests_in_flight_max,
                posts_in_flight_max=settings.fhir.posts_in_flight_max,
                is_shadow=settings.fhir_write == "off",
                may_post=lambda: poster.may_post,
                wait_turn=Courtesy(self._is_answering, self._clock).wait_turn,
                is_model_ready=lambda: self.supervisor.is_ready,
            ),
            wakes=self.wakes,
            clock=self._clock,
        )
        self.pipeline.start()

    def _owed_when_read(self, raw: RawReport, error: PrelimError | None) -> tuple[NewDelivery, ...]:
        letters = self.kafka.dead_letters.plan_rejected(raw, error)
        return (*self.application_acks.plan(raw, error), *letters)

    def _is_answering(self) -> bool:
        door = self._fhir_intake
        return self.doors.is_answering or (door is not None and door.is_answering)

    def _make_check(self) -> StructureCheck | None:
        made = make_structure_check(self._sites, self.metrics)
        if made is None:
            return None
        check, pool = made
        self._stack.push_async_callback(pool.close)
        return check

    async def _open_door(self, name: str, listener: Listener) -> None:
        intake = MllpIntake(
            self.journal,
            policy=policy_of(listener),
            rules=rules_of(listener),
            application_acks=self.application_acks,
            clock=self._clock,
            metrics=self.metrics,
            wake_next=self.wakes.mapping.set,
        )
        await self.doors.open(name, listener, intake)
        self._stack.push_async_callback(self._close_door, name)

    def _close_reports_door(self) -> None:
        self.http.is_taking = False

    def _open_topics(self) -> None:
        self.kafka.open_door(self.journal, self.metrics, self.wakes)
        self._stack.push_async_callback(lambda: self.kafka.close_door(self._left_s()))

    async def _close_door(self, name: str) -> None:
        await self.doors.close(name, self._left_s())


def log_head(sequence: int, head: str) -> None:
    """Put the chain's head into the log stream, where a later cut can be proven against it."""
    log.info("audit.head_anchored", sequence=sequence, head=head)

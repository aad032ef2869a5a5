"""From the settings to the engine that drafts, and to the prompt that each report is asked with."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import model
from daemon.model_supervisor import ModelSupervisor
from mappings.errors import SiteMappingError
from mappings.sites import SiteSet
from model.batching import BatchLimits
from model.engine import EngineConfiguration, ServerConfiguration
from model.engines.openai_server import OpenAiServer
from model.engines.weights import taught_plan
from model.errors import EngineUnavailableError
from model.prompt import DEFAULT_PLAN, SitePrompt, build_prompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.clock import Clock
    from daemon.config import Settings
    from daemon.config_model_server import ModelServer
    from mappings.domain import Findings, Prompt

DEMO_ADAPTER = "demo"
_LIBRARIES = ("torch", "transformers", "peft")


def choose_adapters(settings: Settings) -> tuple[str, ...]:
    """Return the names of the adapters that a report may be drafted with."""
    if settings.model.engine == "openai":
        return settings.model.adapter_names
    return tuple(_adapter_folders(settings))


def _adapter_folders(settings: Settings) -> dict[str, Path]:
    """Return the adapters by name: the settings', or with the demo base the shipped one."""
    if settings.model.adapters or settings.model.base is not None:
        return dict(settings.model.adapters)
    return {DEMO_ADAPTER: Path(model.__file__).parent / "demo_adapter"}


def choose_engine(settings: Settings) -> EngineConfiguration:
    """Return what the worker is told to load.

    Raises:
        EngineUnavailableError: Libraries or folders are missing; better told at start than after
            the first message was taken.
    """
    chosen = settings.model
    if chosen.engine == "extractive":
        return EngineConfiguration(engine="extractive", delay_s=chosen.extractive_delay_s)
    if chosen.server is not None and chosen.engine == "openai":
        return _choose_server(chosen.server)
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise EngineUnavailableError(
            f"{', '.join(missing)} not installed: install prelim[model], or choose extractive",
            "model.engine",
        )
    adapters = _adapter_folders(settings)
    for name, folder in adapters.items():
        if not folder.is_dir():
            raise EngineUnavailableError("no such folder", f"model.adapters.{name}")
    if chosen.base is not None and not chosen.base.is_dir():
        raise EngineUnavailableError("no such folder", "model.base")
    return EngineConfiguration(
        engine="transformers",
        base=None if chosen.base is None else str(chosen.base),
        adapters={name: str(folder) for name, folder in adapters.items()},
        device=chosen.device,
        dtype=chosen.dtype,
        threads=chosen.threads,
        is_demo=settings.is_demo_engine,
    )


def _choose_server(chosen: ModelServer) -> EngineConfiguration:
    server = ServerConfiguration(
        url=str(chosen.url).rstrip("/"),
        base=chosen.base,
        key_file=None if chosen.key_file is None else str(chosen.key_file),
        ca=None if chosen.ca is None else str(chosen.ca),
        timeout_s=chosen.timeout_s,
        control_tokens=chosen.control_tokens,
        digests=chosen.digests,
    )
    OpenAiServer(server)  # reads its files, to tell of a wrong one now
    return EngineConfiguration(
        engine="openai",
        adapters=dict.fromkeys(chosen.adapters, ""),
        is_demo=chosen.is_demo,
        server=server,
    )


def choose_redrafts(settings: Settings) -> int:
    """Return how many redrafts a refused draft may have: none of an engine without chance."""
    return 0 if settings.model.engine == "extractive" else settings.model.redrafts


def make_supervisor(
    settings: Settings, clock: Clock, *, worker_stderr: int | None = None
) -> ModelSupervisor:
    """Return the supervisor of the chosen engine, not started.

    Args:
        settings: What drafts.
        clock: For what is logged.
        worker_stderr: File descriptor for the worker's log lines; None for our own stderr.

    Raises:
        EngineUnavailableError: See ``choose_engine``.
    """
    batch = settings.model.batch
    return ModelSupervisor(
        choose_engine(settings),
        clock=clock,
        limits=BatchLimits(
            size_max=batch.size_max, tokens_max=batch.tokens_max, wait_ms=batch.wait_ms
        ),
        request_timeout_s=settings.model.request_timeout_s,
        start_timeout_s=settings.model.start_timeout_s,
        stderr=worker_stderr,
    )


class PromptMaker:
    """Asks for an impression with the adapter, style and limits of the report's site.

    The adapter is the site's for the exam, else the settings' default one; it is asked as it was
    taught.
    """

    def __init__(self, settings: Settings, sites: SiteSet | None = None) -> None:
        """Take the sites, none for the default alone.

        Raises:
            SiteMappingError: A site names an adapter that is not there.
            EngineUnavailableError: An adapter's card asks for a prompt that is not known here.
        """
        chosen = settings.model
        self._sites = sites or SiteSet()
        self._has_adapters = chosen.engine != "extractive"
        adapters = choose_adapters(settings) if self._has_adapters else ()
        if self._has_adapters:
            _check_adapters(self._sites, adapters)
        self._adapter = chosen.default_adapter or next(iter(adapters), None)
        self._output_tokens_max = chosen.output_tokens_max
        folders = _adapter_folders(settings) if chosen.engine == "transformers" else {}
        self._plans = {
            name: taught_plan(folder, f"model.adapters.{name}") for name, folder in folders.items()
        }

    def __call__(self, findings: Findings) -> Prompt:
        """Return the prompt for one report."""
        site = self._sites.named(findings.site)
        own = site.adapter_for(findings.exam) if self._has_adapters else None
        style = site.style_for(findings.exam)
        adapter = own or self._adapter
        return build_prompt(
            findings,
            site_prompt=None if style is None else SitePrompt(style),
            adapter=adapter,
            output_tokens_max=self._output_tokens_max,
            plan=self._plans.get(adapter or "", DEFAULT_PLAN),
        )


def _check_adapters(sites: SiteSet, adapters: Sequence[str]) -> None:
    for site in sites.sites:
        for number, rule in enumerate(site.drafting, 1):
            if rule.adapter is not None and rule.adapter not in adapters:
                where = f"{site.name}/site.yaml: drafting[{number}]: adapter"
                raise SiteMappingError("no_such_adapter", where)

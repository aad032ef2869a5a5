"""Settings: one frozen object, nested by area, read from YAML with ``PRELIM_AREA__FIELD`` over it.

A value that makes no sense, or a name that we do not know, stops the start with exit code 2 and the
field's path; nothing is guessed. Defaults bind to loopback and need no other server.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_args, get_origin

import platformdirs
import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from daemon.config_drafts import Drafts
from daemon.config_fhir import Fhir, WriteSetting
from daemon.config_http import Http
from daemon.config_kafka import Kafka
from daemon.config_mllp import Mllp
from daemon.config_model_server import ModelServer  # noqa: TC001 - pydantic reads it at run time
from daemon.config_values import Area, Count, Seconds, SecondsOrOff
from daemon.errors import ConfigurationError
from interfaces.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

ENVIRONMENT_PREFIX = "PRELIM_"
REDRAFTS_MAX = 16


class JournalSettings(Area):
    """Durable storage."""

    url: str | None = Field(
        None,
        pattern=r"^sqlite:///.+",
        description="sqlite:///PATH; null is journal.sqlite in the data folder",
    )


class Batch(Area):
    """Dynamic batching in the worker."""

    size_max: Count = Field(8, description="prompts in one batch")
    tokens_max: Count = Field(16384, description="tokens in one batch, padding counted")
    wait_ms: Annotated[int, Field(ge=0)] = Field(20, description="wait for a fuller batch")


class DraftRetry(Area):
    """How often a draft is tried again after the worker was lost."""

    attempts_max: Count = Field(3, description="claims of one report before it is FAILED")
    wait_s: Seconds = Field(1, description="wait before the next")


class Model(Area):
    """What drafts."""

    engine: Literal["transformers", "openai", "extractive"] = Field(
        "transformers",
        description="openai asks a server such as vLLM; extractive needs no weights: it copies"
        " abnormal sentences",
    )
    server: ModelServer | None = Field(None, description="for the engine openai")
    base: Path | None = Field(None, description="folder of the base model; null is the demo base")
    device: str = Field(
        "cpu", pattern=r"^(cpu|cuda(:[0-9]+)?)$", description="torch device: cpu, cuda, cuda:1"
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="auto is bfloat16 where the device computes in it"
    )
    threads: Annotated[int, Field(ge=0)] = Field(0, description="CPU threads; 0 leaves it to torch")
    adapters: dict[str, Path] = Field(
        default_factory=dict,
        description="PEFT adapter folders by name; empty is the demo's, with the demo base",
    )
    default_adapter: str | None = Field(
        None, description="the adapter that drafts; null is the only one there is"
    )
    output_tokens_max: Count | None = Field(
        None, description="longest draft in tokens; null grows it with the findings, 64 to 320"
    )
    redrafts: Annotated[int, Field(ge=0, le=REDRAFTS_MAX)] = Field(
        0,
        description="drafts by chance that may follow one that a check refuses, until one passes;"
        " docs/EVALUATION.md says what they cost; extractive makes none",
    )
    request_timeout_s: Seconds = Field(120, description="a silent worker is replaced after this")
    start_timeout_s: Seconds = Field(300, description="time to load and answer hello")
    requests_in_flight_max: Count = Field(32, description="prompts handed to the worker at once")
    batch: Batch = Field(default_factory=Batch, description="dynamic batching")
    retry: DraftRetry = Field(default_factory=DraftRetry, description="after a lost worker")
    allow_demo: bool = Field(
        default=False, description="let a demo engine's drafts go to a real FHIR server or receiver"
    )
    extractive_delay_s: SecondsOrOff = Field(0, description="slow the extractive engine, for tests")

    @property
    def adapter_names(self) -> tuple[str, ...]:
        """The adapters of the settings: the server's, or those in folders."""
        if self.engine == "openai" and self.server is not None:
            return self.server.adapters
        return tuple(self.adapters)

    @model_validator(mode="after")
    def _know_the_server(self) -> Self:
        if self.engine == "openai" and self.server is None:
            raise ValueError("engine openai needs server")
        if self.engine == "openai" and (self.base is not None or self.adapters):
            raise ValueError("with engine openai, base and adapters are named in server")
        return self


class Logs(Area):
    """What is written to stderr."""

    level: Literal["info", "warning", "error"] = Field("info", description="lowest level written")
    anchor_entries: Count = Field(1000, description="log the audit chain's head every N entries")


class Process(Area):
    """The daemon as a process."""

    drain_timeout_s: Seconds = Field(30, description="time to finish work after SIGTERM")


class Settings(Area):
    """Everything an installation can set."""

    data: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("prelim", appauthor=False)),
        description="folder of the journal and the embedded store (also --data)",
    )
    mllp: Mllp = Field(default_factory=Mllp, description="HL7 v2 over MLLP")
    kafka: Kafka = Field(default_factory=Kafka, description="Kafka in and out")
    http: Http = Field(default_factory=Http, description="health, metrics, FHIR, embedded store")
    drafts: Drafts = Field(default_factory=Drafts, description="drafts to be read")
    fhir: Fhir = Field(default_factory=Fhir, description="where drafts go")
    journal: JournalSettings = Field(default_factory=JournalSettings, description="storage")
    sites: Path | None = Field(None, description="folder with one mapping folder per site")
    model: Model = Field(default_factory=Model, description="what drafts")
    logs: Logs = Field(default_factory=Logs, description="what is logged")
    daemon: Process = Field(default_factory=Process, description="the process")

    @property
    def is_embedded_store(self) -> bool:
        """Whether drafts go to the store inside this process."""
        return self.fhir.base_url is None

    @property
    def is_serving_drafts(self) -> bool:
        """Whether drafts can be read at /fhir."""
        return self.is_embedded_store if self.drafts.serve is None else self.drafts.serve

    @property
    def fhir_write(self) -> WriteSetting:
        """The write mode in force: a real server starts in shadow."""
        if self.fhir.write is not None:
            return self.fhir.write
        return "put" if self.is_embedded_store else "off"

    @property
    def journal_path(self) -> Path:
        """The SQLite file."""
        if self.journal.url is None:
            return self.data / "journal.sqlite"
        return Path(self.journal.url.removeprefix("sqlite:///"))

    @property
    def is_demo_engine(self) -> bool:
        """Whether what drafts is fit for a demonstration only."""
        if self.model.engine == "openai":
            return self.model.server is not None and self.model.server.is_demo
        return self.model.engine == "extractive" or self.model.base is None


def load_settings(
    file: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Read and check the settings: the file, the environment over it, the command line over both.

    Args:
        file: YAML file; None for defaults.
        overrides: Nested values from the command line.
        environment: Variables; None for the process's own.

    Raises:
        ConfigurationError: With the path of the first wrong field.
    """
    values = _merge(_read_yaml(file), _read_environment(environment))
    try:
        settings = Settings.model_validate(_merge(values, overrides or {}))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(first["msg"], where or None) from None
    _check_safety(settings)
    return settings


def _read_yaml(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot_read_file ({type(error).__name__})", str(file)) from None
    except yaml.YAMLError:
        raise ConfigurationError("not_yaml", str(file)) from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigurationError("not_a_mapping", str(file))
    return values


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay ``above`` over ``below``, level by level."""
    merged = dict(below)
    for name, value in above.items():
        under = merged.get(name)
        both = isinstance(value, dict) and isinstance(under, dict)
        merged[name] = _merge(under, value) if both else value  # type: ignore[arg-type]
    return merged


def _check_safety(settings: Settings) -> None:
    """Refuse what could harm a patient or give a report away."""
    if settings.is_demo_engine and not settings.is_embedded_store and not settings.model.allow_demo:
        raise ConfigurationError(
            "a demo engine must not write to a real FHIR server; set model.base and model.adapters,"
            " or model.allow_demo: true for a test",
            "model.allow_demo",
        )
    url = settings.fhir.base_url
    if url is not None and (url.username or url.password):
        raise ConfigurationError("no credentials in a URL: it is printed", "fhir.base_url")
    if url is not None and (url.query is not None or url.fragment is not None):
        raise ConfigurationError("the base alone: no query, no fragment", "fhir.base_url")
    is_plain = url is not None and url.scheme == "http" and not is_loopback(url.host)
    if is_plain and not settings.fhir.allow_plain_http:
        raise ConfigurationError(
            "http beyond loopback would send reports in the clear", "fhir.base_url"
        )
    adapters, chosen = settings.model.adapter_names, settings.model.default_adapter
    if chosen is not None and chosen not in adapters:
        raise ConfigurationError("no such adapter", "model.default_adapter")
    if chosen is None and len(adapters) > 1:
        raise ConfigurationError("say which of the adapters drafts", "model.default_adapter")
    if not settings.mllp.listeners:
        raise ConfigurationError("at least one listener is needed", "mllp.listeners")


def _read_environment(environment: Mapping[str, str] | None) -> dict[str, Any]:
    """Nest ``PRELIM_AREA__FIELD`` variables; refuse a misspelt one.

    ``PRELIM_DATA`` is the one name without an area. Other ``PRELIM_*`` names are left alone: a
    container platform injects some.
    """
    values: dict[str, Any] = {}
    for name, value in sorted((os.environ if environment is None else environment).items()):
        if not name.startswith(ENVIRONMENT_PREFIX):
            continue
        path = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        if len(path) == 1 and path != ["data"]:
            continue
        if path not in (["mllp", "host"], ["mllp", "port"]) and not _is_known(Settings, path):
            raise ConfigurationError("unknown variable", name)
        try:
            nested: dict[str, Any] = {path[-1]: _parse_variable(value)}
        except yaml.YAMLError:
            raise ConfigurationError("not_yaml", name) from None
        for part in reversed(path[:-1]):
            nested = {part: nested}
        values = _merge(values, nested)
    return values


def _parse_variable(value: str) -> object:
    """A list, a mapping or null as YAML; anything else as text, which the field's type reads."""
    if value == "null" or value.startswith(("[", "{")):
        return yaml.safe_load(value)
    return value


def _is_known(model: type[BaseModel], path: list[str]) -> bool:
    field = model.model_fields.get(path[0])
    if field is None:
        return False
    kind, rest = field.annotation, path[1:]
    if get_origin(kind) is dict:
        kind, rest = get_args(kind)[1], rest[1:]
    if not rest:
        return True
    area = find_area(kind)
    return area is not None and _is_known(area, rest)


def find_area(kind: object) -> type[BaseModel] | None:
    """Return the area that a setting holds, or may hold (`ListenerTls | None`)."""
    options = [kind, *get_args(kind)]
    areas = [each for each in options if isinstance(each, type) and issubclass(each, BaseModel)]
    return areas[0] if areas else None

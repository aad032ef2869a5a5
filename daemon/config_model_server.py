"""Settings of the server that drafts with ``model.engine: openai``. Prompts go there: that is
patient data leaving this machine.
"""

from __future__ import annotations

import re
from pathlib import Path  # noqa: TC003 - pydantic reads it at run time
from typing import Annotated, Self

from pydantic import Field, HttpUrl, field_validator, model_validator

from daemon.config_values import Area, Seconds
from interfaces.loopback import is_loopback

Name = Annotated[str, Field(min_length=1)]


class ModelServer(Area):
    """A server that speaks OpenAI's completions API, such as vLLM."""

    url: HttpUrl = Field(description="root of the server, without /v1")
    base: Name = Field(description="the base model's name at the server")
    adapters: tuple[Name, ...] = Field((), description="the LoRA adapters' names at the server")
    key_file: Path | None = Field(
        None, description="file with the server's API key, read again for each batch"
    )
    ca: Path | None = Field(None, description="PEM of authorities to believe; null is the system's")
    allow_plain_http: bool = Field(
        default=False, description="let report text travel unencrypted beyond this machine"
    )
    timeout_s: Seconds = Field(60, description="a draft must be answered within this")
    control_tokens: tuple[Annotated[str, Field(min_length=2)], ...] = Field(
        (),
        description="control tokens of the base that open with neither < nor [; in report text they"
        " are broken up, as all others are",
    )
    digests: dict[str, str] = Field(
        default_factory=dict,
        description="sha256 of what the server has loaded, by its name there; kept with each draft",
    )
    is_demo: bool = Field(
        default=False, description="what it has loaded is for show: drafts are labelled so"
    )

    @field_validator("digests")
    @classmethod
    def _be_sha256(cls, value: dict[str, str]) -> dict[str, str]:
        if not all(re.fullmatch("[0-9a-f]{64}", digest) for digest in value.values()):
            raise ValueError("64 hexadecimal digits, in small letters")
        return value

    @model_validator(mode="after")
    def _be_private(self) -> Self:
        url = self.url
        if url.username or url.password:
            raise ValueError("no credentials in a URL: use key_file")
        if url.query is not None or url.fragment is not None:
            raise ValueError("url: the root alone, no query, no fragment")
        if (url.path or "").rstrip("/").endswith("/v1"):
            raise ValueError("url: the root of the server, without /v1")
        is_plain = url.scheme == "http" and not is_loopback(url.host)
        if is_plain and not self.allow_plain_http:
            raise ValueError("http beyond loopback would send reports in the clear")
        return self

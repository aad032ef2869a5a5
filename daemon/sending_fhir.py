"""``prelim send --to URL``: many FHIR resources over HTTP, each answer as it comes.

Each goes where its kind does: a message to ``$process-message``, another Bundle to the base, a
report to its type. One that got no answer is told and not sent again.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from daemon.cli_options import print_json
from daemon.errors import ConfigurationError
from interfaces.errors import PostRefusedError, PostRetryError
from interfaces.fhir_credentials import Bearer
from interfaces.fhir_http import FhirHttp
from mappings.errors import ResourceRefusedError
from mappings.fhir_in_header import peek_resource
from mappings.fhir_json import find_object
from mappings.fhir_wire import issue_codes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from interfaces.client_tls import ClientTls

_ACCEPTED = range(200, 300)


@dataclass(frozen=True, slots=True)
class PostPlan:
    """Where to and how. ``token_file`` holds a bearer token."""

    url: str
    concurrency: int = 1
    timeout_s: float = 30
    token_file: Path | None = None
    tls: ClientTls | None = None


@dataclass(frozen=True, slots=True)
class _Result:
    index: int
    status: int | None
    reason: str | None
    seconds: float


async def post_all(payloads: Sequence[bytes], plan: PostPlan, *, as_json: bool) -> bool:
    """Post every resource once.

    Args:
        payloads: FHIR JSON.
        plan: Where to and how.
        as_json: Print one JSON object a resource, and one for all.

    Returns:
        Whether every one was accepted (a status of 200 to 299).

    Raises:
        ConfigurationError: One is no FHIR resource.
    """
    paths = [_path_of(payload) for payload in payloads]
    places = asyncio.Semaphore(plan.concurrency)
    results: list[_Result] = []
    async with FhirHttp(
        plan.url,
        timeout_s=plan.timeout_s,
        credentials=Bearer(plan.token_file) if plan.token_file else None,
        tls=plan.tls.make_context() if plan.tls else None,
    ) as http:

        async def post(index: int) -> None:
            async with places:
                result = await _post_one(http, index, paths[index], payloads[index])
            results.append(result)
            _print(result, as_json=as_json)

        await asyncio.gather(*map(post, range(len(payloads))))
    counts = dict(sorted(Counter(str(one.status or "none") for one in results).items()))
    if as_json:
        print_json({"sent": len(results), "codes": counts})
    else:
        words = ", ".join(f"{count} {code}" for code, count in counts.items())
        sys.stdout.write(f"{len(results)} sent: {words or 'nothing'}\n")
    return all(result.status in _ACCEPTED for result in results)


def _path_of(payload: bytes) -> str:
    try:
        header = peek_resource(payload)
    except ResourceRefusedError as error:
        raise ConfigurationError(f"not FHIR JSON ({error.reason})", "files") from None
    if header.bundle_type:
        return "$process-message" if header.bundle_type == "message" else ""
    return header.message_type


async def _post_one(http: FhirHttp, index: int, path: str, payload: bytes) -> _Result:
    started_s = time.monotonic()
    try:
        reply = await http.exchange("POST", path, body=payload)
    except (PostRetryError, PostRefusedError) as error:
        return _Result(index, None, error.reason, time.monotonic() - started_s)
    reason = None if reply.status in _ACCEPTED else _reason(reply.body)
    return _Result(index, reply.status, reason, time.monotonic() - started_s)


def _reason(body: bytes) -> str | None:
    """Return the issue types of an OperationOutcome: of its words no other is repeated."""
    return ",".join(issue_codes(find_object(body))) or None


def _print(result: _Result, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "index": result.index,
                "status": result.status,
                "seconds": round(result.seconds, 6),
                "error": result.reason,
            }
        )
        return
    answer = str(result.status) if result.status else "no answer"
    reason = f" ({result.reason})" if result.reason else ""
    sys.stdout.write(f"{result.index:>4}  {answer}{reason}  {result.seconds * 1000:.1f} ms\n")

"""``prelim send``: many messages over MLLP, each answer as it comes, latencies at the end."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from daemon.certificates import client_context
from daemon.cli_options import print_json
from daemon.errors import ConfigurationError
from interfaces.client_tls import ClientTls
from interfaces.mllp_client import run_send

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from interfaces.mllp_client import Awaited, SendResult

SENT = "sent"
"""What is said of a message that nobody was asked to answer."""
LINES_MAX = 20
"""More messages than this are summed up, not listed."""


@dataclass(frozen=True, slots=True)
class SendPlan:
    """Where to and how; see ``interfaces.mllp_client.run_send``."""

    host: str
    port: int
    concurrency: int = 1
    timeout_s: float = 30
    tls: ClientTls | None = None
    awaited: Awaited = "first"


async def send_all(payloads: Sequence[bytes], plan: SendPlan, *, as_json: bool) -> bool:
    """Send every message once.

    Args:
        payloads: Messages without framing bytes.
        plan: Where to and how.
        as_json: Print one JSON object a message, and one for all.

    Returns:
        Whether every message was accepted.
    """
    results: list[SendResult] = []
    with Progress(console=Console(stderr=True), transient=True, disable=as_json) as progress:
        task = progress.add_task("sending", total=len(payloads))
        async for result in run_send(
            payloads,
            plan.host,
            plan.port,
            concurrency=plan.concurrency,
            timeout_s=plan.timeout_s,
            tls=plan.tls,
            awaited=plan.awaited,
        ):
            results.append(result)
            progress.advance(task)
            if as_json:
                print_json(_record(result))
            elif len(payloads) <= LINES_MAX:
                _print_line(result)
    _print_sum(results, as_json=as_json)
    return all(result.is_accepted for result in results)


def choose_tls(ca: Path | None, certificate: Path | None, key: Path | None) -> ClientTls | None:
    """Return what the files make; None, for plain MLLP, without any.

    Raises:
        ConfigurationError: A key without its certificate, or a file that cannot be used.
    """
    if key is not None and certificate is None:
        raise ConfigurationError("a key needs its certificate", "--tls-certificate")
    if ca is None and certificate is None:
        return None
    tls = ClientTls(ca, certificate, key)
    client_context(tls, "--tls-")
    return tls


def percentile(sorted_seconds: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` of a sorted, non-empty sequence lies."""
    return sorted_seconds[min(len(sorted_seconds) - 1, int(share * len(sorted_seconds)))]


def _record(result: SendResult) -> dict[str, object]:
    return {
        "index": result.index,
        "code": result.code,
        "message_control_id": result.control_id.decode("latin-1"),
        "seconds": round(result.seconds, 6),
        "error": result.error_reason,
    }


def _print_line(result: SendResult) -> None:
    control_id = result.control_id.decode("latin-1")
    answer = result.code or (f"no answer ({result.error_reason})" if result.error_reason else SENT)
    sys.stdout.write(f"{result.index:>4}  {control_id}  {answer}  {result.seconds * 1000:.1f} ms\n")


def _word(result: SendResult) -> str:
    return result.code or ("none" if result.error_reason else SENT)


def _print_sum(results: Sequence[SendResult], *, as_json: bool) -> None:
    answered = sorted(result.seconds for result in results if result.code)
    counts = dict(sorted(Counter(_word(result) for result in results).items()))
    quantiles = {
        f"p{round(share * 100)}_ms": round(percentile(answered, share) * 1000, 2)
        for share in (0.5, 0.99)
        if answered
    }
    if as_json:
        print_json({"sent": len(results), "codes": counts, **quantiles})
        return
    words = ", ".join(f"{count} {code}" for code, count in counts.items())
    latency = ", ".join(f"{name.removesuffix('_ms')} {ms} ms" for name, ms in quantiles.items())
    sys.stdout.write(f"{len(results)} sent: {words or 'nothing'}; answers {latency or 'none'}\n")

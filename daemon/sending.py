"""``prelim send``: many messages over MLLP, each answer as it comes, latencies at the end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from daemon.cli_options import print_json
from interfaces.mllp_client import run_send

if TYPE_CHECKING:
    from collections.abc import Sequence

    from interfaces.mllp_client import SendResult

ACCEPTED = frozenset({"AA", "CA"})
LINES_MAX = 20
"""More messages than this are summed up, not listed."""


async def send_all(
    payloads: Sequence[bytes],
    *,
    host: str,
    port: int,
    concurrency: int,
    timeout_s: float,
    as_json: bool,
) -> bool:
    """Send every message once.

    Args:
        payloads: Messages without framing bytes.
        host: Of the listener.
        port: Of the listener.
        concurrency: Connections at once; on each, one message after the other.
        timeout_s: For each answer.
        as_json: Print one JSON object a message, and one for all.

    Returns:
        Whether every message was accepted.
    """
    results: list[SendResult] = []
    with Progress(console=Console(stderr=True), transient=True, disable=as_json) as progress:
        task = progress.add_task("sending", total=len(payloads))
        async for result in run_send(
            payloads, host, port, concurrency=concurrency, timeout_s=timeout_s
        ):
            results.append(result)
            progress.advance(task)
            if as_json:
                print_json(_record(result))
            elif len(payloads) <= LINES_MAX:
                _print_line(result)
    _print_sum(results, as_json=as_json)
    return all(result.code in ACCEPTED for result in results)


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
    answer = result.code or f"no answer ({result.error_reason})"
    sys.stdout.write(f"{result.index:>4}  {control_id}  {answer}  {result.seconds * 1000:.1f} ms\n")


def _print_sum(results: Sequence[SendResult], *, as_json: bool) -> None:
    answered = sorted(result.seconds for result in results if result.code)
    codes = sorted({result.code or "none" for result in results})
    counts = {code: sum((result.code or "none") == code for result in results) for code in codes}
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

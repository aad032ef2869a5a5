"""Ends a process of ours that has been told to go."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio.subprocess import Process

EXIT_WAIT_S = 2.0


async def end_process(process: Process) -> int:
    """Wait for a process whose socket is closed, and kill it if it does not go at once.

    Returns:
        Its exit code.
    """
    try:
        async with asyncio.timeout(EXIT_WAIT_S):
            return await process.wait()
    except TimeoutError:
        process.kill()
        return await process.wait()

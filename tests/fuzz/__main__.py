"""``make fuzz``: millions of frames through codec and reader, thousands through a real door.

    python -m tests.fuzz [--frames 5000000] [--real 50000] [--seed 1] [--processes N]
    python -m tests.fuzz --frames 32 --first 123456        the batch that broke something, again

Exit 1 when a promise did not hold. The same seed gives the same frames.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import sys
import tempfile
import time
import traceback
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.fuzz.door_fuzz import fuzz_door
from tests.fuzz.reader_fuzz import BATCH, BrokenPromiseError, Tally, resident_bytes, run_stretch

STRETCH = 625 * BATCH
WARM_STRETCHES = 2
GROWTH_BYTES_MAX = 32 * 1024 * 1024
_MIB = 1024 * 1024


def fuzz_readers(options: argparse.Namespace, progress: Progress) -> bool:
    """Share the frames among processes; say what became of them, and whether memory grew."""
    task = progress.add_task("codec and reader", total=options.frames)
    total, memory = Tally(), dict[int, list[int]]()
    last = options.first + options.frames
    starts = range(options.first, last, STRETCH)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.processes, mp_context=context) as pool:
        jobs = [
            pool.submit(run_stretch, options.seed, first, min(STRETCH, last - first))
            for first in starts
        ]
        try:
            for job in as_completed(jobs):
                process, tally, held = job.result()
                total.add(tally)
                memory.setdefault(process, []).append(held)
                progress.update(task, advance=tally.frames)
        except BrokenPromiseError:
            pool.shutdown(cancel_futures=True)
            raise
    for outcome, count in total.outcomes.most_common():
        say(f"  {count:>10,}  {outcome}")
    slowest_ms = 1000 * total.slowest_s
    say(f"  slowest message {slowest_ms:.0f} ms of CPU (in the {BATCH} from {total.slowest_first})")
    grown = [held for held in memory.values() if not told_growth(held)]
    return not grown


def told_growth(held: list[int]) -> bool:
    """Say how much a worker grew after it was warm, and whether that is little enough."""
    warm, end = held[min(WARM_STRETCHES, len(held)) - 1], held[-1]
    say(f"  a worker held {warm / _MIB:.1f} MiB when warm and {end / _MIB:.1f} MiB at the end")
    return end - warm <= GROWTH_BYTES_MAX


def fuzz_real_door(options: argparse.Namespace, progress: Progress) -> bool:
    """Send frames over sockets into a journal; say what is stored, and whether memory grew."""
    task = progress.add_task("real door", total=options.real)
    half: list[int] = []

    def on_batch(count: int) -> None:
        progress.update(task, advance=count)
        if not half and progress.tasks[task].completed >= options.real / 2:
            half.append(resident_bytes())

    with tempfile.TemporaryDirectory(dir=options.data) as folder:
        tally = asyncio.run(fuzz_door(options.seed, options.real, Path(folder), on_batch))
    say(f"  {tally.frames:,} frames, answers {dict(tally.codes)}, {tally.stored:,} stored,")
    say(f"  every one of {len(tally.accepted):,} accepted control ids among them,")
    say(f"  {tally.connections_lost} connections closed by the door")
    return told_growth([*half, *half, resident_bytes()])


def say(line: str) -> None:
    """Print a line of the result."""
    sys.stdout.write(f"{line}\n")


def main() -> int:
    """Run both parts."""
    options = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__)
    options.add_argument("--frames", type=int, default=5_000_000, help="through codec and reader")
    options.add_argument("--real", type=int, default=0, help="over sockets, into a journal")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--first", type=int, default=0, help="number of the first frame")
    options.add_argument("--processes", type=int, default=os.cpu_count())
    options.add_argument("--data", type=Path, help="where the real journal is put for the run")
    chosen = options.parse_args()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    started_s = time.monotonic()
    try:
        with Progress(*columns, TimeRemainingColumn()) as progress:
            is_bounded = fuzz_readers(chosen, progress) if chosen.frames else True
            if chosen.real:
                is_bounded = fuzz_real_door(chosen, progress) and is_bounded
    except BrokenPromiseError as broken:
        traceback.print_exception(broken)
        say(f"BROKEN: {broken} (seed {chosen.seed})")
        return 1
    say(f"{time.monotonic() - started_s:.0f} s; memory {'bounded' if is_bounded else 'GREW'}")
    return 0 if is_bounded else 1


if __name__ == "__main__":
    sys.exit(main())

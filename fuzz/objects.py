"""Damaged ELF objects, BTF and BTF.ext, for a time or a number: a result or a refusal, in bounds.

Before mutant 0 come whole objects with very much of one thing. Every mutant is read, resolved,
linked alone and with another object, written and read back; its types are deduplicated, compared
and printed. Anything but a result or an error of the right tree, a step over one second, or more
memory than ten times the object and 50 MB ends the run: the mutant goes to the folder given, and
becomes a case in tests. Workers run in processes of their own, so that one that hangs or dies is
noticed.

    .venv/bin/python fuzz/objects.py [--seconds N] [--count N] [--seed N] [--first N] [--jobs N]
                                     [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import select
import signal
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from beebox.clang.run import compile_c
from beebox.compiler.source import compile_file
from beebox.obj import reader, writer

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))

from object_giants import giants
from object_mutants import Damage, Steps, bombard, kernel, others, seeds

HANG_SECONDS = 30
WORKER_BYTES = 4 << 30


@dataclass
class Plan:
    """What all workers share; ``end`` is on the monotonic clock."""

    whole: dict[str, bytes]
    steps: Steps
    seed: int
    first: int
    count: int
    jobs: int
    end: float


@dataclass
class Worker:
    """A process that runs every so many-th mutant and says each number when it is done."""

    pid: int
    pipe: int
    running: int
    step: int
    heard: float
    done: int = 0
    open: bool = True

    def hear(self) -> None:
        """How far it got: a byte for every mutant."""
        count = len(os.read(self.pipe, 1 << 16))
        self.open = count > 0
        self.heard = time.monotonic()
        self.done += count
        self.running += count * self.step


def start(plan: Plan, worker: int) -> Worker:
    """A worker at its first mutant."""
    numbers = range(plan.first + worker, plan.first + plan.count, plan.jobs)
    read, write = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        os.close(write)
        return Worker(pid, read, numbers.start, plan.jobs, time.monotonic())
    status = 1
    try:
        os.close(read)
        resource.setrlimit(resource.RLIMIT_AS, (WORKER_BYTES, WORKER_BYTES))
        in_time = takewhile(lambda _: time.monotonic() < plan.end, numbers)
        for _ in bombard(plan.whole, plan.seed, in_time, plan.steps):
            os.write(write, b".")
        status = 0
        if worker == 0:
            for step, done in sorted(plan.steps.done.items()):
                print(f"  {step}: {done}, refused {plan.steps.refused.get(step, 0)}")
    except BaseException:  # noqa: BLE001 -- whatever it is, it is what was looked for
        lines = traceback.format_exc().splitlines()
        print("\n".join(line[:400] for line in lines[-40:]))
    finally:
        sys.stdout.flush()
        os._exit(status)


def watch(plan: Plan, keep: Path) -> int:
    """Run the workers until the end, or until one fails; the exit status."""
    workers = [start(plan, number) for number in range(plan.jobs)]
    failed: Worker | None = None
    while failed is None and any(worker.open for worker in workers):
        pipes = {worker.pipe: worker for worker in workers if worker.open}
        for pipe in select.select(list(pipes), [], [], 1)[0]:
            pipes[pipe].hear()
        for worker in pipes.values():
            if not worker.open and os.waitpid(worker.pid, 0)[1]:
                failed = worker
            elif worker.open and time.monotonic() - worker.heard > HANG_SECONDS:
                print(f"no sign of life for {HANG_SECONDS} s")
                failed = worker
    for worker in workers:
        if worker.open:
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL)
    print(f"{sum(worker.done for worker in workers)} mutants")
    if failed is None:
        return 0
    name, data = Damage(plan.whole).mutant(random.Random(f"{plan.seed}-{failed.running}"))
    path = keep / f"mutant-{plan.seed}-{failed.running}.o"
    path.write_bytes(data)
    print(f"{path}: of {name}, {len(data)} bytes (--seed {plan.seed} --first {failed.running})")
    return 1


_LARGE = 1 << 16


def more_seeds() -> dict[str, bytes]:
    """Objects of our own compiler, and of clang from the corpus of the tests.

    Where a kernel's types make clang's hundreds of kilobytes, mostly DWARF, ours are taken:
    a run then gets through ten times as many.
    """
    root = Path(__file__).parent.parent
    found = {
        path.stem: writer.write(compile_file(path)) for path in sorted(root.glob("examples/c*.py"))
    }
    for path in sorted((root / "tests/data/c/corpus").glob("*.c")):
        data = compile_c(path).data
        found[path.stem] = data if len(data) < _LARGE else writer.write(reader.read(data))
    return found


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, help="60 unless there is a count")
    parser.add_argument("--count", type=int, help="mutants at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the first mutant's number")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path())
    options = parser.parse_args()
    seconds = options.seconds
    if seconds is None:
        seconds = 60 if options.count is None else float("inf")
    whole = seeds() | more_seeds()
    steps = Steps(kernel(), others())
    for name, data in giants().items() if options.first == 0 else ():
        print(f"{name}: {len(data)} bytes")
        steps.all(data)
    plan = Plan(
        whole,
        steps,
        options.seed,
        options.first,
        options.count if options.count is not None else 1 << 60,
        options.jobs,
        time.monotonic() + seconds,
    )
    return watch(plan, options.keep)


if __name__ == "__main__":
    sys.exit(main())

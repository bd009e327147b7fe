"""How far a long run is: a bar on a terminal, lines where they are asked for, else nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from beebox.cli.output import Output

_BAR_AFTER_SECONDS: Final = 0.5
_BETWEEN_LINES_SECONDS: Final = 1.0

Progress = Callable[[int, int | None, int], None]
"""Told the bytes read, of how many (None: unknown), and the packets done."""


@contextmanager
def progress_bar(output: Output, *, lines: bool = False) -> Iterator[Progress]:
    """A callback that draws a bar on stderr once a run takes long; off a terminal only lines."""
    if sys.stderr.isatty() and not output.json:
        with _bar() as update:
            yield update
    elif lines:
        yield _lines()
    else:
        yield lambda _done, _total, _packets: None


@contextmanager
def _bar() -> Iterator[Progress]:
    from rich.console import Console  # noqa: PLC0415 -- only for terminals
    from rich.progress import Progress as Bar  # noqa: PLC0415 -- only for terminals

    started = time.monotonic()
    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("replay", total=None, visible=False)

        def update(done: int, total: int | None, packets: int) -> None:
            late = time.monotonic() - started > _BAR_AFTER_SECONDS
            text = f"{packets:,} packets"
            bar.update(task, completed=done, total=total, visible=late, description=text)

        yield update


def _lines() -> Progress:
    told = time.monotonic()

    def update(done: int, total: int | None, packets: int) -> None:
        nonlocal told
        if time.monotonic() - told < _BETWEEN_LINES_SECONDS and done != total:
            return
        told = time.monotonic()
        share = f", {100 * done // total}% of {total} bytes" if total else f", {done} bytes"
        sys.stderr.write(f"{packets} packets{share}\n")

    return update

"""``beebox replay``: a program over every packet of a capture."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from beebox import api
from beebox.cli.contents import entries, is_zero, shown
from beebox.cli.knobs import set_option, with_knobs
from beebox.cli.output import Output, current, example, global_options
from beebox.cli.prog import choose, show_log, split_selector

_BAR_AFTER_SECONDS: Final = 0.5
_SHOWN_ENTRIES: Final = 10


@click.command(
    "replay",
    short_help="Run a program over a capture.",
    epilog=example(
        "beebox replay examples/firewall.py examples/capture.pcap",
        "beebox replay -j --set syn_limit=5 examples/firewall.py examples/capture.pcap",
    ),
)
@click.argument("selector", metavar="FILE[:PROGRAM]")
@click.argument("capture", metavar="CAPTURE", type=click.Path(path_type=Path))
@click.option("--engine", type=click.Choice(["jit", "interpreter"]), default="jit")
@set_option
@global_options
def replay_command(
    selector: str, capture: Path, engine: api.EngineName, knobs: tuple[str, ...]
) -> int:
    """Run a program over every packet of CAPTURE (pcap) and show verdicts and maps.

    Time is the capture's, the CPU is 0 and random numbers are seeded: every run gives the same.
    """
    from beebox.userspace.captures import read_capture  # noqa: PLC0415 -- loads numpy
    from beebox.userspace.kernel import UserspaceKernel  # noqa: PLC0415 -- loads LLVM
    from beebox.userspace.replay import replay  # noqa: PLC0415 -- loads numpy

    output = current()
    file, name = split_selector(selector)
    spec = with_knobs(api.open_object(file), knobs)
    name = choose(spec, name)
    packets = read_capture(capture)
    with UserspaceKernel(engine).load(spec, programs=[name]) as live:
        program = live.programs[name]
        with progress_bar(output) as progress:
            result = replay(program, packets, progress=progress)
        maps = {
            row: entries(each, spec.btf)
            for row, each in live.maps.items()
            if not each.spec.frozen or output.json
        }
        show_log(program, output)
    if output.json:
        output.data(
            {
                "packets": result.packets,
                "bytes": result.bytes,
                "verdicts": dict(result.verdicts),
                "maps": maps,
                "ns_per_packet": result.ns_per_packet,
                "seconds": result.seconds,
            }
        )
        return 0
    total = max(1, result.packets)
    output.table(
        f"{name}: {result.packets} packets, {result.bytes} bytes",
        ["verdict", "packets", "share"],
        [
            [verdict, str(count), f"{100 * count / total:.1f}%"]
            for verdict, count in result.verdicts.items()
        ],
        right=1,
    )
    if result.refused:
        output.text(f"{result.refused} frames are too short to reach the program")
    told = {row: _told(found) for row, found in maps.items()}
    for row, found in told.items():
        if found:
            _show_map(row, found, output)
    empty = ", ".join(row for row, found in told.items() if not found)
    if empty:
        output.text(f"\nempty: {empty}")
    nanoseconds = result.ns_per_packet
    rate = 1000 / nanoseconds if nanoseconds else 0.0
    output.text(f"\n{result.engine}: {nanoseconds:.1f} ns/packet, {rate:.2f} Mpps")
    return 0


def _told(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The elements that say something, the largest first."""
    told = [each for each in found if not is_zero(each["value"])]
    return sorted(told, key=lambda each: _weight(each["value"]), reverse=True)


def _show_map(name: str, found: list[dict[str, Any]], output: Output) -> None:
    more = f", {_SHOWN_ENTRIES} largest" if len(found) > _SHOWN_ENTRIES else ""
    rows = [[shown(each["key"]), shown(each["value"])] for each in found[:_SHOWN_ENTRIES]]
    output.text()
    output.table(f"{name}: {len(found)} entries{more}", ["key", "value"], rows, right=2)


def _weight(value: object) -> float:
    """What a value sorts by: its first number."""
    match value:
        case bool() | int() | float():
            return value
        case dict():
            return next((_weight(part) for part in value.values()), 0)
        case list():
            return max((_weight(part) for part in value), default=0)
        case _:
            return 0


@contextmanager
def progress_bar(output: Output) -> Iterator[Callable[[int, int], None]]:
    """A callback that draws a bar on stderr once a run takes long; nothing off a terminal."""
    if output.json or not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console  # noqa: PLC0415 -- only for terminals
    from rich.progress import Progress  # noqa: PLC0415 -- only for terminals

    started = time.monotonic()
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("replay", total=None, visible=False)

        def update(done: int, total: int) -> None:
            late = time.monotonic() - started > _BAR_AFTER_SECONDS
            bar.update(task, completed=done, total=total, visible=late)

        yield update

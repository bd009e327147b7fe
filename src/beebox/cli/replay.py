"""``beebox replay``: a program over every packet of a capture."""

from __future__ import annotations

import contextlib
import math
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from beebox import api
from beebox.cli.btf_option import btf_option
from beebox.cli.contents import entries, is_zero, names_by_id, shown
from beebox.cli.elements import set_elements
from beebox.cli.knobs import set_option, with_knobs
from beebox.cli.output import Output, current, example, global_options
from beebox.cli.prog import show_log
from beebox.cli.progress import progress_bar
from beebox.cli.selector import choose, split_selector
from beebox.errors import CaptureError, InputError

if TYPE_CHECKING:
    from beebox.cli.checks import Checks
    from beebox.userspace.captures import Capture, Captures
    from beebox.userspace.captures.live import Live
    from beebox.userspace.kernel import UserspaceKernel
    from beebox.userspace.network.model import Network
    from beebox.userspace.program import UserspaceProgram
    from beebox.userspace.replay import Clock, Replay

_SHOWN_ENTRIES: Final = 10
_MALFORMED: Final = 2  # as an exit status
_INTERRUPTED: Final = 130


@click.command(
    "replay",
    short_help="Run a program over captures.",
    epilog=example(
        "beebox replay examples/firewall.py examples/capture.pcap",
        "beebox replay -j --set syn_limit=5 examples/firewall.py examples/capture.pcap",
        "beebox replay -o passed.pcapng.gz examples/firewall.py monday.pcap tuesday.pcapng.zst",
        "beebox replay --set 'rules[203.0.113.0/24]={\"action\": 1}' examples/lpm_acl.py mine.pcap",
        "beebox replay --profile examples/firewall.py examples/capture.pcap",
        "beebox replay --filter 'tcp port 443' examples/count.py examples/capture.pcap",
        "beebox replay --assert 'arp => PASS' examples/firewall.py examples/capture.pcap",
        "beebox replay --diff old.py -o differ.pcapng new.py examples/capture.pcap",
        "tcpdump -i eth0 -w - | beebox replay --count 10000 examples/count.py -",
        "beebox replay --live eth0 --seconds 10 examples/count.py",
    ),
)
@click.argument("selector", metavar="FILE[:PROGRAM]")
@click.argument("captures", metavar="[CAPTURE...]", nargs=-1)
@click.option("--engine", type=click.Choice(["jit", "interpreter"]), default="jit")
@click.option(
    "-o",
    "--output",
    "target",
    metavar="OUT",
    help="Write the packets that pass (with --diff: that differ).",
)
@click.option(
    "--filter", "expression", metavar="EXPR", help="Only packets that match, as tcpdump has it."
)
@click.option(
    "--assert",
    "claims",
    multiple=True,
    metavar="'EXPR => VERDICT'",
    help="Exit with status 1 where a packet that matches has another verdict; may be repeated.",
)
@click.option(
    "--diff", "other", metavar="FILE[:PROGRAM]", help="Show what this program treats otherwise."
)
@click.option(
    "--live", "interface", metavar="IF", help="Packets from an interface, or tap:NAME (Linux)."
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    help="Stop a live capture after this time.",
)
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="Stop after N packets.")
@click.option(
    "--clock",
    "clock_text",
    default="capture",
    metavar="capture|wall|SECONDS",
    help="What the program's clock shows: packet times (default), the machine's, or one time.",
)
@click.option(
    "--network",
    "network_file",
    metavar="FILE",
    help="The interfaces, routes and neighbours that programs ask for.",
)
@click.option(
    "--vlan-offload",
    is_flag=True,
    help="Take the outermost VLAN tag out of each frame, as devices do: it is in vlan_tci.",
)
@click.option("--progress", "lines", is_flag=True, help="Say how far it is off a terminal, too.")
@click.option(
    "--reasons/--no-reasons",
    default=True,
    help="Show the source lines that decided verdicts (costs 1-3 ns per packet).",
)
@click.option("--profile", is_flag=True, help="Show instructions per packet and source line.")
@set_option
@btf_option
@global_options
def replay_command(
    selector: str,
    captures: tuple[str, ...],
    engine: api.EngineName,
    target: str | None,
    expression: str | None,
    claims: tuple[str, ...],
    other: str | None,
    interface: str | None,
    seconds: float | None,
    count: int | None,
    clock_text: str,
    network_file: str | None,
    vlan_offload: bool,
    lines: bool,
    reasons: bool,
    profile: bool,
    knobs: tuple[str, ...],
    btf: str | None,
    kconfig: str | None,
) -> int:
    """Run a program over every packet of the captures and show verdicts and maps.

    CAPTURE is a pcap or pcapng file, plain or compressed with gzip or zstd; - is standard input.
    Several are read one after the other. Time is the capture's, the CPU is 0 and random numbers
    are seeded: every run gives the same. OUT ends in .pcap or .pcapng, with .gz or .zst behind it;
    pcapng notes each packet's verdict; - is pcap on standard output. VERDICT is a name, or several
    joined by |. --live needs CAP_NET_RAW (tap:NAME: CAP_NET_ADMIN) and goes on until --count,
    --seconds or Ctrl-C.
    """
    from beebox.cli.reports import Reports, observe  # noqa: PLC0415 -- loads numpy
    from beebox.userspace.captures.writing import CaptureWriter  # noqa: PLC0415 -- the same
    from beebox.userspace.kernel import UserspaceKernel  # noqa: PLC0415 -- loads LLVM
    from beebox.userspace.observers.passed import Passed, limited  # noqa: PLC0415 -- loads numpy
    from beebox.userspace.replay import Observer, replay  # noqa: PLC0415 -- loads numpy

    output = replace(current(), aside=target == "-")
    if output.json and output.aside:
        raise click.UsageError("-j and -o - both want standard output")
    if target is not None and any(_same_file(target, each) for each in captures):
        raise click.UsageError(f"{target} is read already; write to another file")
    clock = _clock(clock_text)
    network = _network(network_file)
    file, name = split_selector(selector)
    spec = with_knobs(api.open_object(file, btf=btf), knobs)
    name = choose(spec, name)
    observed = observe(reasons=reasons, profile=profile)
    types = api.target_of(btf, kconfig=kconfig)
    kernel = UserspaceKernel(
        engine, observe=observed, network=network, vlan_offload=vlan_offload, target=types
    )
    with contextlib.ExitStack() as stack:
        live = stack.enter_context(kernel.load(spec, programs=[name]))
        set_elements(live.maps, spec.btf, knobs)
        program = live.programs[name]
        reports = Reports(program, live)
        observers: list[Observer] = [*reports.observers]
        checks = stack.enter_context(_checks(program, claims)) if claims or other else None
        writer = None if target is None else stack.enter_context(CaptureWriter(target))
        if other is not None and checks is not None:
            beside = UserspaceKernel(
                engine, network=network, vlan_offload=vlan_offload, target=types
            )
            second = stack.enter_context(_other(other, beside, btf))
            checks.compare(second, other, clock=clock, writer=writer)
        elif writer is not None:
            observers.append(Passed(writer))
        observers += checks.observers if checks is not None else []
        source = stack.enter_context(_source(captures, interface, seconds))
        blocks = (
            source if expression is None else stack.enter_context(_filtered(source, expression))
        )
        update = stack.enter_context(progress_bar(output, lines=lines))
        total = source.total
        readable = _UpToFault(limited(blocks, count))
        result = replay(
            program,
            readable,
            observers=observers,
            clock=clock,
            progress=lambda packets: update(source.done, total, packets),
        )
        maps = {
            row: entries(
                each, spec.btf, names=names_by_id(live, each.spec), readable=not output.json
            )
            for row, each in live.maps.items()
            if not each.spec.frozen or output.json
        }
        show_log(program, output)
    if readable.fault is not None and not result.packets:
        raise readable.fault
    if source.dropped:
        output.status(f"{source.dropped} packets came faster than they were read")
    broken = checks is not None and checks.broken
    written = {} if writer is None else {"file": writer.file, "packets": writer.packets}
    if output.json:
        document = _document(result, maps, captures or (str(interface),), written)
        fault = readable.fault.fields() if readable.fault is not None else None
        document |= {"error": fault, "filter": expression, "assertions": [], "diff": None}
        output.data({**document, **reports.data(), **(checks.data() if checks else {})})
        return _status(readable, broken=broken)
    _show_result(name, result, output)
    reports.show(output)
    _show_maps(maps, output)
    if checks is not None:
        checks.show(output)
    if written:
        output.text(f"\n{written['packets']} packets written to {written['file']}")
    nanoseconds = result.ns_per_packet
    if nanoseconds:
        rate = 1000 / nanoseconds
        output.text(f"\n{result.engine}: {nanoseconds:.1f} ns/packet, {rate:.2f} Mpps")
    if readable.fault is not None:
        output.status(f"the capture is read up to packet {result.packets}")
        output.error(readable.fault)
    return _status(readable, broken=broken)


class _UpToFault:
    """The blocks of a capture up to where it is malformed, or where Ctrl-C ended the reading.

    What came before is not lost.
    """

    def __init__(self, blocks: Iterable[Capture]) -> None:
        self._blocks = iter(blocks)
        self.fault: CaptureError | None = None
        self.interrupted = False

    def __iter__(self) -> Iterator[Capture]:
        while True:
            try:
                block = next(self._blocks)
            except StopIteration:
                return
            except CaptureError as fault:
                self.fault = fault
                return
            except KeyboardInterrupt:
                self.interrupted = True
                return
            yield block


def _status(readable: _UpToFault, *, broken: bool) -> int:
    """Malformed or unread input outweighs a broken assertion: not every packet was seen."""
    if readable.fault is not None:
        return _MALFORMED
    return _INTERRUPTED if readable.interrupted else int(broken)


def _network(file: str | None) -> Network | None:
    """What ``--network`` names."""
    if file is None:
        return None
    from beebox.userspace.network.files import read_network  # noqa: PLC0415 -- on demand

    return read_network(file)


def _checks(program: UserspaceProgram, claims: Sequence[str]) -> Checks:
    """What watches the program for ``--assert`` and ``--diff``."""
    from beebox.cli.checks import Checks  # noqa: PLC0415 -- on demand

    return Checks(program, claims)


@contextlib.contextmanager
def _filtered(blocks: Iterable[Capture], expression: str) -> Iterator[Iterable[Capture]]:
    """The packets that match."""
    from beebox.userspace.filtering import PacketFilter  # noqa: PLC0415 -- on demand

    with PacketFilter(expression) as chosen:
        yield chosen.over(blocks)


@contextlib.contextmanager
def _other(selector: str, kernel: UserspaceKernel, btf: str | None) -> Iterator[UserspaceProgram]:
    """The program to compare with, loaded."""
    file, name = split_selector(selector)
    spec = api.open_object(file, btf=btf)
    name = choose(spec, name)
    with kernel.load(spec, programs=[name]) as live:
        yield live.programs[name]


@contextlib.contextmanager
def _source(
    captures: tuple[str, ...], interface: str | None, seconds: float | None
) -> Iterator[Captures | Live]:
    """Where packets come from: files or an interface. Ctrl-C ends a live capture in order."""
    from beebox.userspace.captures import Captures  # noqa: PLC0415 -- loads numpy

    if bool(captures) == (interface is not None):
        raise click.UsageError("give captures, or an interface by --live")
    if interface is None:
        if seconds is not None:
            raise click.UsageError("--seconds is for --live")
        yield Captures(captures)
        return
    if seconds is not None and not math.isfinite(seconds):
        raise click.UsageError(f"--seconds {seconds}: write a number of seconds")
    from beebox.userspace.captures.live import Live  # noqa: PLC0415 -- Unix only

    with Live(interface, seconds=seconds) as live:
        before = signal.signal(signal.SIGINT, lambda *_: live.stop())
        try:
            yield live
        finally:
            signal.signal(signal.SIGINT, before)


def _same_file(one: str, other: str) -> bool:
    """Whether both names lead to one file that is there."""
    try:
        return Path(one).samefile(other)
    except (OSError, ValueError):
        return False


def _clock(text: str) -> Clock:
    if text in {"capture", "wall"}:
        return "capture" if text == "capture" else "wall"
    try:
        time_ns = round(float(text) * 1e9)
    except (ValueError, OverflowError):
        time_ns = -1
    if not 0 <= time_ns < 1 << 64:
        raise InputError(f"--clock {text}: write capture, wall or seconds since 1970")
    return time_ns


def _document(
    result: Replay,
    maps: Mapping[str, Any],
    captures: tuple[str, ...],
    written: Mapping[str, Any],
) -> dict[str, Any]:
    return {
        "captures": list(captures),
        "packets": result.packets,
        "bytes": result.bytes,
        "refused": result.refused,
        "verdicts": dict(result.verdicts),
        "maps": maps,
        "written": dict(written) or None,
        "engine": result.engine,
        "ns_per_packet": result.ns_per_packet,
        "seconds": result.seconds,
    }


def _show_result(name: str, result: Replay, output: Output) -> None:
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


def _show_maps(maps: Mapping[str, list[dict[str, Any]]], output: Output) -> None:
    told = {row: _told(found) for row, found in maps.items()}
    for row, found in told.items():
        if found:
            _show_map(row, found, output)
    empty = ", ".join(row for row, found in told.items() if not found)
    if empty:
        output.text(f"\nempty: {empty}")


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

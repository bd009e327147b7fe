"""``beebox prog``: dump a program's instructions, run it over a packet; bpftool's words."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from beebox import api
from beebox.backend import Program
from beebox.cli.btf_option import btf_option
from beebox.cli.elements import set_elements
from beebox.cli.files import write_file
from beebox.cli.knobs import set_option, with_knobs
from beebox.cli.output import Output, current, example, global_options
from beebox.cli.selector import choose, chosen, split_selector
from beebox.errors import InputError, NotSupportedError
from beebox.hooks.packet import hook_of
from beebox.isa.disassembler import listing
from beebox.obj.assembly.text import local_type_ids, with_its_maps, write_program
from beebox.obj.linker import link
from beebox.obj.model import ProgramSpec
from beebox.tables.program_types import ProgramType

_MAX_PACKET_BYTES: Final = 65_535
_WORDS: Final = ("data_in", "data_out", "ctx_in", "ctx_out", "repeat")
_MAX_REPEAT: Final = (1 << 31) - 1


@click.command(
    short_help="Show a program's instructions.",
    epilog=example("beebox prog dump xlated examples/firewall.py"),
)
@click.argument("what", metavar="xlated", type=click.Choice(["xlated"]))
@click.argument("selector", metavar="FILE[:PROGRAM]")
@btf_option
@global_options
def dump(
    what: str,  # noqa: ARG001 -- "xlated" is the only kind so far
    selector: str,
    btf: str | None,
    kconfig: str | None,
) -> int:
    """Show the linked instructions of a program (or of all), below the lines they come from.

    A program's text is assembly: saved as a .s file, it can be edited and used as FILE.
    """
    output = current()
    file, name = split_selector(selector)
    opened = api.open_object(file, btf=btf)
    names = chosen(opened, name)
    spec = api.resolved(opened, programs=names, btf=api.target_of(btf, kconfig=kconfig))
    linked = [link(spec, each) for each in names]
    if output.json:
        programs = [{"name": program.name, "insns": _insns(program)} for program in linked]
        output.data({"file": str(file), "programs": programs})
        return 0
    for program in linked:
        text = write_program(with_its_maps(program, spec), local_type_ids(program, opened))
        output.text(text.rstrip())
    return 0


def _insns(program: ProgramSpec) -> list[dict[str, Any]]:
    rows = []
    for pc, text in listing(program.insns):
        place = program.line_at(pc)
        rows.append(
            {
                "insn": pc,
                "disasm": text,
                "file": place.file if place else None,
                "line": place.line if place else None,
            }
        )
    return rows


@click.command(
    short_help="Run a program over a packet.",
    epilog=example(
        "beebox prog run examples/count.py data_in packet.bin data_out after.bin repeat 1000",
        "beebox prog run mark.s data_in packet.bin ctx_in skb.bin ctx_out after.bin",
    ),
)
@click.argument("selector", metavar="FILE[:PROGRAM]")
@click.argument(
    "words", nargs=-1, metavar="data_in PKT [data_out F] [ctx_in F [ctx_out F]] [repeat N]"
)
@click.option("--kernel", type=click.Choice(["userspace", "linux"]), default="userspace")
@click.option("--engine", type=click.Choice(["jit", "interpreter"]), default="jit")
@click.option("--network", metavar="FILE", help="The routes and neighbours it asks for.")
@set_option
@btf_option
@global_options
def run(
    selector: str,
    words: tuple[str, ...],
    kernel: api.KernelName,
    engine: api.EngineName,
    network: str | None,
    knobs: tuple[str, ...],
    btf: str | None,
    kconfig: str | None,
) -> int:
    """Run a program over the bytes of a packet, as BPF_PROG_TEST_RUN does.

    PKT holds raw bytes, the Ethernet header first; - is standard input. data_out receives the
    packet as the (last) run left it; - is standard output. ctx_in holds the context struct to
    start from, a struct __sk_buff or xdp_md; ctx_out receives it afterwards. Programs of Linux
    that run without a packet (syscall, raw_tp, ...) want no data_in.
    """
    output = current()
    asked = _asked(words)
    if "-" in {asked.get("data_out"), asked.get("ctx_out")}:
        if output.json:
            raise InputError("-j and an output of - both want standard output")
        output = replace(output, aside=True)
    packet = _packet(asked["data_in"]) if "data_in" in asked else None
    if packet is None and kernel == "userspace":
        raise InputError("prog run needs a packet: data_in PKT")
    context = _packet(asked["ctx_in"]) if "ctx_in" in asked else None
    file, name = split_selector(selector)
    spec = with_knobs(api.open_object(file, btf=btf), knobs)
    name = choose(spec, name)
    types = api.target_of(btf, kconfig=kconfig)
    with api.load(
        spec, kernel=kernel, engine=engine, programs=[name], network=network, btf=types
    ) as live:
        set_elements(live.maps, spec.btf, knobs)
        program = live.programs[name]
        repeat = _repeat(asked.get("repeat", "1"))
        if packet is None and _takes_packets(program.spec.type):
            raise InputError("prog run needs a packet: data_in PKT")
        result = program.test_run(packet or b"", repeat=repeat, context=context)
        show_log(program, output)
    target = asked.get("data_out")
    if target is not None:
        write_file(Path(target), result.data_out)
    if "ctx_out" in asked:
        write_file(Path(asked["ctx_out"]), result.context)
    if output.json:
        output.data(
            {
                "retval": result.retval,
                "duration": result.duration_ns,
                "data_out": result.data_out.hex(),
                "ctx_out": result.context.hex() if context is not None else None,
                "repeat": result.repeat,
                "engine": result.engine,
            }
        )
        return 0
    verdict = _verdict(program.spec.type, result.retval)
    output.text(
        f"Return value: {result.retval}{verdict}, duration (average): {result.duration_ns}ns"
    )
    if target is None:
        output.text(f"Packet after: {len(result.data_out)} bytes")
    return 0


def _takes_packets(type_: ProgramType) -> bool:
    try:
        hook_of(type_)
    except NotSupportedError:
        return False
    return True


def _verdict(type_: ProgramType, retval: int) -> str:
    """What the return value means, in brackets; nothing for programs without verdicts."""
    try:
        return f" ({hook_of(type_).verdict_name(retval)})"
    except NotSupportedError:  # no packet program, so the Linux kernel ran it
        return ""


def show_log(program: Program, output: Output) -> None:
    """What a userspace program printed, on stderr; Linux keeps its own log (trace_pipe)."""
    log = getattr(program, "log", None)
    if log is None:
        return
    for record in log.records():
        seconds, rest = divmod(record.time_ns, 1_000_000_000)
        text = record.text.rstrip("\n")
        output.status(f"[{record.cpu:03}] {seconds}.{rest // 1000:06}: {text}")
    if log.lost:
        output.status(f"{log.lost} messages found no room in the log")


def _asked(words: tuple[str, ...]) -> dict[str, str]:
    """``data_in PKT data_out F repeat N ...`` as a mapping; any order, each once."""
    asked: dict[str, str] = {}
    for at in range(0, len(words), 2):
        word = words[at]
        if word not in _WORDS:
            raise InputError(f"unknown word {word!r}; it takes {', '.join(_WORDS)}")
        if word in asked:
            raise InputError(f"{word} is given twice")
        if at + 1 == len(words):
            raise InputError(f"{word} needs a value")
        asked[word] = words[at + 1]
    if "ctx_out" in asked and "ctx_in" not in asked:
        raise InputError("ctx_out needs ctx_in: a context comes back as large as it was given")
    return asked


def _packet(name: str) -> bytes:
    data = (
        sys.stdin.buffer.read(_MAX_PACKET_BYTES + 1) if name == "-" else api.read_bytes(Path(name))
    )
    if len(data) > _MAX_PACKET_BYTES:
        raise InputError(f"{name}: a packet has {_MAX_PACKET_BYTES} bytes at most")
    return data


def _repeat(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MAX_REPEAT:
        raise InputError(f"repeat {text}: write a number from 1 to {_MAX_REPEAT}")
    return int(text)

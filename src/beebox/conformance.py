"""``python -m beebox.conformance``: one program over one block of memory, its R0 as hex.

The plugin protocol of ISA conformance suites (bpf_conformance): the program's bytes come as hex on
standard input, the memory as hex in the first argument, which may be absent or empty. The program
starts with R1 the memory's address and R2 its length in bytes; without memory both are 0. It is
not verified: the checked lowering and the interpreter ask before every access. Faults and malformed
input go to standard error; exit status 0 for a result, 1 for a run that failed, 2 for bad input.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from beebox.errors import BeeboxError, InputError
from beebox.isa.codec import decode
from beebox.isa.instruction import Instruction, slots
from beebox.obj.model import ProgramSpec
from beebox.tables.limits import MAX_INSNS
from beebox.tables.program_types import ProgramType
from beebox.vm.interpreter import Interpreter, Machine
from beebox.vm.memory import Buffer, Memory, Packet, Runtime
from beebox.vm.sandbox import Sandbox

INTERPRETER_FUEL: Final = 1 << 24  # instructions, some seconds
MAX_TEXT_BYTES: Final = MAX_INSNS * 8 * 4  # two spaces between bytes are usual


def run(program: bytes, memory: bytes = b"", *, engine: str = "jit") -> int:
    """R0 of ``program`` over a copy of ``memory``; ``engine`` is "jit" or "interpreter".

    Raises :exc:`InputError` for bytes that are no program, :exc:`ExecutionError` for a fault,
    :exc:`NotSupportedError` for calls of helpers and for maps.
    """
    insns = decode(program)
    match engine:
        case "jit":
            return _native(insns, memory)
        case "interpreter":
            return _interpret(insns, memory)
        case _:
            raise InputError(f"there is no engine {engine!r}; choose jit or interpreter")


def _native(insns: Sequence[Instruction], memory: bytes) -> int:
    block = Buffer(len(memory))
    block.view[:] = memory
    return Sandbox(slots(insns)).run(block, len(memory))


def _interpret(insns: Sequence[Instruction], memory: bytes) -> int:
    packet = Packet(len(memory))
    packet.load(memory)
    machine = Machine(Memory(), packet, Runtime(), handles={}, globals={})
    spec = ProgramSpec("conformance", "", ProgramType.XDP, tuple(insns), {})
    start = packet.context.data if memory else 0
    return Interpreter(spec, machine, {}).run(start, len(memory), fuel=INTERPRETER_FUEL)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m beebox.conformance",
        description="Run a BPF program, given as hex on standard input; print R0 as hex.",
    )
    parser.add_argument("memory", nargs="?", default="", help="as hex, spaces allowed")
    parser.add_argument("--engine", choices=("jit", "interpreter"), default="jit")
    options = parser.parse_args(_words(sys.argv[1:] if arguments is None else arguments))
    try:
        text = sys.stdin.buffer.read(MAX_TEXT_BYTES + 1)
        if len(text) > MAX_TEXT_BYTES:
            raise InputError(f"standard input: over {MAX_TEXT_BYTES} bytes of hex")
        program = _from_hex(text.decode("ascii", errors="replace"), "standard input")
        memory = _from_hex(options.memory, "the memory")
        result = run(program, memory, engine=options.engine)
    except BeeboxError as error:
        sys.stderr.write(f"{error}\n")
        return 2 if isinstance(error, InputError) else 1
    sys.stdout.write(f"{result:x}\n")
    return 0


def _words(arguments: Sequence[str]) -> list[str]:
    """Options may come as one argument, or as an empty one: suites pass theirs on as they are."""
    words: list[str] = []
    for argument in arguments:
        words += argument.split() if argument.startswith("-") else [argument] if argument else []
    return words


def _from_hex(text: str, where: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise InputError(f"{where}: not hex ({error})") from None


if __name__ == "__main__":
    sys.exit(main())

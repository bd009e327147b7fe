"""Many programs at a time on interpreter, native code and Linux, over the same maps.

Each program meets the same packets and the same map contents in every engine; what is compared is
the return value, the packet afterwards and all elements of the maps.
"""

from __future__ import annotations

import ctypes
import random
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Self

from opcode_programs import HELPER_IDS, MAPS, PACKET_BYTES

from beebox.hooks.packet import hook_of
from beebox.isa.instruction import Instruction
from beebox.linux.kernel import LinuxKernel
from beebox.linux.load import load_program
from beebox.linux.objects import LinuxMap, LinuxProgram
from beebox.llvm import native, worker
from beebox.maps.code import map_code
from beebox.maps.view import LiveMap
from beebox.obj.model import ObjectSpec, ProgramSpec
from beebox.tables.helpers import HELPERS
from beebox.tables.map_types import UpdateFlags
from beebox.tables.program_types import ProgramType
from beebox.userspace.helpers import python_helpers
from beebox.userspace.native_helpers import helper_code
from beebox.userspace.reached import ReachedMaps
from beebox.userspace.runtime import Environment
from beebox.verifier.result import VerifiedProgram
from beebox.verifier.verify import verify
from beebox.vm.contexts import layout_of
from beebox.vm.interpreter import Interpreter, Machine
from beebox.vm.jit import lower, merge_modules
from beebox.vm.memory import PROGRAM, Memory

Outcome = tuple[tuple[int, bytes], ...]
"""Per packet the return value and the packet, then each map's elements as one more entry."""

CODES = {name: map_code(spec, f"map_{name}") for name, spec in MAPS.items()}


def spec_of(insns: Sequence[Instruction], kind: ProgramType = ProgramType.XDP) -> ProgramSpec:
    """A program over the shared maps."""
    return ProgramSpec("random", kind.value.name, kind, tuple(insns), MAPS, license="GPL")


def packets_of(seed: int) -> list[bytes]:
    """Two packets, just long enough or a little longer."""
    source = random.Random(seed)
    return [source.randbytes(PACKET_BYTES + source.choice((0, 1, 8))) for _ in range(2)]


def accepted(insns: Sequence[Instruction], kind: ProgramType = ProgramType.XDP) -> VerifiedProgram:
    """The same, verified."""
    return verify(spec_of(insns, kind)).require_accepted()


class Userspace:
    """The maps and one environment for both of our engines."""

    def __init__(self, kind: ProgramType = ProgramType.XDP) -> None:
        self.maps = {name: LiveMap(spec) for name, spec in MAPS.items()}
        self.environment = Environment(hook_of(kind), layout_of(kind.value.context))

    def interpret(
        self, program: VerifiedProgram | ProgramSpec, packets: Sequence[bytes]
    ) -> Outcome:
        """On the interpreter."""
        environment, memory = self.environment, Memory()
        reached = ReachedMaps(self.maps, memory)
        machine = Machine(memory, environment.packet, environment.runtime, reached.handles, {})
        helpers = python_helpers(reached, environment.log, environment.layout, HELPER_IDS)
        engine = Interpreter(program, machine, helpers)
        return self._outcome(engine.run, packets)

    def execute(
        self, programs: Sequence[VerifiedProgram], packets: Sequence[Sequence[bytes]], *, opt: int
    ) -> list[Outcome]:
        """As native code, all programs in one module."""
        used = sorted({id_ for verified in programs for id_ in verified.helpers if id_ > 3})
        helpers = {
            id_: helper_code(HELPERS[id_].name, self.environment.layout.struct) for id_ in used
        }
        bare_maps = {name: replace(code, ir="") for name, code in CODES.items()}
        bare_helpers = {id_: replace(code, ir="") for id_, code in helpers.items()}
        texts = [code.ir for code in (*CODES.values(), *helpers.values())]
        for number, verified in enumerate(programs):
            text = lower(verified, maps=bare_maps, helpers=bare_helpers)
            texts.append(re.sub(r"@(bpf_\w+|packet_load_at)", rf"@p{number}_\1", text))
        names = [f"p{number}_{PROGRAM}" for number in range(len(programs))]
        obj = worker.compile_native(merge_modules(texts), opt=opt)
        storages = {CODES[name].storage: live.storage.address for name, live in self.maps.items()}
        environment = self.environment
        with native.link(obj, imports=storages, exports=names) as code:
            out = []
            for name, mine in zip(names, packets, strict=True):
                run = code.function(name, ctypes.c_uint64, [ctypes.c_void_p] * 2)
                where = (environment.context_address, environment.runtime_address)
                out.append(self._outcome(lambda: run(*where), mine))  # noqa: B023 -- called at once
            return out

    def _outcome(self, run, packets: Sequence[bytes]) -> Outcome:
        reset(self.maps)
        runs = []
        for packet in packets:
            self.environment.load(packet)
            runs.append((run() & 0xFFFFFFFF, self.environment.frame()))
        return (*runs, *contents(self.maps))


class Linux:
    """The same on the running kernel; a context manager."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._loaded = LinuxKernel().load(ObjectSpec({}, MAPS, license="GPL"))
        self.maps: Mapping[str, LinuxMap] = self._loaded.maps

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._loaded.close()

    def run(self, spec: ProgramSpec, packets: Sequence[bytes]) -> Outcome:
        """Raises RejectedError where the kernel refuses."""
        fds = {name: live.fd for name, live in self.maps.items()}
        with LinuxProgram(spec, load_program(spec, fds)) as program:
            reset(self.maps)
            runs = [program.test_run(packet) for packet in packets]
            return (*((run.retval, run.data_out) for run in runs), *contents(self.maps))


def reset(maps: Mapping[str, object]) -> None:
    """Zeros in the array, nothing in the hash."""
    maps["values"].update(bytes(4), bytes(64), UpdateFlags.ANY)
    for key, _ in list(maps["table"].items()):
        maps["table"].delete(key)


def contents(maps: Mapping[str, object]) -> tuple[tuple[int, bytes], ...]:
    """Every element, as entries of an :data:`Outcome`."""
    found = [(0, maps["values"].lookup(bytes(4)))]
    found += [(1, key + value) for key, value in sorted(maps["table"].items())]
    return tuple(found)

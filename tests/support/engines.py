"""The same program on the same packets in each engine: what every parity test compares."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from beebox.isa.assembler import assemble
from beebox.linux.kernel import LinuxKernel
from beebox.llvm import native, worker
from beebox.maps.code import map_code
from beebox.maps.view import LiveMap
from beebox.obj.model import FunctionSpec, MapSpec, ObjectSpec, ProgramSpec
from beebox.tables.map_types import MapType
from beebox.tables.program_types import ProgramType
from beebox.verifier.result import VerifiedProgram
from beebox.verifier.verify import verify
from beebox.vm.interpreter import Interpreter, Machine
from beebox.vm.jit import lower
from beebox.vm.lowering_calls import MAP_DELETE, MAP_LOOKUP, MAP_UPDATE
from beebox.vm.memory import PROGRAM, Memory, Packet, Runtime, address_of, region_at

MAPS = {
    "values": MapSpec("values", MapType.ARRAY, 4, 64, 2),
    "table": MapSpec("table", MapType.HASH, 4, 8, 16),
}
CAPACITY = 4096


@dataclass(frozen=True)
class Outcome:
    """Per packet the verdict's 32 bits and the bytes left; every map's elements afterwards."""

    runs: tuple[tuple[int, bytes], ...]
    maps: Mapping[str, tuple[tuple[bytes, bytes], ...]]


def program(text: str, maps: Mapping[str, MapSpec] = MAPS) -> ProgramSpec:
    """An XDP program from assembly text."""
    return ProgramSpec("generated", "xdp", ProgramType.XDP, assemble(text), dict(maps), license="")


def accepted(text: str, maps: Mapping[str, MapSpec] = MAPS) -> VerifiedProgram:
    """The same, verified."""
    return verify(program(text, maps)).require_accepted()


def interpret(verified: VerifiedProgram, packets: Sequence[bytes]) -> Outcome:
    """On the interpreter, with the maps' native operations behind the helpers."""
    live = {name: LiveMap(spec) for name, spec in verified.spec.maps.items()}
    by_handle = {row.storage.address: row for row in live.values()}
    memory = Memory()
    for name, row in live.items():
        memory.add(region_at(name, row.storage.address, row.storage.size))
    runtime, packet = Runtime(), Packet(CAPACITY)
    rt = address_of(runtime)
    handles = {name: row.storage.address for name, row in live.items()}
    helpers = {
        MAP_LOOKUP: lambda _m, h, k, *_: by_handle[h].operations.lookup_at(rt, k),
        MAP_UPDATE: lambda _m, h, k, v, f, _: by_handle[h].operations.update_at(rt, k, v, f),
        MAP_DELETE: lambda _m, h, k, *_: by_handle[h].operations.delete_at(rt, k),
    }
    values = {name: row.value_address for name, row in live.items() if row.spec.is_global_data}
    machine = Machine(memory, packet, runtime, handles, values)
    engine = Interpreter(verified, machine, helpers)
    runs = []
    for data in packets:
        packet.load(data)
        runs.append((engine.run() & 0xFFFFFFFF, packet.data()))
    return _outcome(runs, live)


def execute(verified: VerifiedProgram, packets: Sequence[bytes], *, opt: int = 2) -> Outcome:
    """As native code."""
    live = {name: LiveMap(spec) for name, spec in verified.spec.maps.items()}
    codes = {name: map_code(row.spec, f"map_{name}") for name, row in live.items()}
    ir = lower(verified, maps=codes, helpers={})
    imports = {codes[name].storage: row.storage.address for name, row in live.items()}
    obj = worker.compile_native(ir, opt=opt)
    runtime, packet = Runtime(), Packet(CAPACITY)
    runs = []
    with native.link(obj, imports=imports, exports=[PROGRAM]) as code:
        run = code.function(PROGRAM, ctypes.c_uint64, [ctypes.c_void_p] * 2)
        for data in packets:
            packet.load(data)
            verdict = run(packet.context_address, address_of(runtime)) & 0xFFFFFFFF
            runs.append((verdict, packet.data()))
    return _outcome(runs, live)


def linux(spec: ProgramSpec, packets: Sequence[bytes]) -> Outcome:
    """On the running kernel, by BPF_PROG_TEST_RUN. Raises RejectedError where it refuses."""
    function = FunctionSpec(spec.name, spec.section, spec.insns)
    module = ObjectSpec({spec.name: function}, spec.maps, license=spec.license)
    with LinuxKernel().load(module) as loaded:
        live = loaded.programs[spec.name]
        runs = []
        for data in packets:
            result = live.test_run(data)
            runs.append((result.retval, result.data_out))
        return _outcome(runs, loaded.maps)


def _outcome(runs, live) -> Outcome:
    maps = {name: tuple(sorted(row.lookup_batch())) for name, row in live.items()}
    return Outcome(tuple(runs), maps)

"""16-byte loads of constants: numbers, maps, addresses of values, functions and kernel symbols."""

from __future__ import annotations

from typing import assert_never

from beebox.isa.instruction import GlobalRef, KsymRef, LoadImm64, MapRef, PseudoImm64, SubprogRef
from beebox.obj.model import MapSpec
from beebox.tables.map_types import MapType
from beebox.verifier.accesses import arena
from beebox.verifier.btf_pointers import symbols
from beebox.verifier.fields import lookup
from beebox.verifier.findings import Refusal
from beebox.verifier.helpers import callbacks
from beebox.verifier.numbers.scalar import const
from beebox.verifier.path import Path
from beebox.verifier.result import RegKind
from beebox.verifier.shape import rights
from beebox.verifier.states.value import Reg


def load(path: Path, insn: LoadImm64) -> Reg:
    """What the instruction puts into its register."""
    match insn.value:
        case int(number):
            return path.number(const(number))
        case MapRef(name):
            use(path, name)
            return path.pointer(RegKind.MAP, map_=name)
        case GlobalRef(name, offset):
            spec = use(path, name)
            if spec.type is MapType.ARENA:
                return arena.value(path, spec, offset)
            if not 0 <= offset < max(spec.value_size, 1):
                raise Refusal(
                    "map-value-bounds", path.pc,
                    f"offset {offset} is outside the {spec.value_size} bytes of {name}",
                )  # fmt: skip
            return path.pointer(RegKind.MAP_VALUE, map_=name, off=offset)
        case KsymRef(name):
            return symbols.address(path, name)
        case SubprogRef(name):
            problem = f"the address of {name}: callbacks are not verified yet"
        case PseudoImm64(pseudo=4, low=distance):
            return callbacks.address(path.spec, path, path.pc + 1 + distance)
        case PseudoImm64(pseudo, low):
            problem = f"the kernel reads {low} as an object (pseudo {pseudo}): not verified"
        case other:
            assert_never(other)
    raise Refusal("not-supported", path.pc, problem)


def check_all(path: Path) -> None:
    """Whether the program may use the maps that it names, also where no path leads."""
    for pc, insn in enumerate(path.spec.slots):
        if isinstance(insn, LoadImm64) and isinstance(insn.value, MapRef | GlobalRef):
            ref = insn.value
            path.pc = pc
            name = ref.name if isinstance(ref, MapRef) else ref.map_name
            _check(path, path.map_spec(name))
    path.pc = 0


def use(path: Path, name: str) -> MapSpec:
    """The map that the program uses now. Refuses one that it may not use."""
    spec = path.map_spec(name)
    if name not in path.maps:
        _check(path, spec)
        lookup.note(path, name, spec)
        path.maps.add(name)
    return spec


def _check(path: Path, spec: MapSpec) -> None:
    rights.check_map(path.spec, spec, path.pc)
    if path.speculation is not None and spec.type is MapType.ARENA:
        raise Refusal(
            "loader", path.pc, "only programs loaded with CAP_PERFMON may use an arena",
            kernel="CAP_BPF and CAP_PERFMON are required to use arena",
        )  # fmt: skip

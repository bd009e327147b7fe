"""Programs as bytes with map descriptors, put to the kernel and to our verifier alike."""

from __future__ import annotations

from dataclasses import dataclass, replace

from calls import CALLBACK, CALLBACK_CODE, MAIN, TYPES, Maps
from probing import EXIT, Answer, Hook, ask

from beebox.isa.codec import decode
from beebox.isa.instruction import GlobalRef, Instruction, LoadImm64, MapRef, PseudoImm64
from beebox.linux.pins import map_info
from beebox.obj.model import FuncInfo, KernelSymbol, MapSpec, ProgramSpec
from beebox.obj.targets.host import host
from beebox.tables.map_types import MapFlags, MapType
from beebox.tables.program_types import ProgramType
from beebox.tables.sections import ProgramFlags
from beebox.verifier.options import Options
from beebox.verifier.reports.report import render
from beebox.verifier.result import Report
from beebox.verifier.verify import verify

_TYPE_BY_ID = {row.value.id: row for row in MapType}
_PSEUDO_MAP_FD, _PSEUDO_MAP_VALUE = 1, 2


@dataclass(frozen=True)
class Verdicts:
    """Ours and Linux's on one program."""

    ours: Report
    theirs: Answer

    @property
    def judged(self) -> bool:
        """Whether our verifier has a verdict at all."""
        return self.ours.accepted or self.ours.findings[0].code != "not-supported"

    @property
    def agree(self) -> bool:
        """Whether both accept, or both refuse."""
        return self.ours.accepted == (not self.theirs.errno)

    def __str__(self) -> str:
        return f"linux: {self.theirs.errno} {self.theirs.last}\nours: {render(self.ours)}"


def compare(
    hook: Hook, code: bytes, maps: Maps | None = None, *, license_name: str = "GPL"
) -> Verdicts:
    """Both verdicts on a program."""
    debug = maps.debug(code) if maps is not None else None
    theirs = ask(hook, code, license_name=license_name, debug=debug)
    spec = spec_of(hook, code, license_name=license_name)
    return Verdicts(verify(spec, Options(target=host())), theirs)


def spec_of(hook: Hook, code: bytes, *, license_name: str = "GPL") -> ProgramSpec:
    """The program as our verifier reads it: descriptors become names of maps."""
    maps: dict[str, MapSpec] = {}
    functions: tuple[FuncInfo, ...] = ()
    if code.endswith(EXIT + CALLBACK_CODE):
        place = (len(code) - len(CALLBACK_CODE)) // len(EXIT)
        functions = (FuncInfo(0, "main", MAIN), FuncInfo(place, "callback", CALLBACK))
    insns = tuple(_named(insn, maps) for insn in decode(code))
    return ProgramSpec(
        "question",
        hook.program_type.value.name,
        hook.program_type,
        insns,
        maps,
        hook.attach_type,
        ProgramFlags(hook.flags),
        license_name,
        functions=functions,
        btf=TYPES,
        attach_symbol=_symbol(hook),
    )


def _symbol(hook: Hook) -> KernelSymbol | None:
    if not hook.attach_btf_id:
        return None
    of_struct = hook.program_type is ProgramType.STRUCT_OPS
    return KernelSymbol(hook.attach_btf_id, "", hook.member if of_struct else None)


def _named(insn: Instruction, maps: dict[str, MapSpec]) -> Instruction:
    match insn:
        case LoadImm64(value=PseudoImm64(pseudo, fd, offset)) if pseudo in (
            _PSEUDO_MAP_FD,
            _PSEUDO_MAP_VALUE,
        ):
            name = f"map{fd}"
            maps[name] = _map_of(fd, name)
            ref = MapRef(name) if pseudo == _PSEUDO_MAP_FD else GlobalRef(name, offset)
            return replace(insn, value=ref)
        case _:
            return insn


def _map_of(fd: int, name: str) -> MapSpec:
    info = map_info(fd)
    type_ = _TYPE_BY_ID[info.type_id]
    flags = MapFlags(info.flags)
    constant = bool(flags & MapFlags.RDONLY_PROG)
    return MapSpec(
        name,
        type_,
        info.key_size,
        info.value_size,
        info.max_entries,
        flags,
        info.key_type_id,
        info.value_type_id,
        contents=bytes(info.value_size) if constant else None,
        frozen=constant,
        inner=MapSpec("inner", MapType.ARRAY, 4, 8, 1) if type_.value.has_inner else None,
    )

"""The BPF lowering: IR made by hand, compiled, read back; what matters of its shape."""

from __future__ import annotations

import pytest

from beebox.compiler import bpf, ir
from beebox.compiler.source import compile_source
from beebox.errors import CompileError, InternalError
from beebox.isa.instruction import Atomic, Call, Load
from beebox.llvm import worker
from beebox.obj import reader
from beebox.obj.model import ObjectSpec
from beebox.tables.helpers import HELPER_BY_NAME
from beebox.tables.map_types import MapType
from beebox.tables.sections import section_row

AT = ir.Span("made.py", 1, 1, 2)
U8, U16, U32, U64 = (ir.IntType(bits, signed=False) for bits in (8, 16, 32, 64))
I32 = ir.IntType(32, signed=True)
CONTEXT = ir.ContextType("xdp_md")
PACKET_U32 = ir.OptionalType(ir.RefType(U32, ir.Space.PACKET))
VALUE_U64 = ir.OptionalType(ir.RefType(U64, ir.Space.MAP_VALUE))


def const(value: int, type_: ir.Type = U32) -> ir.Const:
    return ir.Const(value, type_, AT)


def local(name: str, type_: ir.Type) -> ir.LocalPlace:
    return ir.LocalPlace(name, type_, AT)


def read(name: str, type_: ir.Type = U32) -> ir.Read:
    return ir.Read(local(name, type_), type_, AT)


def program(
    *body: ir.Stmt, variables: dict[str, ir.Type] | None = None, name: str = "program"
) -> ir.Function:
    return ir.Function(
        name,
        (ir.Param("ctx", CONTEXT, AT),),
        U32,
        tuple(ir.Local(key, type_, AT) for key, type_ in (variables or {}).items()),
        (*body, ir.Return(const(2), AT)),
        AT,
        section_row("xdp"),
        "xdp",
    )


def module(*functions: ir.Function, **parts: tuple[object, ...]) -> ir.Module:
    return ir.Module("made.py", functions, sources={"made.py": "a source\n"}, **parts)


def compiled(made: ir.Module) -> ObjectSpec:
    return reader.read(worker.compile_bpf(bpf.lower(made)), file="made.py")


COUNTS = ir.MapDecl("counts", MapType.HASH, U32, U64, 16, AT)


def test_lowering_is_deterministic() -> None:
    made = module(program(), maps=(COUNTS,))
    assert bpf.lower(made) == bpf.lower(made)


def test_maps_carry_their_definition() -> None:
    lookup = ir.MapLookup(ir.MapHandle("counts", ir.PointerType(), AT), const(1), VALUE_U64, AT)
    spec = compiled(module(program(ir.Evaluate(lookup, AT)), maps=(COUNTS,)))
    found = spec.maps["counts"]
    assert (found.type, found.key_size, found.value_size, found.max_entries) == (
        MapType.HASH,
        4,
        8,
        16,
    )


def test_globals_go_to_their_sections() -> None:
    declarations = (
        ir.GlobalDecl("zero", U64, bytes(8), False, AT),
        ir.GlobalDecl("seven", U32, b"\7\0\0\0", False, AT),
        ir.GlobalDecl("knob", U32, b"\5\0\0\0", True, AT),
    )
    spec = compiled(module(program(), globals=declarations))
    assert spec.maps[".bss"].contents == bytes(8)
    assert spec.maps[".data"].contents == b"\7\0\0\0"
    assert spec.maps[".rodata"].contents == b"\5\0\0\0"
    assert spec.maps[".rodata"].frozen


def test_a_knob_is_read_at_run_time() -> None:
    knob = ir.GlobalDecl("knob", U32, b"\5\0\0\0", True, AT)
    body = ir.Return(ir.Read(ir.GlobalPlace("knob", U32, AT), U32, AT), AT)
    spec = compiled(module(program(body), globals=(knob,)))
    assert any(isinstance(insn, Load) for insn in spec.functions["program"].insns)


def test_an_atomic_add_does_not_fetch() -> None:
    total = ir.GlobalDecl("total", U64, bytes(8), False, AT)
    add = ir.AtomicUpdate(ir.AtomicOp.ADD, ir.GlobalPlace("total", U64, AT), const(1, U64), AT)
    spec = compiled(module(program(add), globals=(total,)))
    (atomic,) = (i for i in spec.functions["program"].insns if isinstance(i, Atomic))
    assert not atomic.op.value.fetch


def check_first_word() -> tuple[ir.Stmt, ...]:
    """``word = ctx.packet(u32, 0); if word is None: return 1; return word``."""
    return (
        ir.Assign(local("word", PACKET_U32), ir.PacketAccess(const(0, U64), PACKET_U32, AT), AT),
        ir.If(
            ir.IsNone(read("word", PACKET_U32), False, ir.BoolType(), AT),
            (ir.Return(const(1), AT),),
            (),
            AT,
        ),
    )


def first_word() -> ir.Expr:
    ref = ir.Cast(read("word", PACKET_U32), PACKET_U32.ref, AT)
    return ir.Read(ir.DerefPlace(ref, U32, AT), U32, AT)


def test_a_packet_check_is_one_comparison() -> None:
    body = (*check_first_word(), ir.Return(first_word(), AT))
    spec = compiled(module(program(*body, variables={"word": PACKET_U32})))
    insns = spec.functions["program"].insns
    assert len(insns) <= 9  # two bounds, copy, add, compare, two results, exit
    assert sum(isinstance(insn, Load) for insn in insns) == 3


@pytest.mark.parametrize("through", ["helper", "subprogram"])
def test_packet_bounds_are_read_again_after_the_packet_moved(through: str) -> None:
    move = ir.CallHelper(
        HELPER_BY_NAME["xdp_adjust_head"],
        (ir.ContextArg(CONTEXT, AT), const(4, I32)),
        I32,
        AT,
    )
    mover = ir.Function(
        "mover",
        (ir.Param("ctx", CONTEXT, AT),),
        I32,
        (),
        (ir.Return(move, AT),),
        AT,
    )
    call = ir.CallFunction("mover", (ir.ContextArg(CONTEXT, AT),), I32, AT)
    moving = ir.Evaluate(move if through == "helper" else call, AT)
    body = (*check_first_word(), moving, *check_first_word(), ir.Return(first_word(), AT))
    main = program(*body, variables={"word": PACKET_U32})
    insns = compiled(module(main, mover)).functions["program"].insns
    at = next(index for index, insn in enumerate(insns) if isinstance(insn, Call))
    before, after = insns[:at], insns[at:]
    assert sum(isinstance(insn, Load) for insn in before) == 2
    assert sum(isinstance(insn, Load) for insn in after) == 3


def test_every_place_and_name_is_in_the_object() -> None:
    body = (*check_first_word(), ir.Return(first_word(), AT))
    function = compiled(module(program(*body, variables={"word": PACKET_U32}))).functions["program"]
    assert {line.file for line in function.lines} == {"made.py"}
    assert {line.text for line in function.lines} == {"a source"}
    assert {"ctx", "word"} <= {variable.name for variable in function.variables}


def test_the_front_ends_own_names_stay_hidden() -> None:
    text = bpf.lower(module(program(variables={".hidden": U32, "shown": U32})))
    assert '!DILocalVariable(name: "shown"' in text
    assert '!DILocalVariable(name: ".hidden"' not in text


def test_a_column_that_line_info_cannot_hold_is_unknown() -> None:
    far = ir.Span("made.py", 3, 1024, 1025)
    returned = ir.Return(ir.ReadContext("ingress_ifindex", U32, far), far)
    lines = compiled(module(program(returned))).functions["program"].lines
    assert (3, 0) in {(line.line, line.column) for line in lines}


def test_native_intrinsics_are_not_for_programs() -> None:
    pause = ir.Evaluate(ir.Intrinsic("pause", (), ir.VoidType(), AT), AT)
    with pytest.raises(InternalError, match="pause"):
        bpf.lower(module(program(pause)))


TOO_MUCH = """
from typing import Literal
from beebox import XdpAction, XdpContext, array, struct, u32, u64, xdp, Hash

@struct
class Large:
    slots: array[u64, Literal[80]]

larges = Hash[u32, Large](max_entries=2)

@xdp
def program(ctx: XdpContext) -> XdpAction:
    larges[0] = Large()
    return XdpAction.PASS
"""


def test_a_stack_that_is_too_large_is_the_sources_fault() -> None:
    with pytest.raises(CompileError, match="512 bytes of stack") as caught:
        compile_source(TOO_MUCH, file="large.py")
    assert caught.value.file == "large.py"
    assert caught.value.line > 1

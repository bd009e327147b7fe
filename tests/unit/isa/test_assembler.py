"""Labels, comments, symbols and places in errors."""

from __future__ import annotations

import pytest

from beebox.errors import AssemblyError
from beebox.isa.assembler import assemble
from beebox.isa.disassembler import listing, name_text, text
from beebox.isa.instruction import (
    Call,
    CallKind,
    Exit,
    GlobalRef,
    Jump,
    JumpIf,
    KfuncRef,
    LoadImm64,
    MapRef,
    Reg,
    SubprogRef,
)

LOOP = """
; sums 0..9      a comment
    r0 = 0
    r1 = 0x100000000 ll   # two slots
again:
    r0 += 1               // another
    if r0 < 10 goto again
    if r1 == 0 goto out
    gotol again
    call helper
out: exit
helper:
    exit
"""


def test_labels_become_distances_in_slots():
    insns = assemble(LOOP)
    jumps = [insn.offset for insn in insns if isinstance(insn, JumpIf | Jump)]
    assert jumps == [-2, 2, -4]
    assert insns[6] == Call(CallKind.SUBPROG, 1)
    assert [pc for pc, _ in listing(insns)] == [0, 1, 3, 4, 5, 6, 7, 8, 9]


def test_a_call_of_another_name_is_for_the_linker():
    assert assemble("call elsewhere") == (Call(CallKind.SUBPROG, SubprogRef("elsewhere")),)


@pytest.mark.parametrize("name", ["counts", ".rodata.str1.1", "a b", 'quo"te\\', "r1", "pc", "é\n"])
def test_symbols_of_any_name(name: str):
    for insn in (
        LoadImm64(Reg.R1, MapRef(name)),
        LoadImm64(Reg.R1, GlobalRef(name, -4)),
        Call(CallKind.SUBPROG, SubprogRef(name)),
        Call(CallKind.KFUNC, KfuncRef(name), 3),
    ):
        assert assemble(text(insn)) == (insn,)


def test_functions_that_look_like_helpers_stay_functions():
    insn = Call(CallKind.SUBPROG, SubprogRef("bpf_ktime_get_ns"))
    assert assemble(text(insn)) == (insn,)


def test_plain_names_stay_plain():
    assert name_text("counts") == "counts"
    assert name_text("r1") == '"r1"'


def test_a_label_twice():
    with pytest.raises(AssemblyError) as caught:
        assemble("a:\nexit\n  a: exit", file="x.s")
    assert (caught.value.file, caught.value.line, caught.value.column) == ("x.s", 3, 3)


def test_a_label_too_far_away():
    with pytest.raises(AssemblyError) as caught:
        assemble("goto end\n" + "exit\n" * 40_000 + "end: exit")
    assert caught.value.line == 1
    assert "gotol" in (caught.value.hint or "")


def test_an_empty_source_is_an_empty_program():
    assert assemble("\n ; nothing\n\n") == ()


def test_a_label_may_stand_at_the_end():
    assert assemble("goto end\nexit\nend:") == (Jump(1), Exit())

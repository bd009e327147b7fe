"""What clang prints for people reads as the object that it would have written."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from same_specs import assert_same_object

from beebox.clang.run import INCLUDE
from beebox.errors import AssemblyError, InputError
from beebox.isa.instruction import (
    Alu,
    Call,
    CallKind,
    Exit,
    GlobalRef,
    Jump,
    JumpIf,
    LoadImm64,
    Reg,
    SubprogRef,
)
from beebox.obj.assembly.source import read_assembly
from beebox.obj.model import ObjectSpec
from beebox.obj.reader import read
from beebox.tables.opcodes import AluOp, JmpOp

C_FOLDER = Path(__file__).parents[3] / "data/c"
C_SOURCES = sorted(C_FOLDER.glob("*.c"))


@cache
def clang(path: Path, *options: str) -> bytes:
    command = [sys.executable, "-m", "ziglang", "clang", "-target", "bpfel", "-O2", "-mcpu=v3"]
    command += ["-isystem", str(INCLUDE), *options, str(path), "-o", "-"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def nameless(spec: ObjectSpec) -> ObjectSpec:
    """Without the names of variables, which DWARF alone has."""
    functions = {name: replace(row, variables=()) for name, row in spec.functions.items()}
    return replace(spec, functions=functions)


@pytest.mark.parametrize("path", C_SOURCES, ids=lambda path: path.stem)
def test_text_and_object_are_the_same(path: Path):
    spec = read(clang(path, "-g", "-c"))
    again = read_assembly(clang(path, "-g", "-S").decode())
    assert_same_object(nameless(spec), nameless(again))


SOURCE = """
	.section	xdp,"ax",@progbits
	.globl	main                            # -- Begin function main
	.p2align	3
	.type	main,@function
main:                                   # @main
	r1 = table+4 ll
	r2 = *(u32 *)(r1 + 0)
	if r2 == 0 goto LBB0_2
# %bb.1:
	call add
	r0 = w0
LBB0_2:
	r1 = seen ll
	exit
.Lfunc_end0:
	.size	main, .Lfunc_end0-main
	.text
	.type	add,@function
add:
	r0 = 1
	exit
.Lfunc_end1:
	.size	add, .Lfunc_end1-add
	.type	table,@object
	.section	.rodata,"a",@progbits
	.p2align	2, 0x0
table:
	.long	1, 0x2
	.short	-1
	.byte	(.Lfunc_end0-main)/8&0x7f
	.ascii	"\\tq\\"\\101\\x41"
	.zero	2
	.size	table, 16
	.type	seen,@object
	.local	seen
	.comm	seen,8,8
	.type	license,@object
	.section	license,"aw",@progbits
license:
	.asciz	"GPL"
	.size	license, 4
	.addrsig
	.addrsig_sym main
"""


def test_a_text_without_debug_information():
    spec = read_assembly(SOURCE, file="main.s")
    assert spec.license == "GPL"
    main = spec.functions["main"]
    assert main.insns[0] == LoadImm64(Reg.R1, GlobalRef(".rodata", 4))
    assert main.insns[3] == Call(CallKind.SUBPROG, SubprogRef("add"))
    assert main.insns[4] == Alu(AluOp.MOV, Reg.R0, Reg.R0, wide=False)
    assert main.insns[5] == LoadImm64(Reg.R1, GlobalRef(".bss", 0))
    assert not spec.functions["add"].is_global
    rodata = spec.maps[".rodata"].contents
    assert rodata == b"\1\0\0\0\2\0\0\0\xff\xff\x09" + b'\tq"AA' + bytes(2)
    assert spec.maps[".bss"].contents == bytes(8)
    assert [(row.pc, row.file, row.line, row.text) for row in main.lines[:2]] == [
        (0, "main.s", 7, "r1 = table+4 ll"),
        (2, "main.s", 8, "r2 = *(u32 *)(r1 + 0)"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ("LBB0_2\n", "LBB0_3\n", 18),
        ("goto LBB0_2", "goto table", 18),
        ("call add\n", "call .Lgone+1\n", 13),
        ("r0 = 1", "r0 = ", 6),
        (".short	-1", ".short	99999", 9),
        (".long	1, 0x2", ".long	main", 8),
        (".long	1, 0x2", ".long	1/0", 8),
        (".long	1, 0x2", ".long	1+", 10),
        (".long	1, 0x2", ".long	main*2", 8),
        (".zero	2", ".zero	0x7fffffff", 8),
        (".zero	2", '.incbin "x"', 2),
        ("@function", "@gnu_ifunc", 14),
        ("table:", "main:", 1),
        (".p2align	2", ".p2align	77", 2),
        (".comm	seen,8,8", ".comm	seen,8,7", 8),
    ],
)
def test_refusals(old: str, new: str, column: int):
    line = SOURCE[: SOURCE.index(old)].count("\n") + 1
    with pytest.raises(AssemblyError) as caught:
        read_assembly(SOURCE.replace(old, new, 1), file="x.s")
    assert (caught.value.line, caught.value.column) == (line, column)


def test_inline_assembly():
    """Statements behind a `;`, labels of which there are many, instructions as bytes."""
    code = "1:\tr0 = 1; r0 += 2; if r0 == 3 goto 1f\n"
    code += "1:.byte 0xb7; .byte 0; .short (1b-1b)/8; .long 7\n\tgoto 1b\n"
    spec = read_assembly(SOURCE.replace("\tr0 = 1\n", code))
    insns = spec.functions["add"].insns
    assert insns[:2] == (Alu(AluOp.MOV, Reg.R0, 1), Alu(AluOp.ADD, Reg.R0, 2))
    assert insns[2:] == (
        JumpIf(JmpOp.EQ, Reg.R0, 3, 0),
        Alu(AluOp.MOV, Reg.R0, 7),
        Jump(-2),
        Exit(),
    )


def test_notations_do_not_mix():
    with pytest.raises(AssemblyError):
        read_assembly(".map m hash key=4 value=4 max_entries=1\n" + SOURCE)


def test_depth_and_length_are_bounded():
    for words in (
        "(" * 9999,
        "1" + "+1" * 9999,
        "-" * 9999 + "1",
        "(" * 99 + "1" + ")" * 99,
        "1" + ";.long 1" * 99,
    ):
        with pytest.raises(AssemblyError):
            read_assembly(SOURCE.replace("1, 0x2", words))


@given(st.integers(0, len(SOURCE)), st.integers(0, 5), st.text(max_size=3))
def test_torn_text_is_an_object_or_an_error(start: int, count: int, words: str):
    try:
        spec = read_assembly(SOURCE[:start] + words + SOURCE[start + count :])
    except InputError:
        return
    assert isinstance(spec, ObjectSpec)

"""Programs as the ecosystem writes them compile unchanged, to the code that libbpf's headers give.

The programs use the includes, macros and idioms of libbpf-bootstrap, xdp-tutorial and libbpf-tools.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from beebox.btf import kernel
from beebox.clang.run import compile_c
from beebox.isa.codec import decode
from beebox.isa.disassembler import listing
from beebox.obj import elf, reader
from beebox.obj.elf import SectionFlag

PROGRAMS = sorted((Path(__file__).parents[2] / "data/libbpf").glob("*.c"))
DEBIAN = Path("/usr/include/bpf/bpf_helpers.h")
MACHINE = ["-I/usr/include", "-I/usr/include/x86_64-linux-gnu", "-D__x86_64__"]
SAME = [
    "-DLIBBPF_1_1",
    "-D__bpf_fastcall=",
    "-Wno-everything",
]  # newer headers than Debian's mark some helpers
NEWER = {"iterators", "kfuncs"}
"""Programs of which libbpf 1.1 knows too little."""
OWN_CODE = {"usdt": {".text"}}
"""Sections whose code is a library's, not the program's: ours is not libbpf's."""

pytestmark = pytest.mark.skipif(
    not (kernel.FOLDER / "vmlinux").exists(), reason="the running kernel shows no BTF"
)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_compiles_without_a_warning(path: Path):
    made = compile_c(path)
    assert made.warnings == ""
    spec = reader.read(made.data, file=str(path))
    assert spec.program_names
    assert spec.license in {"GPL", "Dual BSD/GPL"}


@pytest.mark.parametrize(
    "path", [path for path in PROGRAMS if path.stem not in NEWER], ids=lambda path: path.stem
)
def test_the_same_code_as_with_libbpfs_headers(path: Path):
    if not DEBIAN.exists():
        pytest.skip(f"no {DEBIAN}")
    ours = code(compile_c(path, SAME).data)
    theirs = code(compile_c(path, [*SAME, *MACHINE]).data)
    own = OWN_CODE.get(path.stem, set())
    assert ours.keys() == theirs.keys()
    for section in ours.keys() - own:
        assert ours[section] == theirs[section], section


def code(data: bytes) -> dict[str, list[str]]:
    """By section of instructions: their text, with the names that relocations put in."""
    parsed = elf.read(data)
    found = {}
    for index, section in enumerate(parsed.sections):
        if not section.flags & SectionFlag.EXECINSTR or not section.size:
            continue
        names = {
            entry.offset // 8: parsed.symbols[entry.symbol].name or "section"
            for entry in parsed.relocations.get(index, ())
        }
        found[section.name] = [
            f"{pc}: {text} {names.get(pc, '')}" for pc, text in listing(decode(section.contents))
        ]
    return found


REGISTERS = """\
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

unsigned long seen[32];

SEC("kprobe/x") int registers(struct pt_regs *ctx)
{
	seen[0] = PT_REGS_PARM1(ctx);
	seen[1] = PT_REGS_PARM2(ctx);
	seen[2] = PT_REGS_PARM3(ctx);
	seen[3] = PT_REGS_PARM4(ctx);
	seen[4] = PT_REGS_PARM1_CORE(ctx);
	seen[5] = PT_REGS_PARM4_CORE(ctx);
	seen[6] = PT_REGS_RC(ctx);
	seen[7] = PT_REGS_SP(ctx);
	seen[8] = PT_REGS_FP(ctx);
	seen[9] = PT_REGS_PARM1_SYSCALL(ctx);
	seen[10] = PT_REGS_PARM2_SYSCALL(ctx);
	seen[11] = PT_REGS_PARM5_SYSCALL(ctx);
	seen[12] = PT_REGS_PARM3_CORE_SYSCALL(ctx);
#ifndef NO_IP
	seen[13] = PT_REGS_IP(ctx);
#endif
#ifndef NO_RET
	seen[14] = PT_REGS_RET(ctx);
#endif
	return 0;
}
"""
LAYOUTS = {
    "x86": (
        (
            "struct pt_regs { unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, "
            "dx, si, di, orig_ax, ip, cs, flags, sp, ss; };"
        ),
        [],
    ),
    "arm64": (
        (
            "struct user_pt_regs { __u64 regs[31], sp, pc, pstate; };"
            "struct pt_regs { struct user_pt_regs user_regs; __u64 orig_x0; };"
        ),
        [],
    ),
    "s390": (
        (
            "typedef struct { unsigned long mask, addr; } psw_t;"
            "typedef struct { unsigned long args[1]; psw_t psw; unsigned long gprs[16]; } "
            "user_pt_regs; struct pt_regs { user_pt_regs user_regs; unsigned long orig_gpr2; };"
        ),
        ["-DNO_RET"],
    ),  # libbpf 1.1 misspells it
    "arm": ("struct pt_regs { unsigned long uregs[18]; };", ["-DNO_IP"]),  # theirs is a scratch one
    "mips": ("struct pt_regs { unsigned long regs[32], lo, hi, cp0_epc; };", []),
}
"""By machine: what its kernel's BTF says of registers, and what libbpf 1.1 has otherwise."""


@pytest.mark.parametrize("arch", LAYOUTS)
def test_registers_of_other_machines(arch: str, tmp_path: Path):
    if not DEBIAN.exists():
        pytest.skip(f"no {DEBIAN}")
    layout, options = LAYOUTS[arch]
    source = tmp_path / "registers.c"
    source.write_text(REGISTERS)
    typedefs = "".join(f"typedef unsigned {name};\n" for name in ("char __u8", "short __u16"))
    (tmp_path / "vmlinux.h").write_text(
        f"#ifndef __VMLINUX_H__\n#define __VMLINUX_H__\n{typedefs}typedef unsigned int __u32;\n"
        "typedef int __s32; typedef unsigned long long __u64; typedef long long __s64;\n"
        "typedef __u16 __be16; typedef __u32 __be32, __wsum;\n"
        "enum { BPF_F_CURRENT_CPU = 0xffffffffULL };\n"
        "#pragma clang attribute push (__attribute__((preserve_access_index)), "
        f"apply_to = record)\n{layout}\n#pragma clang attribute pop\n#endif\n"
    )
    options = [*SAME, f"-D__TARGET_ARCH_{arch}", *options]
    ours = code(compile_c(source, options).data)
    theirs = code(compile_c(source, [*options, "-I/usr/include"]).data)
    assert ours["kprobe/x"] == theirs["kprobe/x"]

"""What generated programs are made of: every form of every operation, and the verifier's features.

A form is an operation with its width and kind of operand: ``alu64 += reg``, ``jmp32 s< imm``. What
instructions access is known of accepted programs only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Final

from beebox.isa.instruction import (
    Alu,
    Atomic,
    Call,
    CallKind,
    Instruction,
    Jump,
    JumpIf,
    Load,
    LoadImm64,
    LoadPacket,
    MayGoto,
    Reg,
    Store,
    Swap,
    slot_count,
)
from beebox.obj.model import ProgramSpec
from beebox.tables.helpers import HELPERS
from beebox.tables.opcodes import AluOp, AtomicOp, JmpOp, Size
from beebox.verifier.result import Report

_WIDTHS: Final = (True, False)
_SIZES: Final = {size: size.value.ctype for size in Size}


def _alu(op: AluOp, wide: bool, reg: bool) -> str:
    return f"alu{64 if wide else 32} {op.value.mnemonic} {'reg' if reg else 'imm'}"


def _jmp(op: JmpOp, wide: bool, reg: bool) -> str:
    return f"jmp{64 if wide else 32} {op.value.mnemonic} {'reg' if reg else 'imm'}"


def _forms() -> tuple[str, ...]:
    out = []
    for op in AluOp:
        row = op.value
        kinds = (False,) if row.unary else (True,) if row.sign_extends else (True, False)
        out += [_alu(op, wide, reg) for wide in _WIDTHS for reg in kinds
                if wide or not row.wide_only]  # fmt: skip
    out += [_jmp(op, wide, reg) for op in JmpOp for wide in _WIDTHS for reg in (True, False)]
    out += [f"swap {to}{bits}" for to in ("le", "be", "bswap") for bits in (16, 32, 64)]
    out += [f"load {name}" for name in _SIZES.values()]
    out += [f"load s{8 * size.value.bytes}" for size in Size if size is not Size.DW]
    out += [f"store {name} {kind}" for name in _SIZES.values() for kind in ("reg", "imm")]
    for atomic in AtomicOp:
        wide_only = not atomic.value.narrow
        out += [
            f"atomic {atomic.value.mnemonic} {name}"
            for size, name in _SIZES.items()
            if not wide_only or size in (Size.W, Size.DW)
        ]
    out += ["jump", "jump long", "may_goto", "call", "lddw", "lddw map", "lddw value", "lddw func"]
    return (*out, *(f"load packet {mode} {name}" for mode in ("abs", "ind")
                    for size, name in _SIZES.items() if size is not Size.DW))  # fmt: skip


FORMS: Final = _forms()
"""Every form of an instruction that a program of these generators can have."""

_LDDW: Final = {"int": "lddw", "MapRef": "lddw map", "GlobalRef": "lddw value"}


def form(insn: Instruction) -> str | None:
    """Which form it is; None for a helper's call and exit, which are counted otherwise."""
    match insn:
        case Alu(op, _, src, wide):
            return _alu(op, wide, isinstance(src, Reg) and not op.value.unary)
        case JumpIf(op, _, src, _, wide):
            return _jmp(op, wide, isinstance(src, Reg))
        case Swap(to, bits):
            return f"swap {to}{bits}"
        case Load(_, _, _, size, signed):
            return f"load s{8 * size.value.bytes}" if signed else f"load {_SIZES[size]}"
        case Store(_, _, src, size):
            return f"store {_SIZES[size]} {'reg' if isinstance(src, Reg) else 'imm'}"
        case Atomic(op, size=size):
            return f"atomic {op.value.mnemonic} {_SIZES[size]}"
        case Jump(long=long):
            return "jump long" if long else "jump"
        case MayGoto():
            return "may_goto"
        case Call(CallKind.SUBPROG):
            return "call"
        case LoadImm64(value=value):
            return _LDDW.get(type(value).__name__, "lddw func")
        case LoadPacket(mode, size):
            return f"load packet {mode.name.lower()} {_SIZES[size]}"
        case _:
            return None


@cache
def _helper(target: int) -> str:
    row = HELPERS.get(target)
    return f"helper {row.name}" if row is not None else "helper unknown"


def features(spec: ProgramSpec, report: Report) -> Iterable[str]:
    """Forms of the instructions, helpers, loops, and, of an accepted program, what it accesses."""
    pc = 0
    verified = report.verified
    for insn in spec.insns:
        name = form(insn)
        if name is not None:
            yield name
        match insn:
            case Call(CallKind.HELPER, int() as target):
                yield _helper(target)
            case Jump(offset) | JumpIf(offset=offset) if offset < 0:
                yield "a jump back"
            case _:
                pass
        if verified is not None and (row := verified.regs[pc]) is not None:
            match insn:
                case Load(_, base, _, size):
                    kind = row[base]
                    yield f"accepted: load {_SIZES[size]} from {kind.kind.name if kind else '?'}"
                case Store(base, _, src, size):
                    kind = row[base]
                    yield f"accepted: store {_SIZES[size]} to {kind.kind.name if kind else '?'}"
                    value = row[src] if isinstance(src, Reg) else None
                    if kind and kind.kind.name == "STACK" and value is not None:
                        yield f"accepted: spill {_SIZES[size]} of {value.kind.name}"
                case Atomic(_, base):
                    kind = row[base]
                    yield f"accepted: atomic on {kind.kind.name if kind else '?'}"
                case _:
                    pass
        pc += slot_count(insn)
    yield f"type {spec.type.name}"
    if verified is not None and len(verified.subprograms) > 1:
        yield "accepted: subprograms"


def table(seen: Counter[str]) -> str:
    """How often each form was generated, and which never were."""
    lines = [f"{seen[name]:9} {name}" for name in FORMS]
    missing = [name for name in FORMS if not seen[name]]
    lines.append(f"operators: {len(FORMS) - len(missing)} of {len(FORMS)} forms were generated")
    lines += [f"          never: {name}" for name in missing]
    others = sorted((name, count) for name, count in seen.items() if name not in FORMS)
    lines += [f"{count:9} {name}" for name, count in others]
    return "\n".join(lines)

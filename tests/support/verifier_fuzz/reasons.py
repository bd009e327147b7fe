"""Why Linux refuses: its last line, and whether that is a matter of safety."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final


class Reason(Enum):
    """What a refusal protects."""

    SAFETY = "safety"
    COST = "cost"  # the verifier gives up
    FORM = "form"  # rules on how programs are written, which no execution could break


_NOT_SAFETY: Final = (
    (r"BPF program is too large|too complex|too many states|E2BIG", Reason.COST),
    (r"^unreachable insn", Reason.FORM),
    (r"jump out of range|last insn is not an exit or jmp|invalid BPF_LD_IMM insn", Reason.FORM),
    (r"uses reserved fields|unknown opcode|R\d+ is invalid|invalid atomic operand", Reason.FORM),
    (r"caller passes invalid args into func|func_info|line_info|missing btf", Reason.FORM),
    (r"tail_calls are not allowed in programs without BTF|mixing of tail_calls", Reason.FORM),
)
"""What is not here is a matter of safety."""


_NO_REASON: Final = ("processed ", "verification time", "stack depth", "cur state", "old state")


def last_line(log: str) -> str:
    """The line that says why, without the numbers that depend on the program."""
    lines = [line for line in log.splitlines() if line and not line.startswith(_NO_REASON)]
    return lines[-1] if lines else ""


def shape_of(line: str) -> str:
    """The line with its numbers taken out: disagreements of one shape are one finding, mostly."""
    return re.sub(r"-?(0x[0-9a-f]+|\d+)", "N", line)


def reason(log: str) -> Reason:
    """What Linux's refusal protects."""
    line = last_line(log)
    for pattern, why in _NOT_SAFETY:
        if re.search(pattern, line):
            return why
    return Reason.SAFETY

"""Linux's verifier log and ours, made comparable line by line.

What is taken away: how Linux marks precision and stack liveness, which it alone writes; kernel
addresses; the numbers of identities, which count differently; statistics that only Linux keeps. A
state that stands on its own line, because Linux marked precision between, joins its instruction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Final

_ITS_OWN: Final = re.compile(
    r"mark_precise:|\(\d+(,\d+)*\) (frame|live)|frame \d+: propagating|SCC "
    r"|Unreleased reference|arg#\d+ reference type"
)
_IDENTITY: Final = re.compile(r"\b(id|ref_obj_id|ref_id|dynptr_id)=\d+|refs=\d+(,\d+)*")
_ADDRESS: Final = re.compile(r"0xffff[0-9a-f]{12}\b")
_INSN: Final = re.compile(r"\d+: \(")
_STATE: Final = re.compile(r"\d+: (R|frame|fp)")


def comparable(lines: Iterable[str]) -> list[str]:
    """The lines as they should be the same."""
    out: list[str] = []
    for line in lines:
        if _ITS_OWN.match(line):
            continue
        shown = _IDENTITY.sub(lambda found: found[0].partition("=")[0] + "=*", line)
        shown = _ADDRESS.sub("0x0", shown) if "(18)" in shown else shown
        shown = re.sub(r"^(processed \d+ insns).*", r"\1", shown)
        if out and _STATE.match(shown) and _INSN.match(out[-1]) and ";" not in out[-1]:
            shown = f"{out.pop()} ; {shown.partition(': ')[2]}"
        out.append(re.sub(r" +;", " ;", shown).rstrip())
    return out


def same_lines(theirs: list[str], ours: list[str]) -> int:
    """How many lines of ``theirs`` are in ``ours``, in order."""
    matcher = SequenceMatcher(None, theirs, ours, autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks())

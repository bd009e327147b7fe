"""The vectors of ``tests/data/conformance``: each one's result was worked out by hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from beebox.isa.assembler import assemble
from beebox.isa.instruction import Instruction

DATA = Path(__file__).parent.parent / "data/conformance"


@dataclass(frozen=True)
class Vector:
    """A program over a block of memory and the R0 that it must give."""

    group: str
    line: int
    result: int
    memory: bytes
    insns: tuple[Instruction, ...]

    def __str__(self) -> str:
        return f"{self.group}:{self.line}"


def read() -> list[Vector]:
    """All of them; ``group`` is the file's name."""
    found = []
    for path in sorted(DATA.glob("*.case")):
        for line, text in enumerate(path.read_text().splitlines(), start=1):
            if not text or text.startswith(("== ", "; ")):
                continue
            result, memory, program = text.split(" :: ")
            data = b"" if memory == "-" else bytes.fromhex(memory)
            insns = tuple(assemble(program.replace("; ", "\n")))
            found.append(Vector(path.stem, line, int(result, 16), data, insns))
    return found

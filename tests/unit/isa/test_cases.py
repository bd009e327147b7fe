"""Bytes, text and refusals as ``tests/data/asm`` lists them."""

from __future__ import annotations

from pathlib import Path

import pytest

from beebox.errors import AssemblyError
from beebox.isa.assembler import assemble
from beebox.isa.codec import decode, encode
from beebox.isa.disassembler import text

DATA = Path(__file__).parent.parent.parent / "data/asm"


def rows(name: str) -> list[list[str]]:
    lines = (DATA / name).read_text().splitlines()
    return [line.split(" :: ") for line in lines if line and not line.startswith(("== ", "; "))]


@pytest.mark.parametrize("row", rows("instructions.case"), ids=lambda row: row[1])
def test_bytes_and_text(row: list[str]):
    wire, *spellings = row
    data = bytes.fromhex(wire)
    insns = decode(data)
    assert encode(insns) == data
    assert [text(insn) for insn in insns] == [spellings[0].split(" //", maxsplit=1)[0]]
    for spelling in spellings:
        assert assemble(spelling) == insns


@pytest.mark.parametrize("row", rows("refusals.case"), ids=lambda row: row[0])
def test_refusals(row: list[str]):
    source, column, words = row
    with pytest.raises(AssemblyError) as caught:
        assemble("r0 = 0\n" + source)
    assert (caught.value.line, caught.value.column) == (2, int(column))
    assert words in str(caught.value)

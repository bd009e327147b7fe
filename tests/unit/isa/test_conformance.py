"""Groups against rows of RFC 9669's registry."""

from __future__ import annotations

import pytest

from beebox.isa.assembler import assemble
from beebox.isa.conformance import group
from beebox.tables.opcodes import Group


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("w1 += w2", Group.BASE32),
        ("r1 += r2", Group.BASE64),
        ("w1 *= 3", Group.DIVMUL32),
        ("r1 s%= 3", Group.DIVMUL64),
        ("r1 = be32 r1", Group.BASE32),
        ("r1 = bswap64 r1", Group.BASE64),
        ("r1 = 5 ll", Group.BASE64),
        ("r1 = *(u32 *)(r2 + 0)", Group.BASE32),
        ("r1 = *(s8 *)(r2 + 0)", Group.BASE64),
        ("*(u64 *)(r2 + 0) = 1", Group.BASE64),
        ("lock *(u32 *)(r2 + 0) += w1", Group.ATOMIC32),
        ("r0 = cmpxchg_64(r1 + 0, r0, r2)", Group.ATOMIC64),
        ("r0 = *(u8 *)skb[0]", Group.PACKET),
        ("gotol +0", Group.BASE32),
        ("if w1 == 0 goto +0", Group.BASE32),
        ("if r1 == 0 goto +0", Group.BASE64),
        ("call 1", Group.BASE32),
        ("may_goto +0", None),
        ("w1 = load_acquire((u8 *)(r2 + 0))", None),
        ("r1 = addr_space_cast(r2, 0, 1)", None),
    ],
)
def test_group(source: str, expected: Group | None):
    (insn,) = assemble(source)
    assert group(insn) is expected

"""Comparison trees become switches, and mean the same."""

from __future__ import annotations

import random

import engines
import pytest

from beebox.vm.jit import lower
from beebox.vm.switches import recover

HEAD = """
r6 = *(u32 *)(r1 + 0)
r7 = *(u32 *)(r1 + 4)
r2 = r6
r2 += 14
r0 = 0
if r2 > r7 goto out
r3 = *(u8 *)(r6 + 0)
"""


def search_tree(values: list[int], reg: str, signed: bool) -> list[str]:
    """A binary search over ``values``, as compilers write it."""
    lines: list[str] = []
    labels = iter(range(10_000))

    def emit(part: list[int]) -> None:
        if len(part) <= 2:
            lines.extend(f"if {reg} == {value} goto case{value}" for value in part)
            lines.append("goto out")
            return
        middle = len(part) // 2
        right = f"right{next(labels)}"
        lines.append(f"if {reg} {'s>' if signed else '>'} {part[middle - 1]} goto {right}")
        emit(part[:middle])
        lines.append(f"{right}:")
        emit(part[middle:])

    emit(values)
    return lines


def dispatch(reg: str, *, signed: bool = False) -> tuple[str, int]:
    values = [1, 2, 3, 5, 8, 9, 10, 20, 21, 22]
    cases = [f"case{value}:\nr0 = {value + 100}\ngoto out" for value in values]
    text = HEAD + "\n".join([*search_tree(values, reg, signed), *cases, "out:", "exit"]) + "\n"
    return text, 7


@pytest.mark.parametrize("reg", ["r3", "w3"])
@pytest.mark.parametrize("signed", [True, False])
def test_a_search_tree_is_one_switch_and_agrees(reg, signed):
    text, root = dispatch(reg, signed=signed)
    verified = engines.accepted(text, {})
    switch = recover(verified, root)
    assert switch is not None
    assert {case for case, _ in switch.cases} == {1, 2, 3, 5, 8, 9, 10, 20, 21, 22}
    assert lower(verified, maps={}, helpers={}).count("switch ") == 1
    packets = [bytes([value]) + bytes(13) for value in range(256)]
    outcome = engines.execute(verified, packets)
    assert outcome == engines.interpret(verified, packets)
    assert sum(verdict > 100 for verdict, _ in outcome.runs) == 10


def test_few_comparisons_stay_branches():
    text = HEAD + "if r3 == 1 goto out\nif r3 == 2 goto out\nr0 = 4\nout:\nexit\n"
    assert recover(engines.accepted(text, {}), 7) is None


def test_wide_ranges_stay_branches():
    lines = [f"if r3 > {value} goto case{value}" for value in range(200, 0, -20)]
    cases = [f"case{value}:\nr0 = {value}\ngoto out" for value in range(200, 0, -20)]
    text = HEAD + "r3 <<= 20\n" + "\n".join([*lines, "goto out", *cases, "out:", "exit"])
    verified = engines.accepted(text, {})
    switch = recover(verified, 8)
    assert switch is None or len(switch.cases) <= 1024


def test_random_trees_mean_the_same():
    for seed in range(30):
        source = random.Random(seed)
        lines = []
        for number in range(12):
            op = source.choice(("==", "!=", ">", ">=", "<", "<=", "s>", "s<="))
            lines.append(f"if r3 {op} {source.randint(0, 255)} goto case{number}")
        cases = [f"case{number}:\nr0 = {number + 1}\ngoto out" for number in range(12)]
        text = HEAD + "\n".join([*lines, "goto out", *cases, "out:", "exit"])
        report = engines.verify(engines.program(text, {}))
        if report.verified is None:  # some case can never be reached
            continue
        packets = [bytes([value]) + bytes(13) for value in range(256)]
        outcome = engines.execute(report.verified, packets)
        assert outcome == engines.interpret(report.verified, packets), seed

"""Any text gives a module or a CompileError, in bounded time."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from beebox.compiler.frontend import analyze
from beebox.errors import CompileError

PROGRAM = """\
from __future__ import annotations
from beebox import Hash, XdpAction, XdpContext, atomic, struct, u8, u32, u64, xdp
from beebox.lib.net import iphdr
@struct
class Counter:
    packets: u64
counters = Hash[u32, Counter](max_entries=16)
def f(ip: iphdr, n: u32) -> u32:
    return n + ip.ttl if n > 3 else 7
@xdp
def p(ctx: XdpContext) -> XdpAction:
    ip = ctx.packet(iphdr, 14)
    if ip is None or ip.ttl == 0:
        return XdpAction.DROP
    for i in range(4):
        while ctx.length > i:
            c = counters[i]
            if c is not None:
                atomic(c).packets += f(ip, i)
            else:
                counters[i] = Counter(packets=1)
            break
    return XdpAction.PASS
"""


def outcome(text):
    try:
        analyze(text, file="x.py")
    except CompileError as error:
        return error.line, error.column
    return None


def test_the_program_itself_compiles():
    assert outcome(PROGRAM) is None


@settings(max_examples=300, deadline=None)
@given(st.text())
@example("\0")
@example("\ud800")
@example("def f(:")
@example("x = " + "(" * 5000)
@example("x = " + "-" * 5000 + "1")
@example("x = " + "1+" * 20000 + "1")
@example("x = " + "9" * 10000)
@example("x = 1 << 10 ** 10")
@example("if a:\n pass\n" + "elif b:\n pass\n" * 3000)
def test_any_text(text):
    line, column = outcome(text)  # no text is a program by chance
    assert line >= 1
    assert column >= 1


PIECES = PROGRAM.split("\n")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_mutated_programs(data):
    lines = list(PIECES)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.integers(0, 3)):
            case 0:
                del lines[at : at + 1]
            case 1:
                lines.insert(at, data.draw(st.sampled_from(PIECES)))
            case 2:
                column = data.draw(st.integers(0, len(lines[at])))
                junk = data.draw(
                    st.sampled_from(["None", "-1", " ", "(", "ip", "[0]", ".x", "u8("])
                )
                lines[at] = lines[at][:column] + junk + lines[at][column:]
            case _:
                words = lines[at].split(" ")
                words[data.draw(st.integers(0, len(words) - 1))] = data.draw(
                    st.sampled_from(["ip", "c", "ctx", "None", "u64", "counters", "f", "1"])
                )
                lines[at] = " ".join(words)
        lines = lines or [""]
    outcome("\n".join(lines))


@pytest.mark.parametrize("depth", [3, 8, 20, 60])
def test_nested_loops_take_bounded_time(depth):
    body = "".join("    " * (n + 1) + f"for i{n} in range(2):\n" for n in range(depth))
    inner = "    " * (depth + 1)
    text = PROGRAM.split("    ip =", maxsplit=1)[0] + body
    text += "".join(f"{inner}c{n} = counters[{n}]\n" for n in range(5))
    text += "    return XdpAction.PASS\n"
    start = time.monotonic()
    outcome(text)
    assert time.monotonic() - start < 20

"""The checked lowering's shape and limits; what it computes is in ``tests/data/conformance``."""

from __future__ import annotations

import pytest

from beebox.errors import DecodeError, ExecutionError, NotSupportedError
from beebox.isa.assembler import assemble
from beebox.isa.instruction import slots
from beebox.tables.limits import MAX_INSNS, MAX_LOOPS
from beebox.vm.checked import lower_checked
from beebox.vm.memory import Buffer
from beebox.vm.sandbox import Sandbox
from beebox.vm.structure import functions

COUNT = "r0 = 0\ntop:\nmay_goto out\nr0 += 1\ngoto top\nout:\nexit"


def decoded(text: str):
    return slots(assemble(text))


def run(text: str, **options) -> int:
    return Sandbox(decoded(text)).run(Buffer(16), 16, **options)


def test_loops_end_with_their_budget_in_each_frame():
    assert run(COUNT) == MAX_LOOPS
    twice = "call sub\nr6 = r0\ncall sub\nr0 += r6\nexit\nsub:\n" + COUNT
    assert run(twice) == 2 * MAX_LOOPS


def test_fuel_is_instructions():
    loop = "r0 = 0\ntop:\nr0 += 1\nif r0 != 100 goto top\nexit"
    assert run(loop, fuel=99 * 2) == 100
    with pytest.raises(ExecutionError, match="fuel") as caught:
        run(loop, fuel=99 * 2 - 1)
    assert caught.value.pc == 2


def test_every_access_is_looked_up():
    text = lower_checked(decoded("r0 = *(u64 *)(r10 - 8)\n*(u8 *)(r1 + 0) = 1\nexit"))
    body = text[text.index("define internal i64 @checked_0") :]
    assert body.count("call i1 @allowed(") == 2
    assert "inbounds" not in text


def test_a_frame_reaches_its_callers_stack_but_not_below_its_own():
    passed = "r1 = r10\ncall sub\nexit\nsub:\nr0 = *(u8 *)(r1 - {at})\nexit"
    assert run(passed.format(at=512)) == 0
    own = "call sub\nexit\nsub:\nr0 = *(u8 *)(r10 - {at})\nexit"
    assert run(own.format(at=512)) == 0
    for text in (passed.format(at=1025), own.format(at=513)):
        with pytest.raises(ExecutionError) as caught:
            run(text)
        assert (caught.value.pc, caught.value.access[:15]) in {
            (3, "read of 1 bytes"),
            (2, "read of 1 bytes"),
        }


def test_eight_frames_are_the_most():
    chain = "\n".join(f"f{n}:\ncall f{n + 1}\nexit" for n in range(7))
    assert run(chain + "\nf7:\nr0 = 3\nexit") == 3
    with pytest.raises(ExecutionError, match="deep"):
        run(chain + "\nf7:\ncall f8\nexit\nf8:\nr0 = 3\nexit")


def test_programs_run_one_after_the_other_with_clean_stacks():
    sandbox = Sandbox(decoded("r0 = *(u64 *)(r10 - 8)\n*(u64 *)(r10 - 8) = 7\nexit"))
    assert [sandbox.run(Buffer(0), 0) for _ in range(3)] == [0, 0, 0]


def test_what_is_written_is_seen_by_the_caller():
    memory = Buffer(16)
    assert Sandbox(decoded("*(u32 *)(r1 + 12) = 258\nr0 = r2\nexit")).run(memory, 16) == 16
    assert bytes(memory.view) == bytes(12) + b"\x02\x01\0\0"


def test_what_is_refused_before_running():
    with pytest.raises(NotSupportedError):
        lower_checked(decoded("r1 = map[m] ll\nexit"))
    with pytest.raises(DecodeError):
        lower_checked(())
    with pytest.raises(DecodeError):
        functions(decoded("exit") * (MAX_INSNS + 1))
    many = "".join(f"call f{n}\n" for n in range(256)) + "exit\n"
    many += "".join(f"f{n}:\nexit\n" for n in range(256))
    with pytest.raises(DecodeError, match="functions"):
        functions(decoded(many))

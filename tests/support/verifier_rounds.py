"""Random programs whose functions are called by helpers, nested, with records and pointers.

All functions get a pointer to the same 32 bytes of the program's stack in R6: two numbers, a
pointer to global data, a packet pointer of which 14 bytes are proven.
"""

from __future__ import annotations

import random
from typing import Final

from verifier_callbacks import program

from beebox.obj.model import ProgramSpec

_ARGUMENT: Final = {"loop": 2, "for_each_map_elem": 4, "user_ringbuf_drain": 2}
_START: Final = """
r2 = *(u32 *)(r1 + 0)
r3 = *(u32 *)(r1 + 4)
r4 = r2
r4 += 14
if r4 > r3 goto end
*(u64 *)(r10 - 8) = r2
r2 = global[.data] ll
*(u64 *)(r10 - 16) = r2
*(u64 *)(r10 - 24) = 0
*(u64 *)(r10 - 32) = 0
r6 = r10
r6 += -32
"""
_SUBMIT: Final = """
r1 = map[ring] ll
r2 = 8
r3 = 0
call bpf_ringbuf_reserve
if r0 == 0 goto {label}
r1 = r0
r2 = 0
{submit}
{label}:"""
_SUBMIT_DYNPTR: Final = """
r1 = map[ring] ll
r2 = 8
r3 = 0
r4 = r10
r4 += -48
call bpf_ringbuf_reserve_dynptr
r1 = r10
r1 += -48
r2 = 0
call bpf_ringbuf_submit_dynptr"""
_LOOK_AT_SAMPLE: Final = """
r2 = 0
r3 = 8
call bpf_dynptr_data
if r0 == 0 goto {label}
r5 = *(u64 *)(r0 + 0)
*(u64 *)(r6 + 0) = r5
{label}:"""


class _Functions:
    """The functions of one program under construction, by name."""

    def __init__(self, seed: int) -> None:
        self.pick = random.Random(seed)
        self.made: dict[str, str] = {}
        self.labels = 0

    def label(self) -> str:
        self.labels += 1
        return f"l{self.labels}"

    def statements(self, depth: int) -> str:
        return "\n".join(self.statement(depth) for _ in range(self.pick.randint(1, 4)))

    def statement(self, depth: int) -> str:
        pick, label = self.pick, self.label()
        load = f"r5 = *(u64 *)(r6 + {(at := pick.choice((0, 8)))})\n"
        index = "r4 = global[.data] ll\nr4 += r5\nr5 = *(u8 *)(r4 + 0)"
        match pick.randrange(12):
            case 0:
                return load + f"r5 += {pick.choice((1, 2, 8))}\n*(u64 *)(r6 + {at}) = r5"
            case 1:
                most = pick.choice((3, 7, 15, 15, 16))
                return load + f"if r5 > {most} goto {label}\n{index}\n{label}:"
            case 2:
                set_ = f"*(u64 *)(r6 + {at}) = {pick.choice((0, 1, 9))}"
                return f"call bpf_get_prandom_u32\nif r0 == 1 goto {label}\n{set_}\n{label}:"
            case 3:
                submit = "call bpf_ringbuf_submit" if pick.random() < 0.97 else "r0 = 0"
                return _SUBMIT.format(label=label, submit=submit)
            case 4:
                return _SUBMIT_DYNPTR
            case 5:
                return f"r5 = *(u64 *)(r6 + 16)\n*(u8 *)(r5 + {pick.choice((0, 15, 15, 16))}) = 1"
            case 6 if pick.random() < 0.2:
                return "r5 = 5\n*(u64 *)(r6 + 16) = r5"
            case 7:
                set_ = f"*(u64 *)(r6 + {at}) = {pick.choice((0, 1))}"
                return load + f"if r5 == {pick.choice((0, 1, 5))} goto {label}\n{set_}\n{label}:"
            case 8 | 9 if depth < 2:
                return self.call(depth)
            case 10:
                return "r5 = *(u64 *)(r6 + 24)\nr5 = *(u8 *)(r5 + 3)"
            case _:
                return load + f"r5 &= {pick.choice((7, 15, 15, 31))}\n{index}"

    def call(self, depth: int) -> str:
        """Of a helper that calls a new function."""
        pick, name = self.pick, f"f{len(self.made)}"
        helper = pick.choice(("loop", "loop", "for_each_map_elem", "user_ringbuf_drain"))
        first = {
            "loop": f"r1 = {pick.choice((1, 2, 3, 100))}",
            "for_each_map_elem": "r1 = map[table] ll",
            "user_ringbuf_drain": "r1 = map[user] ll",
        }
        self.made[name] = ""
        body = f"r6 = r{_ARGUMENT[helper]}\n"
        if helper == "user_ringbuf_drain" and pick.random() < 0.6:
            body += _LOOK_AT_SAMPLE.format(label=self.label()) + "\n"
        if helper == "loop" and pick.random() < 0.4:
            body += "*(u64 *)(r6 + 8) = r1\n"
        body += self.statements(depth + 1)
        result = pick.choice(("r0 = 0", "r0 = 0", "r0 = 1", "call bpf_get_prandom_u32\nr0 &= 1"))
        self.made[name] = f"{body}\n{result}\nexit"
        return f"{first[helper]}\nr2 = func[{name}] ll\nr3 = r6\nr4 = 0\ncall bpf_{helper}"


def random_rounds(seed: int) -> ProgramSpec:
    """An XDP program with at least one such call."""
    functions = _Functions(seed)
    body = [functions.statements(0), functions.call(0), functions.statements(0)]
    return program("\n".join([_START, *body, "end:", "r0 = 2", "exit"]), **functions.made)

"""Kernel logs: every notation from 5.15 to 6.18, what loaders write around them, the message."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from beebox.diagnose.kernel_log import code_of, parse, registers
from beebox.diagnose.log_report import likeness, reading_data, render_reading
from beebox.diagnose.reading import read, value_words
from beebox.errors import InputError
from beebox.isa.assembler import assemble
from beebox.obj.model import LineInfo, MapSpec, ProgramSpec
from beebox.tables.findings import FINDINGS
from beebox.tables.kernel_messages import KERNEL_MESSAGES
from beebox.tables.map_types import MapType
from beebox.tables.program_types import ProgramType

# The same program as each of them logs it: an index up to 4 into a value of 4 numbers.
LOGS = Path(__file__).parents[2] / "data/kernel_logs"
OLD, NEW, TAIL = ((LOGS / f"{name}.txt").read_text() for name in ("5.15", "6.18", "tail"))
CODE = """
r6 = r1
r1 = *(u32 *)(r6 + 12)
*(u32 *)(r10 - 4) = r1
r2 = r10
r2 += -4
r1 = map[counts] ll
call bpf_map_lookup_elem
if r0 == 0 goto out
r2 = *(u32 *)(r6 + 16)
if r2 > 4 goto out
r2 <<= 3
r0 += r2
r1 = *(u64 *)(r0 + 0)
out:
r0 = 2
exit
"""


@pytest.mark.parametrize("text", [OLD, NEW], ids=["5.15", "6.18"])
def test_the_path_and_its_values_are_read_in_both_notations(text: str) -> None:
    reading = read(parse(text))
    assert (reading.code, reading.pc, reading.reg) == ("map-value-bounds", 13, 0)
    assert reading.missing == "the access ends at byte 40, and there are 32"
    told = {reading.log.path[at].pc: words for at, words in reading.steps}
    assert told[9] == "a number in 0..=4294967295"
    assert told[10].startswith("a number in 0..=4 from here on")
    assert told[11] == "a number in 0..=32"
    assert told[12].endswith("at offset 0 + (0..=32)")
    assert told[12].startswith("pointer to a value of")
    assert reading.log.processed == 13


def test_names_files_and_lines_are_found_where_they_are() -> None:
    old, new = read(parse(OLD)), read(parse(NEW))
    assert new.log.program == "bad_map_index"
    data = reading_data(new)
    assert (data["file"], data["line"], data["insn"]) == ("ranges.c", 67, 13)
    assert reading_data(old)["line"] is None
    text = render_reading(new)
    assert text.splitlines()[1] == "  --> ranges.c:67, insn 13"
    assert "value[queue] += 1;" in render_reading(old)
    assert text.splitlines()[-1] == "  kernel: R0 max value is outside of the allowed memory range"


def test_the_tail_of_a_log_is_read_too() -> None:
    reading = read(parse(TAIL))
    assert (reading.code, reading.pc) == ("map-value-bounds", 13)
    assert [step.pc for step in reading.log.path] == [11, 12, 13]


def test_any_text_is_read_or_refused() -> None:
    """Logs that were cut, shuffled and overwritten: a reading, or an InputError."""
    rng = random.Random(1)
    lines = [*OLD.splitlines(), *NEW.splitlines(), *TAIL.splitlines()]
    read_ = 0
    for _ in range(400):
        chosen = rng.sample(lines, rng.randrange(1, 30))
        at = rng.randrange(len(chosen))
        line = list(chosen[at])
        for _ in range(rng.randrange(4)):
            line[rng.randrange(len(line) + 1) : 0] = rng.choice(
                ["=", "(", "R3", ";", "\0", "9" * 30, ")"]
            )
        chosen[at] = "".join(line)
        try:
            log = parse("\n".join(chosen))
        except InputError:
            continue
        if not log.accepted:
            read_ += 1
            text = render_reading(read(log))
            assert text.startswith("error: ")
            assert reading_data(read(log))["kernel_message"] == log.message
    assert read_ > 50


def test_a_path_of_level_2_is_put_together_from_its_parts() -> None:
    log = parse(
        """\
0: R1=ctx() R10=fp0
0: (61) r2 = *(u32 *)(r1 +16)         ; R1=ctx() R2=scalar(smin=0,smax=umax=0xffffffff)
1: (15) if r2 == 0x7 goto pc+3        ; R2=scalar(smin=0,smax=umax=0xffffffff)
2: (b7) r0 = 2                        ; R0=2
3: (15) if r2 == 0x8 goto pc+1        ; R2=scalar(smin=0,smax=umax=0xffffffff)
4: (95) exit

from 3 to 5: safe

from 1 to 5: R1=ctx() R2=7 R10=fp0
5: R1=ctx() R2=7 R10=fp0
5: (79) r0 = *(u64 *)(r2 +0)
R2 invalid mem access 'scalar'
processed 6 insns (limit 1000000)
"""
    )
    assert [step.pc for step in log.path] == [0, 1, 5]
    reading = read(log)
    assert reading.code == "not-a-pointer"
    told = {log.path[at].pc: words for at, words in reading.steps}
    assert told[1] == "the number 7 from here on; goes on at insn 5"


def test_the_object_gives_lines_to_a_log_without_them() -> None:
    spec = ProgramSpec(
        "p", "xdp", ProgramType.XDP, assemble(CODE),
        {"counts": MapSpec("counts", MapType.HASH, 4, 32, 4)},
        lines=(LineInfo(0, "r.c", 1, 1, "key"), LineInfo(13, "r.c", 9, 3, "value[queue] += 1;")),
    )  # fmt: skip
    log = parse(OLD)
    assert likeness(log, spec) == 1.0
    assert reading_data(read(log), spec)["line"] == 9
    other = ProgramSpec("q", "xdp", ProgramType.XDP, assemble("r0 = 2\nexit"), {})
    assert likeness(log, other) < 0.1


def test_an_accepted_log_and_no_log() -> None:
    log = parse("0: (b7) r0 = 2 ; R0=2\n1: (95) exit\nprocessed 2 insns (limit 1000000)\n")
    assert log.accepted
    assert log.processed == 2
    for text in ("", "hello\n", "\0\1", "1:\n; @ a:1\n"):
        with pytest.raises(InputError):
            parse(text)
    assert read(parse("unreachable insn 5\nprocessed 0 insns")).code == "unreachable"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("inv(id=0,umax_value=255,var_off=(0x0; 0xff))", "a number in 0..=255"),
        ("scalar(smin=smin32=0,smax=umax=255,var_off=(0x0; 0xff))", "a number in 0..=255"),
        ("scalar(smin=0xffffffff80000000,smax=9)", "a number in -2147483648..=9"),
        ("invP4", "the number 4"),
        ("-7", "the number -7"),
        ("P0", "the number 0"),
        ("inv(id=0)", "a number, nothing known of it"),
        ("fp-16", "stack pointer at offset -16"),
        ("fp[0]-16", "stack pointer at offset -16"),
        ("pkt(id=0,off=14,r=34,imm=0)", "packet pointer at offset 14: bytes 0..34 proven"),
        ("pkt(off=14,r=0)", "packet pointer at offset 14: nothing proven"),
        ("ctx(id=0,off=0,imm=0)", "the context at offset 0"),
        ("ringbuf_mem_or_null(id=2,sz=8)", "pointer to a record at offset 0, or NULL"),
        ("strange", "strange"),
    ],
)  # fmt: skip
def test_values_in_words(text: str, words: str) -> None:
    assert value_words(text) == words


def test_registers_of_a_state() -> None:
    state = " R0_w=inv0 R1=map_value(id=0,var_off=(0x0; 0xff)) R10=fp0 fp-8_r=mmmm???? refs=2"
    assert registers(state) == {
        "R0": "inv0",
        "R1": "map_value(id=0,var_off=(0x0; 0xff))",
        "R10": "fp0",
        "fp-8": "mmmm????",
    }


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("R3 min value is outside of the array range", "map-value-bounds"),
        ("R1 invalid mem access 'inv'", "not-a-pointer"),
        ("R1 invalid mem access 'map_value_or_null'", "null-pointer"),
        ("R2 pointer arithmetic on map_value_or_null prohibited, null-check it", "null-pointer"),
        ("R2 unbounded memory access, use 'var &= const' or 'if (var < const)'", "argument-size"),
        ("R2 unbounded memory access, make sure to bounds check any array", "map-value-bounds"),
        ("register R0 has value (0x0; 0xff) should have been in (0x0; 0x1)", "return-range"),
        ("back-edge from insn 5 to 2", "infinite-loop"),
        ("unknown func bpf_get_current_task#35", "helper-not-allowed"),
        ("invalid indirect read from stack R2 off -8+4 size 8", "stack-uninitialised"),
        ("math between pkt pointer and register with unbounded min value", "unbounded-offset"),
        ("combined stack size of 2 calls is 576. Too large", "call-depth"),
        ("Unreleased reference id=2 alloc_insn=4", "reference-leak"),
        ("R1 type=inv expected=map_ptr", "argument-type"),
        ("R1 type=map_value_or_null expected=fp", "null-pointer"),
        ("dereference of modified ctx ptr R1 off=8 disallowed", "context-access"),
        ("the sky is falling", None),
    ],
)  # fmt: skip
def test_messages_of_every_age_have_a_finding(message: str, code: str | None) -> None:
    assert code_of(message) == code


def test_rows_name_findings_that_there_are() -> None:
    assert {row.code for row in KERNEL_MESSAGES} <= set(FINDINGS)


_BANNERS = """libbpf: prog 'first': -- BEGIN PROG LOAD LOG --
0: (b7) r0 = 0                        ; R0=0
1: (95) exit
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
-- END PROG LOAD LOG --
libbpf: prog 'second': BPF program load failed: Permission denied
libbpf: prog 'second': -- BEGIN PROG LOAD LOG --
0: (95) exit
R0 !read_ok
processed 1 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
-- END PROG LOAD LOG --
libbpf: prog 'second': failed to load: -13
"""


def test_of_several_programs_the_refused_one_is_read() -> None:
    log = parse(_BANNERS)
    assert not log.accepted
    assert log.program == "second"
    assert log.message == "R0 !read_ok"
    assert parse(_BANNERS.partition("libbpf: prog 'second'")[0]).accepted


def test_log_that_was_cut_off_is_no_acceptance() -> None:
    whole = parse(NEW)
    assert whole.message
    with pytest.raises(InputError, match="ends before the verdict"):
        parse("\n".join(NEW.splitlines()[:12]))


def test_access_before_the_first_byte_is_told_so() -> None:
    log = parse(
        "0: (79) r1 = *(u64 *)(r0 -32)\n"
        "invalid access to map value, value_size=64 off=-32 size=8\n"
        "R0 min value is outside of the allowed memory range\nprocessed 1 insns\n"
    )
    assert read(log).missing.startswith("the access starts at byte -32")

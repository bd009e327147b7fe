"""The conformance plugin: every instruction by hand-made vectors, faults and malformed input."""

from __future__ import annotations

import io
import subprocess
import sys

import coverage_of
import pytest
import vectors

from beebox import conformance
from beebox.errors import DecodeError, ExecutionError, InputError, NotSupportedError
from beebox.isa.assembler import assemble
from beebox.isa.codec import decode, encode
from beebox.isa.conformance import group
from beebox.tables.opcodes import Group

ENGINES = ("jit", "interpreter")
VECTORS = vectors.read()
NOT_HERE = {
    "lddw pseudo": "maps, functions and kernel variables: an object's, not a bare program's",
    "call helper": "helpers belong to a program type; bare programs have none",
    "call kfunc": "the same for kernel functions",
    "addr_space_cast": "arenas are not supported; refused below",
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_vector(vector: vectors.Vector, engine: str):
    assert conformance.run(encode(vector.insns), vector.memory, engine=engine) == vector.result


def test_every_row_of_the_instruction_table_has_a_vector():
    covered = {row for vector in VECTORS for row in coverage_of.rows(vector.insns)}
    assert covered | set(NOT_HERE) == coverage_of.all_rows()
    assert not covered & set(NOT_HERE)


@pytest.mark.parametrize("wanted", Group, ids=lambda row: row.value)
def test_each_group_has_its_file(wanted: Group):
    mine = [vector for vector in VECTORS if vector.group == wanted.value]
    assert mine
    for vector in mine:
        assert wanted in {group(insn) for insn in vector.insns}, str(vector)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("program", "pc"),
    [
        ("r0 = *(u8 *)(r1 + 16)\nexit", 0),
        ("r0 = *(u64 *)(r1 + 9)\nexit", 0),
        ("r0 = 0\n*(u8 *)(r1 - 1) = 1\nexit", 1),
        ("*(u8 *)(r10 + 0) = 1\nexit", 0),
        ("*(u8 *)(r10 - 513) = 1\nexit", 0),
        ("r3 = -1 ll\nr0 = *(u64 *)(r3 + 0)\nexit", 2),
        ("r3 = 0\nr0 = *(u8 *)(r3 + 0)\nexit", 1),
        ("r3 = 1\nlock *(u64 *)(r10 - 12) += r3\nexit", 1),
        ("r3 = 1\nr0 = load_acquire((u32 *)(r10 - 6))\nexit".replace("r0", "w0"), 1),
        ("r2 = 1\nstore_release((u16 *)(r10 - 1), w2)\nexit", 1),
        ("top:\nr1 += 1\ngoto top", None),
        ("top:\ncall top\nexit", None),
        ("r6 = 1\ncall a\nexit\na:\nr0 = *(u8 *)(r6 + 0)\nexit", 3),
    ],
)
def test_faults_say_where(engine: str, program: str, pc: int | None):
    with pytest.raises(ExecutionError) as caught:
        conformance.run(encode(assemble(program)), bytes(16), engine=engine)
    assert pc is None or caught.value.pc == pc
    assert (caught.value.access is None) == (pc is None)


def test_calls_without_loops_end_too():
    """Seven functions that call the next one a thousand times each."""
    depth, calls = 7, 1000
    text = [f"f{level}:\n" + f"call f{level + 1}\n" * calls + "exit" for level in range(depth)]
    program = encode(assemble("\n".join([*text, f"f{depth}:\nr0 = 0\nexit"])))
    with pytest.raises(ExecutionError, match="fuel"):
        conformance.run(program, engine="jit")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "program",
    [
        "",
        "r0 = 0",
        "r0 = 0\nif r0 == 0 goto -1",
        "goto +5\nexit",
        "goto +1\nr0 = 1 ll\nexit",
        "call pc+7\nexit",
        "r10 = 1\nexit",
        "r10 = *(u64 *)(r1 + 0)\nexit",
        "call sub\nexit\nsub:\ngoto -3",
        "may_goto -9\nexit",
    ],
)
def test_what_is_no_program(engine: str, program: str):
    with pytest.raises(DecodeError):
        conformance.run(encode(assemble(program)), engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "program",
    [
        "call 1\nexit",
        "call kfunc#5\nexit",
        "r1 = addr_space_cast(r1, 0, 1)\nexit",
        "r1 = map_fd(3) ll\nexit",
    ],
)
def test_what_is_not_supported(engine: str, program: str):
    with pytest.raises(NotSupportedError):
        conformance.run(encode(assemble(program)), engine=engine)


def test_unknown_engine():
    with pytest.raises(InputError):
        conformance.run(encode(assemble("exit")), engine="magic")


def test_registers_start_as_zeros_and_calls_clear_theirs():
    text = "r1 = 1\nr2 = 2\nr7 = 3\ncall a\nr0 += r1\nr0 += r2\nr0 += r7\nexit\na:\nr0 += r7\nexit"
    for engine in ENGINES:
        assert conformance.run(encode(assemble(text)), engine=engine) == 3


def call(*arguments: str, given: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        status = conformance.main(arguments)
    return status, out.getvalue(), err.getvalue()


def test_the_protocol():
    code = encode(assemble("r0 = *(u16 *)(r1 + 1)\nr0 += r2\nexit"))
    spaced = "".join(f"{byte:02x}  " for byte in code) + "\n"  # as bpf_conformance writes it
    for option in ("", "--engine jit", "--engine=interpreter"):
        assert call("01  02  03  ", option, given=spaced) == (0, "305\n", "")
    alone = encode(assemble("r0 = r1\nr0 |= r2\nexit")).hex()
    assert call(given=alone) == (0, "0\n", "")
    assert call("", given=alone) == (0, "0\n", "")
    assert call("--engine", "interpreter", given=alone) == (0, "0\n", "")
    negative = encode(assemble("r0 = -1\nexit")).hex()
    assert call(given=negative) == (0, "f" * 16 + "\n", "")


@pytest.mark.parametrize(
    ("arguments", "given", "status"),
    [
        ((), "zz", 2),
        ((), "b7 00", 2),
        ((), "", 2),
        (("0",), "9500000000000000", 2),
        (("é",), "9500000000000000", 2),
        ((), "ff00000000000000 9500000000000000", 2),
        ((), encode(assemble("r0 = *(u8 *)(r1 + 0)\nexit")).hex(), 1),
        ((), encode(assemble("call 1\nexit")).hex(), 1),
    ],
)
def test_errors_go_to_standard_error(arguments: tuple[str, ...], given: str, status: int):
    code, out, err = call(*arguments, given=given)
    assert (code, out) == (status, "")
    assert err.count("\n") == 1


def test_as_a_process():
    code = encode(assemble("r0 = *(u8 *)(r1 + 1)\nexit")).hex(" ")

    def process(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "beebox.conformance", *arguments]
        return subprocess.run(command, input=code, capture_output=True, text=True, check=False)

    good = process("00 2a")
    assert (good.returncode, good.stdout, good.stderr) == (0, "2a\n", "")
    assert (process().returncode, process().stdout) == (1, "")
    assert (process("--what").returncode, process("--what").stdout) == (2, "")


def test_any_bytes_give_a_value_or_an_error():
    """Random instructions, most of them valid: no engine may crash, both agree."""
    import random  # noqa: PLC0415 -- this test alone

    source = random.Random(5)
    pool = [insn for vector in VECTORS for insn in vector.insns]
    agreed = 0
    for _ in range(150):
        insns = [source.choice(pool) for _ in range(source.randint(1, 12))]
        program = encode([*insns, *decode(bytes.fromhex("9500000000000000"))])
        results = []
        for engine in ENGINES:
            try:
                results.append(conformance.run(program, bytes(range(64)), engine=engine))
            except (DecodeError, ExecutionError) as error:
                results.append((type(error), getattr(error, "pc", None)))
        agreed += isinstance(results[0], int) and results[0] == results[1]
        kinds = [type(result) for result in results]
        assert kinds[0] is kinds[1], results
    assert agreed > 20

"""LinuxKernel against a made-up bpf(2): the order of calls, failures, and who closes what."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from beebox.btf.types import Btf, Int
from beebox.errors import (
    InputError,
    InternalError,
    NotSupportedError,
    RejectedError,
    SyscallError,
)
from beebox.isa.instruction import (
    Alu,
    Call,
    CallKind,
    Exit,
    GlobalRef,
    Instruction,
    KfuncRef,
    KsymRef,
    LoadImm64,
    MapRef,
    Reg,
)
from beebox.linux.kernel import LinuxKernel
from beebox.linux.load import Verdict, patch, try_load
from beebox.linux.objects import LinuxMap
from beebox.linux.syscall import Attr, Command, Fd
from beebox.obj.model import (
    ExternKind,
    ExternSpec,
    FunctionSpec,
    KernelAddress,
    KernelSymbol,
    MapSpec,
    ObjectSpec,
    Pinning,
    Poisoned,
    Resolution,
)
from beebox.tables.map_types import MapFlags, MapType
from beebox.tables.opcodes import AluOp

MAP = MapSpec("counts", MapType.HASH, 4, 8, 16)
RODATA = MapSpec(
    ".rodata", MapType.ARRAY, 4, 4, 1, MapFlags.RDONLY_PROG, contents=b"\x2a\0\0\0", frozen=True
)
PROGRAM = FunctionSpec(
    "main",
    "xdp",
    (
        LoadImm64(Reg.R1, MapRef("counts")),
        LoadImm64(Reg.R1, GlobalRef(".rodata", 0)),
        Alu(AluOp.MOV, Reg.R0, 2),
        Exit(),
    ),
)
SPEC = ObjectSpec({"main": PROGRAM}, {"counts": MAP, ".rodata": RODATA}, license="GPL")


@dataclass
class FakeDoor:
    """bpf(2) that hands out real descriptors and fails as told."""

    failures: dict[Command, int] = field(default_factory=dict)
    log: bytes = b""
    calls: list[Command] = field(default_factory=list)
    attrs: list[Attr] = field(default_factory=list)
    handed_out: list[int] = field(default_factory=list)

    def __call__(self, command: Command, attr: Attr) -> int:
        self.calls.append(command)
        self.attrs.append(attr)
        if command in self.failures:
            if 32 in attr.buffers:
                attr.buffers[32][: len(self.log)] = self.log
            raise SyscallError(f"bpf({command.name})", self.failures[command])
        if command in {Command.MAP_CREATE, Command.PROG_LOAD, Command.BTF_LOAD}:
            self.handed_out.append(os.open(os.devnull, os.O_RDONLY))
            return self.handed_out[-1]
        return 0

    def still_open(self) -> list[int]:
        return [fd for fd in set(self.handed_out) if is_open(fd)]


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


@pytest.fixture
def door() -> Iterator[FakeDoor]:
    fake = FakeDoor()
    yield fake
    assert fake.still_open() == []


def test_maps_come_first_and_globals_are_filled_then_frozen(door: FakeDoor) -> None:
    with LinuxKernel(door).load(SPEC) as live:
        assert door.calls == [
            Command.MAP_CREATE,
            Command.MAP_CREATE,
            Command.MAP_UPDATE_ELEM,
            Command.MAP_FREEZE,
            Command.PROG_LOAD,
        ]
        assert set(live.programs) == {"main"}
        assert set(live.maps) == {"counts", ".rodata"}
        code = door.attrs[-1].buffers[8]
        assert code[1] >> 4 == 1
        assert int.from_bytes(code[4:8], "little") == live.maps["counts"].fd
        assert code[17] >> 4 == 2
        assert int.from_bytes(code[20:24], "little") == live.maps[".rodata"].fd
        assert len(door.still_open()) == 3


def test_close_is_final_and_harmless_twice(door: FakeDoor) -> None:
    live = LinuxKernel(door).load(SPEC)
    live.close()
    live.close()
    with pytest.raises(InputError, match="closed"):
        live.maps["counts"].lookup(bytes(4))


@pytest.mark.parametrize("failing", [Command.MAP_UPDATE_ELEM, Command.MAP_FREEZE])
def test_a_failure_half_way_leaves_nothing_open(door: FakeDoor, failing: Command) -> None:
    door.failures[failing] = errno.EINVAL
    with pytest.raises(Exception, match="Invalid argument"):
        LinuxKernel(door).load(SPEC)


def test_a_log_makes_a_failed_load_a_rejection(door: FakeDoor) -> None:
    door.failures[Command.PROG_LOAD] = errno.EACCES
    door.log = b"0: (b7) r0 = 2\n3: (95) exit\nR0 !read_ok\nprocessed 4 insns\n"
    with pytest.raises(RejectedError) as caught:
        LinuxKernel(door).load(SPEC)
    assert caught.value.program == "main"
    assert caught.value.findings[0]["insn"] == 3
    assert caught.value.findings[0]["kernel_message"] == "R0 !read_ok"


def test_no_log_is_no_verdict(door: FakeDoor) -> None:
    door.failures[Command.PROG_LOAD] = errno.EINVAL
    with pytest.raises(NotSupportedError) as caught:
        LinuxKernel(door).load(SPEC)
    assert isinstance(caught.value.__cause__, SyscallError)


def test_no_right_is_said_as_such(door: FakeDoor) -> None:
    door.failures[Command.MAP_CREATE] = errno.EPERM
    with pytest.raises(NotSupportedError, match="CAP_BPF"):
        LinuxKernel(door).load(SPEC)


def test_btf_that_does_not_load_fails_the_load(door: FakeDoor) -> None:
    door.failures[Command.BTF_LOAD] = errno.EINVAL
    spec = ObjectSpec({"main": PROGRAM}, SPEC.maps, btf=Btf((Int("int", 4, 32),)))
    with pytest.raises(SyscallError, match="BTF_LOAD"):
        LinuxKernel(door).load(spec)


def test_an_unknown_program_is_named_before_anything_is_made(door: FakeDoor) -> None:
    with pytest.raises(InputError, match="there are: main"):
        LinuxKernel(door).load(SPEC, programs=["other"])
    assert door.calls == []


def test_a_log_grows_until_it_fits(door: FakeDoor) -> None:
    door.failures[Command.PROG_LOAD] = errno.ENOSPC
    assert try_load(bytes(8), door=door) == Verdict(errno.ENOSPC, "")
    sizes = [len(attr.buffers[32]) for attr in door.attrs]
    assert sizes == sorted(set(sizes))
    assert sizes[-1] >= 1 << 24


def test_batches_fall_back_to_single_elements(door: FakeDoor) -> None:
    door.failures = {Command.MAP_UPDATE_BATCH: errno.EINVAL, Command.MAP_LOOKUP_BATCH: errno.EINVAL}
    live = LinuxMap(MAP, Fd(os.open(os.devnull, os.O_RDONLY), "map"), door)
    live.update_batch([(bytes(4), bytes(8))] * 3)
    assert door.calls.count(Command.MAP_UPDATE_ELEM) == 3
    door.failures[Command.MAP_GET_NEXT_KEY] = errno.ENOENT
    assert live.lookup_batch() == []
    live.close()


def test_sizes_are_checked_before_the_call(door: FakeDoor) -> None:
    with LinuxMap(MAP, Fd(os.open(os.devnull, os.O_RDONLY), "map"), door) as live:
        for wrong in (
            lambda: live.lookup(b"long key"),
            lambda: live.update(bytes(4), b"short"),
            lambda: live.delete(b""),
        ):
            with pytest.raises(InputError):
                wrong()
    assert door.calls == []


def test_patch_leaves_the_other_instructions_alone() -> None:
    code = patch(PROGRAM.insns, {"counts": 3, ".rodata": 4})
    assert len(code) == 48
    assert code[32:] == bytes.fromhex("b700000002000000 9500000000000000")


def resolved(kind: ExternKind, resolution: Resolution | None) -> dict[str, ExternSpec]:
    return {"sym": ExternSpec("sym", kind, resolved=resolution)}


@pytest.mark.parametrize(
    ("resolution", "source", "low", "high"),
    [
        (KernelSymbol(77), 3, 77, 0),
        (KernelAddress(0xFFFF_FFFF_8123_4567), 0, 0x8123_4567, 0xFFFF_FFFF),
    ],
)
def test_kernel_variables_are_patched_in(
    resolution: Resolution, source: int, low: int, high: int
) -> None:
    externs = resolved(ExternKind.VARIABLE, resolution)
    code = patch((LoadImm64(Reg.R1, KsymRef("sym")),), {}, externs)
    assert (code[1] >> 4, code[4:8], code[12:16]) == (
        source,
        low.to_bytes(4, "little"),
        high.to_bytes(4, "little"),
    )


def test_kernel_functions_are_called_by_id_and_module() -> None:
    functions = {
        name: ExternSpec(name, ExternKind.FUNCTION, resolved=KernelSymbol(number, module))
        for name, number, module in (
            ("a", 7, ""),
            ("b", 8, "one"),
            ("c", 9, "two"),
            ("d", 6, "one"),
        )
    }
    calls = tuple(Call(CallKind.KFUNC, KfuncRef(name)) for name in functions)
    code = patch(calls, {}, functions)
    rows = [(code[at + 1] >> 4, code[at + 2], code[at + 4]) for at in range(0, 32, 8)]
    assert rows == [(2, 0, 7), (2, 1, 8), (2, 2, 9), (2, 1, 6)]


@pytest.mark.parametrize(
    "insn", [LoadImm64(Reg.R1, KsymRef("sym")), Call(CallKind.KFUNC, KfuncRef("sym"))]
)
def test_what_nobody_resolved_is_our_fault(insn: Instruction) -> None:
    for externs in ({}, resolved(ExternKind.VARIABLE, None)):
        with pytest.raises(InternalError):
            patch((insn,), {}, externs)


def test_one_btf_serves_maps_and_programs(door: FakeDoor) -> None:
    btf = Btf((Int("int", 4, 32),))
    maps = {"counts": replace(MAP, key_type_id=1, value_type_id=1), ".rodata": RODATA}
    second = replace(PROGRAM, name="second")
    spec = ObjectSpec({"main": PROGRAM, "second": second}, maps, license="GPL", btf=btf)
    with LinuxKernel(door).load(spec):
        assert door.calls.count(Command.BTF_LOAD) == 1
        made = [
            attr
            for call, attr in zip(door.calls, door.attrs, strict=True)
            if call is Command.MAP_CREATE
        ]
        loads = [
            attr
            for call, attr in zip(door.calls, door.attrs, strict=True)
            if call is Command.PROG_LOAD
        ]
        fds = {int.from_bytes(attr.data[72:76], "little") for attr in loads}
        assert fds == {int.from_bytes(made[0].data[48:52], "little")}
        assert len(loads) == 2


def test_programs_behind_a_question_mark_are_loaded_by_name_alone(door: FakeDoor) -> None:
    waiting = replace(PROGRAM, name="waiting", section="?xdp")
    spec = replace(SPEC, functions={"main": PROGRAM, "waiting": waiting})
    with LinuxKernel(door).load(spec) as live:
        assert set(live.programs) == {"main"}
    with LinuxKernel(door).load(spec, programs=["waiting"]) as live:
        assert set(live.programs) == {"waiting"}


def test_a_poisoned_instruction_says_why(door: FakeDoor) -> None:
    door.failures[Command.PROG_LOAD] = errno.EINVAL
    door.log = b"0: (b7) r0 = 2\n4: (85) call unknown#195896080\ninvalid func unknown#195896080\n"
    poisoned = replace(PROGRAM, poisoned=(Poisoned(4, "no field mood"),))
    with pytest.raises(RejectedError, match="no field mood") as caught:
        LinuxKernel(door).load(replace(SPEC, functions={"main": poisoned}))
    (finding,) = caught.value.findings
    assert finding["message"] == "no field mood"
    assert finding["kernel_message"] == "invalid func unknown#195896080"


def test_a_pin_stays_after_the_load(door: FakeDoor, tmp_path: Path) -> None:
    door.failures[Command.OBJ_GET] = errno.ENOENT
    kept = replace(MAP, pinning=Pinning.BY_NAME)
    (tmp_path / "counts").touch()
    with LinuxKernel(door, pin_root=tmp_path).load(
        replace(SPEC, maps={**SPEC.maps, "counts": kept})
    ):
        assert door.calls.count(Command.OBJ_PIN) == 1
    assert (tmp_path / "counts").exists()
    door.failures[Command.PROG_LOAD] = errno.EACCES
    door.log = b"R0 !read_ok"
    with pytest.raises(RejectedError):
        LinuxKernel(door, pin_root=tmp_path).load(replace(SPEC, maps={**SPEC.maps, "counts": kept}))
    assert not (tmp_path / "counts").exists()


def test_maps_that_wait_are_not_made_and_their_programs_neither(door: FakeDoor) -> None:
    row = MapSpec(
        "ops", MapType.STRUCT_OPS, 4, 8, 1, contents=bytes(8), slots=((0, "op"),), autocreate=False
    )
    op = replace(PROGRAM, name="op", section="struct_ops/op")
    spec = replace(SPEC, functions={"main": PROGRAM, "op": op}, maps={**SPEC.maps, "ops": row})
    assert spec.autoload_names == ("main",)
    assert replace(
        spec, maps={**SPEC.maps, "ops": replace(row, autocreate=True)}
    ).autoload_names == ("main", "op")
    with LinuxKernel(door).load(spec) as live:
        assert set(live.maps) == {"counts", ".rodata"}
